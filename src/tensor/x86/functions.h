// The functions of the library, FUNCTION(name, (parameters), (arguments)); who includes this gives FUNCTION its meaning.
