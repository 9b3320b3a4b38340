// A matrix plus one of low rank, in place: the same bits as outer.ts has, whatever the level.
#pragma once
#include "rows.h"

enum { OUTER_ROWS = 16 };

typedef struct {
  float *theta;
  const float *left, *right; // [rank, left_stride] and [rank, columns]
  int64_t rows, columns, left_stride, rank;
  float keep;
} outer_job;

/** Each product and each sum is rounded by itself. */
INLINE void add_outer_row(const outer_job *j, int64_t row) {
  float *theta = j->theta + row * j->columns;
  for (int64_t at = 0; at < j->columns; at += LANES) {
    int64_t left = j->columns - at;
    f32 value = load_left(theta + at, left) * j->keep;
    for (int64_t k = 0; k < j->rank; k++) value += load_left(j->right + k * j->columns + at, left) * j->left[k * j->left_stride + row];
    store_left(theta + at, value, left);
  }
}

static void add_outer_rows(void *data, int part, int thread) {
  (void)thread;
  const outer_job *j = data;
  int64_t from = (int64_t)part * OUTER_ROWS, to = from + OUTER_ROWS < j->rows ? from + OUTER_ROWS : j->rows;
  for (int64_t row = from; row < to; row++) add_outer_row(j, row);
}

/** theta [rows, columns] = theta · keep + left[0]ᵀ right[0] + left[1]ᵀ right[1] + …, in that order. */
int LEVEL_NAME(add_outer)(float *theta, const float *left, const float *right, int64_t rows, int64_t columns, int64_t left_stride, int64_t rank, float keep, int threads) {
  if (rows < 0 || columns < 0 || rank < 0 || left_stride < rows || rows > INT32_MAX) return BAD_SIZE;
  outer_job job = {theta, left, right, rows, columns, left_stride, rank, keep};
  parallel(threads, (int)((rows + OUTER_ROWS - 1) / OUTER_ROWS), add_outer_rows, &job);
  return OK;
}
