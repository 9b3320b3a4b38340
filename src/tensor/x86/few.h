// One side's product for so few rows of X that reading W is all the time there is: dot products with W as it is kept, in float32.
#pragma once
#include "finish.h"
#include "packW.h"

enum { FEW_ROWS = 4, DOTS_AT_ONCE = LANES / 4 }; // rows of X, and of W: as many sums as registers hold

typedef struct {
  weight_rows w;
  const float *x;
  product_side side;
  activation then;
  int m;
  int64_t k;
} few_job;

/** sums[r][i] = the dot product of row r of X and row i of W from `row` on. Where W has fewer rows, its last is taken again. */
INLINE void dots(const few_job *j, int64_t row, const int m, const number_format format, float *sums) {
  f32 sum[FEW_ROWS][DOTS_AT_ONCE] = {0};
  int bytes = format == FLOAT32 ? 4 : 2;
  const char *w[DOTS_AT_ONCE];
  for (int i = 0; i < DOTS_AT_ONCE; i++) w[i] = (const char *)j->w.values + (j->w.first + least_of(row + i, j->w.rows - 1) * j->w.stride) * bytes;
  for (int64_t c = 0; c < j->k; c += LANES)
    UNROLLED for (int i = 0; i < DOTS_AT_ONCE; i++) {
      f32 values = widened(w[i] + c * bytes, format);
      UNROLLED for (int r = 0; r < m; r++) sum[r][i] = multiply_add(values, load(j->x + least_of(r, j->m - 1) * j->k + c), sum[r][i]);
    }
  UNROLLED for (int r = 0; r < m; r++)
    UNROLLED for (int i = 0; i < DOTS_AT_ONCE; i++) sums[r * PANEL_COLUMNS + i] = sum_lanes(sum[r][i]);
}

INLINE void dots_of(const few_job *j, int64_t row, const number_format format, float *sums) {
  if (j->m == 1) dots(j, row, 1, format, sums);
  else dots(j, row, FEW_ROWS, format, sums);
}

static void multiply_few_part(void *data, int part, int thread) {
  (void)thread;
  const few_job *j = data;
  float sums[FEW_ROWS * PANEL_COLUMNS] __attribute__((aligned(64)));
  int64_t column = (int64_t)part * PANEL_COLUMNS;
  place p = {0, column, j->w.rows, j->m, (int)least_of(j->w.rows - column, PANEL_COLUMNS), 1, j->then};
  for (int c = 0; c < p.columns; c += DOTS_AT_ONCE)
    if (j->w.format == FLOAT32) dots_of(j, column + c, FLOAT32, sums + c);
    else if (j->w.format == BFLOAT16) dots_of(j, column + c, BFLOAT16, sums + c);
    else dots_of(j, column + c, FLOAT16, sums + c);
  finish(j->side, p, sums);
}

static void multiply_few(few_job *j, int threads) {
  parallel(threads, (int)((j->w.rows + PANEL_COLUMNS - 1) / PANEL_COLUMNS), multiply_few_part, j);
}
