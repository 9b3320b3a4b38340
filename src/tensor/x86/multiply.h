// The product of a block of X and a panel of W in registers: sums of outer products, in float32.
#pragma once
#include "pack.h"

#ifdef TILES
enum { MOST_ROWS = LANES / 2, FEWEST_ROWS = MOST_ROWS };
#else
enum { MOST_ROWS = BLOCK_ROWS, FEWEST_ROWS = BLOCK_ROWS / 2 };
#endif

/** What is multiplied: the forms of a block of `rows` rows, and those of a panel, each `units` deep. */
typedef struct {
  const float *x, *w;
  int rows, units;
} operands;

/** Units whose products are added up before they join those of the units before: a sum's rounding grows with its length. */
enum { SUMMED = 256 };

/** The sums of some units' products, for `rows` rows and two vectors of columns, joined to those in memory or beginning them. */
INLINE void sum_units(const float *x, const float *w, int units, int step, const int is_pairs, const int rows, int is_first, float *sums) {
  f32 sum[MOST_ROWS][2] = {0};
  for (const float *end = x + (int64_t)units / DEPTH * step; x < end; x += step)
    for (int d = 0; d < DEPTH; d++, w += PANEL_COLUMNS) {
      f32 w0 = load(w), w1 = load(w + LANES);
      UNROLLED for (int r = 0; r < rows; r++) {
        f32 one = all(x[r * DEPTH + d]);
        sum[r][0] = is_pairs ? add_products((u32)one, (u32)w0, sum[r][0]) : multiply_add(one, w0, sum[r][0]);
        sum[r][1] = is_pairs ? add_products((u32)one, (u32)w1, sum[r][1]) : multiply_add(one, w1, sum[r][1]);
      }
    }
  UNROLLED for (int r = 0; r < rows; r++)
    UNROLLED for (int v = 0; v < 2; v++) {
      float *at = sums + r * PANEL_COLUMNS + v * LANES;
      if (!is_first) sum[r][v] += load(at);
      store(at, sum[r][v]);
    }
}

/** Adds the terms of a product for `rows` rows from `row` on, and two vectors of columns from `column` on. */
INLINE void sum_terms(operands o, const term *terms, int count, const int is_pairs, const int rows, int row, int column, float *sums) {
  for (int t = 0; t < count; t++) {
    const float *x = o.x + (int64_t)terms[t].x * o.rows * o.units + row * DEPTH, *w = o.w + (int64_t)terms[t].w * PANEL_COLUMNS * o.units + column;
    for (int u = 0; u < o.units; u += SUMMED) {
      int units = o.units - u < SUMMED ? o.units - u : SUMMED;
      sum_units(x + (int64_t)u * o.rows, w + (int64_t)u * PANEL_COLUMNS, units, o.rows * DEPTH, is_pairs, rows, t + u == 0, sums);
    }
  }
}

INLINE void sum_block(operands o, const term *terms, int count, const int is_pairs, const int rows, float *sums) {
  for (int row = 0; row < o.rows; row += rows)
    for (int column = 0; column < PANEL_COLUMNS; column += 2 * LANES)
      sum_terms(o, terms, count, is_pairs, rows, row, column, sums + row * PANEL_COLUMNS + column);
}

static void sum_floats(operands o, const term *terms, int count, float *sums) {
  if (o.rows % MOST_ROWS) sum_block(o, terms, count, 0, FEWEST_ROWS, sums);
  else sum_block(o, terms, count, 0, MOST_ROWS, sums);
}

#ifndef TILES
static void sum_pairs(operands o, const term *terms, int count, float *sums) {
  if (o.rows % MOST_ROWS) sum_block(o, terms, count, 1, FEWEST_ROWS, sums);
  else sum_block(o, terms, count, 1, MOST_ROWS, sums);
}
INLINE void begin_products(void) {}
INLINE void end_products(void) {}
#endif
