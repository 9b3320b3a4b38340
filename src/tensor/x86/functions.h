// The functions of the library, FUNCTION(name, (parameters), (arguments)); who includes this gives FUNCTION its meaning.
FUNCTION(activate, (const float *a, float *y, int64_t n, activation kind, int threads), (a, y, n, kind, threads))
FUNCTION(add, (const float *a, const float *b, float *y, int64_t n, int threads), (a, b, y, n, threads))
