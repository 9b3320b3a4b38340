// What follows a product on its way out: the sum of earlier columns, or bias and residual; and the activation.
#pragma once
#include "activation.h"
#include "multiply.h"
#include "rows.h"

/** Where one side of a product goes. */
typedef struct {
  const float *bias, *residual; // or null
  float *y;
  const float *thin, *left; // what a matrix of low rank adds to y: the products of x and its right factor [rank, m], and its left one [rank, n]
  int64_t rank, m;
} product_side;

/** A block's part of a panel: rows and columns of y. Depth may come in several ranges: the first begins y, the last ends with the activation. */
typedef struct {
  int64_t row, column, stride;
  int rows, columns, is_first;
  activation then;
} place;

/** What a matrix of low rank adds to n columns of a row. */
INLINE f32 add_low_rank(product_side side, int64_t row, int64_t stride, int64_t column, f32 sum, int n) {
  for (int64_t k = 0; k < side.rank; k++) sum = multiply_add(all(side.thin[k * side.m + row]), load_left(side.left + k * stride + column, n), sum);
  return sum;
}

/** LANES columns of a row, of which n are there. */
INLINE void finish_vector(product_side side, place p, int64_t row, int64_t column, f32 sum, int n, const activation then) {
  int64_t at = row * p.stride + column;
  if (!p.is_first) sum += load_left(side.y + at, n);
  else {
    if (side.bias) sum += load_left(side.bias + column, n);
    if (side.residual) sum += load_left(side.residual + at, n);
    if (side.rank) sum = add_low_rank(side, row, p.stride, column, sum, n);
  }
  store_left(side.y + at, activate(sum, then), n);
}

INLINE void finish_rows(product_side side, place p, const float *sums, const activation then) {
  for (int r = 0; r < p.rows; r++)
    for (int c = 0; c < p.columns; c += LANES)
      finish_vector(side, p, p.row + r, p.column + c, load(sums + r * PANEL_COLUMNS + c), p.columns - c, then);
}

static void finish(product_side side, place p, const float *sums) {
  switch (p.then) {
    case NONE: return finish_rows(side, p, sums, NONE);
    case RELU: return finish_rows(side, p, sums, RELU);
    case GELU: return finish_rows(side, p, sums, GELU);
    case SILU: return finish_rows(side, p, sums, SILU);
    default: return finish_rows(side, p, sums, GELU_TANH);
  }
}

/** The mean and half the difference of two sides become the sides. */
static void part_sides(float *mean, float *half_difference, int rows) {
  for (int i = 0; i < rows * PANEL_COLUMNS; i += LANES) {
    f32 m = load(mean + i), d = load(half_difference + i);
    store(mean + i, m + d);
    store(half_difference + i, m - d);
  }
}
