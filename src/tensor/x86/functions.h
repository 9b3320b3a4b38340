// The functions of the library, FUNCTION(name, (parameters), (arguments)), and BASE(...) those that gain nothing from instructions beyond the widest
// vectors: they are compiled for avx2 and avx512 alone. Who includes this gives both their meaning.
BASE(move, (stretch * stretches, int count, const noise_move *moves, noise_law law, int threads), (stretches, count, moves, law, threads))
