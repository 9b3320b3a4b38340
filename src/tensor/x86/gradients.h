// Gradients of norms and activations.
#pragma once
#include "elementwise.h"
#include "norm.h"

// ---- norms: of y = normal · weight + bias with normal = (x − mean) · scale. Where `centred` is 0 the mean is not taken, and there is no bias.
typedef struct {
  const float *x, *weight, *dy;
  float *dx, *sums; // of each block of rows the gradient of weight, then of bias
  int64_t rows, width, blocks;
  float epsilon;
  int centred;
} norm_gradient_task;

/** A row's mean or 0, one over its deviation, and the means of dNormal and of dNormal · normal. */
typedef struct {
  float shift, scale, mean, slope;
} row_sums;

INLINE row_sums sum_row(const norm_gradient_task *t, const float *x, const float *dy) {
  float shift = t->centred ? mean_of(x, t->width, 0, 0) : 0;
  float scale = (1 / square_root(all(mean_of(x, t->width, shift, 1) + t->epsilon)))[0];
  f32 sum = all(0), product = all(0);
  for (int64_t at = 0; at < t->width; at += LANES) {
    int64_t left = t->width - at;
    f32 change = load_left(dy + at, left) * load_left(t->weight + at, left);
    sum += change;
    product = multiply_add(change, (load_left(x + at, left) - shift) * scale, product);
  }
  float width = (float)t->width;
  return (row_sums){shift, scale, t->centred ? sum_lanes(sum) / width : 0, sum_lanes(product) / width};
}

INLINE void differentiate_row(const norm_gradient_task *t, int64_t row, float *dweight, float *dbias) {
  const float *x = t->x + row * t->width, *dy = t->dy + row * t->width;
  row_sums of = sum_row(t, x, dy);
  for (int64_t at = 0; at < t->width; at += LANES) {
    int64_t left = t->width - at;
    f32 change = load_left(dy + at, left), normal = (load_left(x + at, left) - of.shift) * of.scale;
    f32 inner = multiply_add(change, load_left(t->weight + at, left), all(-of.mean)) - normal * of.slope;
    store_left(t->dx + row * t->width + at, inner * of.scale, left);
    store_left(dweight + at, multiply_add(change, normal, load_left(dweight + at, left)), left);
    if (t->centred) store_left(dbias + at, load_left(dbias + at, left) + change, left);
  }
}

static void norm_gradient_block(void *data, int block, int thread) {
  (void)thread;
  const norm_gradient_task *t = data;
  float *dweight = t->sums + block * 2 * t->width;
  for (int64_t at = 0; at < 2 * t->width; at++) dweight[at] = 0;
  int64_t from = block * t->rows / t->blocks, to = (block + 1) * t->rows / t->blocks;
  for (int64_t row = from; row < to; row++) differentiate_row(t, row, dweight, dweight + t->width);
}

/**
 * dx [rows, width], and in sums [blocks, 2, width] of each block of rows the gradients of weight and, where centred, bias, which are to be added up:
 * the same for any number of threads.
 */
int LEVEL_NAME(norm_gradient)(const float *x, const float *weight, const float *dy, float *dx, float *sums, int64_t rows, int64_t width, int64_t blocks, float epsilon, int centred, int threads) {
  if (rows < 0 || width < 1 || blocks < 1 || blocks > MOST_PARTS) return BAD_SIZE;
  norm_gradient_task task = {x, weight, dy, dx, sums, rows, width, blocks, epsilon, centred};
  parallel(threads, (int)blocks, norm_gradient_block, &task);
  for (int64_t block = 1; block < blocks; block++)
    for (int64_t at = 0; at < 2 * width; at++) sums[at] += sums[block * 2 * width + at];
  return OK;
}

// ---- activations
/** The probability that a standard normal number is below x. */
INLINE f32 normal_below(f32 x) {
  f32 tail = normal_tail(smaller(all(14), (f32)((i32)x & 0x7fffffff)));
  return pick(x < 0, tail, 1 - tail);
}

/** The slope of x σ(v) where v' is `inner`. */
INLINE f32 gated_slope(f32 x, f32 v, f32 inner) {
  f32 s = 1 / (exponential(-v) + 1);
  return s * multiply_add(x * inner, 1 - s, all(1));
}

INLINE f32 activation_slope(f32 x, activation kind) {
  const float c = 2 * 0.7978845608f; // 2 √(2/π): twice u of gelu_tanh is c (x + 0.044715 x³)
  switch (kind) {
    case RELU: return pick(x > 0, all(1), all(0));
    case GELU: return multiply_add(x * 0.3989422804f, exponential(x * x * -0.5f), normal_below(x));
    case SILU: return gated_slope(x, x, all(1));
    default: return gated_slope(x, x * multiply_add(x * x, all(c * 0.044715f), all(c)), multiply_add(x * x, all(3 * c * 0.044715f), all(c)));
  }
}

INLINE void differentiate_elements(const element_task *t, int part, activation kind) {
  int64_t at = (int64_t)part * VALUES_A_PART, end = least_of(t->n, at + VALUES_A_PART);
  for (; at < end; at += LANES) {
    int64_t left = end - at;
    store_left(t->y + at, load_left(t->a + at, left) * activation_slope(load_left(t->b + at, left), kind), left);
  }
}

static void activation_gradient_part(void *data, int part, int thread) {
  (void)thread;
  const element_task *t = data;
  for (activation kind = RELU; kind <= GELU_TANH; kind++) // a loop for each
    if (kind == t->kind) differentiate_elements(t, part, kind);
}

/** dx = dy times the activation's slope at x; dx may be dy or x. */
int LEVEL_NAME(activation_gradient)(const float *dy, const float *x, float *dx, int64_t n, activation kind, int threads) {
  if (kind < RELU || kind > GELU_TANH) return BAD_SIZE;
  return run_elements((element_task){dy, x, dx, n, kind}, activation_gradient_part, threads);
}
