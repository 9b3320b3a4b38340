// The logarithm of the sum of exponentials of rows whose columns are seen some at a time: a maximum and a sum of what is above it.
#pragma once
#include "activation.h"
#include "rows.h"

typedef struct {
  const float *logits;
  float *tops;
  double *sums;
  int64_t rows, columns, stride;
} log_sum_task;

INLINE float largest(const float *x, int64_t n, float least) {
  f32 top = all(least);
  for (int64_t at = 0; at < n; at += LANES) top = larger(top, fill_rest(load_left(x + at, n - at), n - at, least));
  for (int i = 0; i < LANES; i++) least = least < top[i] ? top[i] : least;
  return least;
}

INLINE void add_exponentials(const log_sum_task *t, int64_t row) {
  const float *x = t->logits + row * t->stride;
  float old = t->tops[row], top = largest(x, t->columns, old < -__FLT_MAX__ ? -__FLT_MAX__ : old);
  f32 sum = all(0);
  for (int64_t at = 0; at < t->columns; at += LANES) {
    int64_t left = t->columns - at;
    sum += fill_rest(exponential(load_left(x + at, left) - top), left, 0);
  }
  t->sums[row] = t->sums[row] * exponential(all(old - top))[0] + sum_lanes(sum);
  t->tops[row] = top;
}

static void log_sum_part(void *data, int part, int thread) {
  (void)thread;
  const log_sum_task *t = data;
  int64_t some = rows_a_part(t->columns), end = least_of(t->rows, (part + 1) * some);
  for (int64_t row = part * some; row < end; row++) add_exponentials(t, row);
}

/** Adds columns to the sums of rows: log Σ exp is tops + log(sums), which begin as -infinity and 0. Rows lie `stride` apart. */
int LEVEL_NAME(log_sums)(const float *logits, int64_t rows, int64_t columns, int64_t stride, float *tops, double *sums, int threads) {
  if (rows < 0 || columns < 1 || stride < columns || parts_of(rows, columns) > MOST_PARTS) return BAD_SIZE;
  log_sum_task task = {logits, tops, sums, rows, columns, stride};
  parallel(threads, (int)parts_of(rows, columns), log_sum_part, &task);
  return OK;
}
