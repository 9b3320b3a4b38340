// y = x W^T, for one side of theta or both: W is formed, packed and multiplied a part at a time, which the threads share out.
#pragma once
#ifdef TILES
#include "tiles.h"
#else
#include "multiply.h"
#endif
#include "few.h"
#include "packW.h"
#include "packX.h"

enum {
  ROWS_AT_ONCE = 4096,     // of X: so many are packed, and W is formed once for all of them
  COLUMNS_AT_ONCE = 1024,  // of X and W, whose products are summed before y is written
  PACKED_BYTES = 512 << 10 // of W, for one thread: they stay in its nearer cache while X passes by
};

/** A product, and of it the range of rows and columns of X that is being done. */
typedef struct {
  const product_plan *plan;
  weight_rows w;
  const float *x[2];
  product_side side[2];
  activation then;
  int is_moved;
  int64_t m, k, m0, rows;
  depth_range depth;
  int columns; // of y in a part
  float *packed_x, *packed_w;
  int64_t packed_w_each; // floats of packed_w a thread has
} product_job;

INLINE int64_t ceiling(int64_t a, int64_t by) { return (a + by - 1) / by * by; }

/** How many of a block's rows are packed: half of them are enough for few. */
INLINE int rows_of_block(int64_t rows, int64_t row) { return rows - row <= BLOCK_ROWS / 2 ? BLOCK_ROWS / 2 : BLOCK_ROWS; }

// ---- X
static void pack_block(void *data, int part, int thread) {
  (void)thread;
  const product_job *j = data;
  int64_t row = (int64_t)part * BLOCK_ROWS;
  int rows = rows_of_block(j->rows, row), units = j->depth.units;
  for (int form = 0; form < j->plan->xs; form++)
    for (int r = 0; r < rows; r++) {
      float *to = j->packed_x + (row * j->plan->xs + (int64_t)form * rows) * units + r * DEPTH;
      int64_t from = (j->m0 + row + r) * j->k + j->depth.k0;
      if (row + r < j->rows) pack_row_form(to, j->x[0] + from, j->x[1] + from, units, rows * DEPTH, j->plan->x[form]);
      else pack_no_row(to, units, rows * DEPTH);
    }
}

// ---- products
/** A block of X times a panel of W: what they are, and where it goes. */
static void multiply_block(const product_job *j, operands o, place p) {
  float sums[2][BLOCK_ROWS * PANEL_COLUMNS] __attribute__((aligned(64)));
  const product_plan *plan = j->plan;
  for (int i = 0; i < plan->outputs; i++)
    if (is_in_pairs(plan)) sum_pairs(o, plan->term[i], plan->terms, sums[i]);
    else sum_floats(o, plan->term[i], plan->terms, sums[i]);
  if (plan->is_mean) part_sides(sums[0], sums[1], o.rows);
  for (int i = 0; i < plan->outputs; i++) finish(j->side[i], p, sums[i]);
}

/** All of X's blocks times some panels, which end at column `end` of y. */
static void multiply_panels(const product_job *j, const float *panels, int64_t column, int64_t end) {
  int is_last = j->depth.k0 + (int64_t)j->depth.units * (is_in_pairs(j->plan) ? 2 : 1) == j->k;
  for (int64_t row = 0; row < j->rows; row += BLOCK_ROWS) {
    operands o = {j->packed_x + row * j->plan->xs * j->depth.units, panels, rows_of_block(j->rows, row), j->depth.units};
    place p = {j->m0 + row, column, j->w.rows, (int)least_of(j->rows - row, BLOCK_ROWS), 0, j->depth.k0 == 0, is_last ? j->then : NONE};
    for (; p.column < end; p.column += PANEL_COLUMNS, o.w += (int64_t)j->plan->ws * j->depth.units * PANEL_COLUMNS) {
      p.columns = (int)least_of(end - p.column, PANEL_COLUMNS);
      multiply_block(j, o, p);
    }
  }
}

static void multiply_part(void *data, int part, int thread) {
  const product_job *j = data;
  float *panels = j->packed_w + thread * j->packed_w_each;
  int64_t column = (int64_t)part * j->columns, end = least_of(j->w.rows, column + j->columns);
  int64_t panel = (int64_t)j->plan->ws * j->depth.units * PANEL_COLUMNS;
  for (int64_t c = column; c < ceiling(end, PANEL_COLUMNS); c += LANES) {
    int64_t at = c - column;
    pack_columns(&j->w, c, j->depth, j->plan, j->is_moved, panels + at / PANEL_COLUMNS * panel + at % PANEL_COLUMNS);
  }
  begin_products();
  multiply_panels(j, panels, column, end);
  end_products();
}

/** Columns of y in a part: as many as fit, the same for every thread. */
static int columns_of_part(const product_plan *plan, int64_t n, int64_t units, int threads) {
  int64_t most = PACKED_BYTES / (plan->ws * units * 4) / PANEL_COLUMNS * PANEL_COLUMNS;
  if (most < PANEL_COLUMNS) most = PANEL_COLUMNS;
  int64_t parts = ceiling((n + most - 1) / most, threads);
  return (int)ceiling((n + parts - 1) / parts, PANEL_COLUMNS);
}

INLINE int64_t most_units(const product_plan *plan, int64_t k) { return least_of(k, COLUMNS_AT_ONCE) / (is_in_pairs(plan) ? 2 : 1); }
INLINE int64_t packed_x_floats(const product_plan *plan, int64_t m, int64_t k) {
  return ceiling(least_of(m, ROWS_AT_ONCE), BLOCK_ROWS) * plan->xs * most_units(plan, k);
}

static void divide_scratch(product_job *j, int threads, void *scratch) {
  int64_t units = most_units(j->plan, j->k);
  j->columns = columns_of_part(j->plan, j->w.rows, units, threads);
  j->packed_x = (float *)ceiling((intptr_t)scratch, 64);
  j->packed_w = j->packed_x + packed_x_floats(j->plan, j->m, j->k);
  j->packed_w_each = j->columns * j->plan->ws * units;
}

/** Packs and multiplies X's rows and columns in turn. */
static void run_product(product_job *j, int threads, void *scratch) {
  divide_scratch(j, threads, scratch);
  for (j->m0 = 0; j->m0 < j->m; j->m0 += j->rows) {
    j->rows = least_of(j->m - j->m0, ROWS_AT_ONCE);
    for (j->depth.k0 = 0; j->depth.k0 < j->k; j->depth.k0 += COLUMNS_AT_ONCE) {
      j->depth.units = (int)most_units(j->plan, j->k - j->depth.k0);
      parallel(threads, (int)((j->rows + BLOCK_ROWS - 1) / BLOCK_ROWS), pack_block, j);
      parallel(threads, (int)((j->w.rows + j->columns - 1) / j->columns), multiply_part, j);
    }
  }
}

static int are_sizes_wrong(int64_t m, int64_t n, int64_t k, int threads) {
  int64_t most = (int64_t)1 << 31;
  return m < 0 || n < 1 || k < GROUP || k % GROUP || m > most || n > most || k > most || threads < 1 || threads > 1024;
}

INLINE int is_few(product_sides sides, int64_t m) { return sides == ONE_SIDE && m <= FEW_ROWS; }

/** Tells the bytes of scratch memory that a product needs. */
int LEVEL_NAME(product_scratch)(product_kind kind, product_sides sides, int threads, int64_t m, int64_t n, int64_t k, int64_t *bytes) {
  if (kind > IN_DIFFERENCE || sides > MOVED_WEIGHT || are_sizes_wrong(m, n, k, threads)) return BAD_SIZE;
  const product_plan *plan = plan_of(kind, sides);
  int64_t units = most_units(plan, k), columns = columns_of_part(plan, n, units, threads);
  *bytes = is_few(sides, m) ? 0 : 4 * (packed_x_floats(plan, m, k) + threads * columns * plan->ws * units) + 64;
  return OK;
}

/**
 * y = x W^T + bias, then the activation, with the residual before it; x [m, k], W's rows `n` of k elements in a tensor of `size` elements, y
 * [m, n]. bias and residual may be null, and residual y. The second side's arrays are null where there is one side.
 */
int LEVEL_NAME(product)(product_kind kind, product_sides sides, int threads, int64_t m, int64_t n, int64_t k, const void *w, number_format format, int64_t size, int64_t first,
                        int64_t stride, uint32_t key0, uint32_t key1, uint32_t stream, noise_law law, float eps, const float *x0, const float *x1, const float *bias0, const float *bias1,
                        const float *residual0, const float *residual1, float *y0, float *y1, activation then, void *scratch, int64_t scratch_bytes) {
  int64_t needed;
  if (LEVEL_NAME(product_scratch)(kind, sides, threads, m, n, k, &needed) != OK || scratch_bytes < needed) return BAD_SIZE;
  if (first < 0 || first % GROUP || stride % GROUP || stride < k || first + (n - 1) * stride + k > size || then > GELU_TANH || format > FLOAT16) return BAD_SIZE;
  weight_rows rows = {w, format, first, n, stride, {key0, key1, stream}, law, eps};
  product_side side[2] = {{bias0, residual0, y0}, {bias1, residual1, y1}};
  if (is_few(sides, m)) multiply_few(&(few_job){rows, x0, side[0], then, (int)m, k}, threads);
  else {
    product_job j = {.plan = plan_of(kind, sides), .w = rows, .x = {x0, sides == ONE_SIDE ? x0 : x1}, .side = {side[0], side[1]}, .then = then, .is_moved = sides == MOVED_WEIGHT, .m = m, .k = k};
    run_product(&j, threads, scratch);
  }
  return OK;
}
