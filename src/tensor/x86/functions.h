// The functions of the library, FUNCTION(name, (parameters), (arguments)), and BASE(...) those that gain nothing from instructions beyond the widest
// vectors: they are compiled for avx2 and avx512 alone. Who includes this gives both their meaning.
BASE(move, (stretch * stretches, int count, const noise_move *moves, noise_law law, int threads), (stretches, count, moves, law, threads))
BASE(activate, (const float *a, float *y, int64_t n, activation kind, int threads), (a, y, n, kind, threads))
BASE(add, (const float *a, const float *b, float *y, int64_t n, int threads), (a, b, y, n, threads))
BASE(multiply, (const float *a, const float *b, float *y, int64_t n, int threads), (a, b, y, n, threads))
BASE(layer_norm, (const float *x, const float *weight, const float *bias, float *y, int64_t rows, int64_t width, float epsilon, int threads), (x, weight, bias, y, rows, width, epsilon, threads))
BASE(rms_norm, (const float *x, const float *weight, float *y, int64_t rows, int64_t width, float epsilon, int threads), (x, weight, y, rows, width, epsilon, threads))
BASE(log_sums, (const float *logits, int64_t rows, int64_t columns, int64_t stride, float *tops, double *sums, int threads), (logits, rows, columns, stride, tops, sums, threads))
BASE(rotary, (const float *x, const float *cos, const float *sin, float *y, int64_t rows, int64_t width, int64_t pairs, int threads), (x, cos, sin, y, rows, width, pairs, threads))
BASE(attention, (const attention_sizes *sizes, const float *q, const float *k, const float *v, float *y, const int32_t *lengths, const int32_t *key_lengths, float *scratch, int64_t scratch_floats, int threads), (sizes, q, k, v, y, lengths, key_lengths, scratch, scratch_floats, threads))
FUNCTION(product_scratch, (product_kind kind, product_sides sides, int threads, int64_t m, int64_t n, int64_t k, int64_t *bytes), (kind, sides, threads, m, n, k, bytes))
FUNCTION(product, (product_kind kind, product_sides sides, int threads, int64_t m, int64_t n, int64_t k, const void *w, number_format format, int64_t size, int64_t first, int64_t stride, uint32_t key0, uint32_t key1, uint32_t stream, noise_law law, float eps, const float *x0, const float *x1, const float *bias0, const float *bias1, const float *residual0, const float *residual1, float *y0, float *y1, activation then, void *scratch, int64_t scratch_bytes), (kind, sides, threads, m, n, k, w, format, size, first, stride, key0, key1, stream, law, eps, x0, x1, bias0, bias1, residual0, residual1, y0, y1, then, scratch, scratch_bytes))
