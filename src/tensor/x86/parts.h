// A product, for one side of theta or both: X is packed, then W is formed, packed and multiplied a part at a time, which the threads share out.
#pragma once
#ifdef TILES
#include "tiles.h"
#else
#include "multiply.h"
#endif
#include "finish.h"
#include "packTurned.h"
#include "packX.h"

enum {
  ROWS_AT_ONCE = 4096,    // of X: so many are packed, and W is formed once for all of them
  COLUMNS_AT_ONCE = 1024, // of X and W, whose products are summed before y is written
};

// Bytes of W that a thread packs: half of what its second cache has on the processors of the level. They stay there while X passes by.
#ifdef TILES
enum { PACKED_BYTES = 1 << 20 };
#elif defined(__AVX512F__)
enum { PACKED_BYTES = 512 << 10 };
#else
enum { PACKED_BYTES = 192 << 10 };
#endif

/** A product, and of it the range of rows and columns of X that is being done. */
typedef struct {
  const product_plan *plan;
  weight_rows w;
  x_rows x;
  product_side side[2];
  activation then;
  int is_moved;
  int64_t k, m0, rows; // k: a multiple of GROUP
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
  for (int form = 0; form < j->plan->xs; form++) {
    float *to = j->packed_x + (row * j->plan->xs + (int64_t)form * rows) * units;
    for (int u = 0; u < units; u += units_of(j->plan, GROUP))
      pack_columns_of_block(&j->x, j->m0 + row, rows, j->depth.k0 + values_of(j->plan, u), j->plan->x[form], to + u * rows);
  }
}

// ---- products
/** A block of X times a panel of W: what they are, and where it goes. */
static void multiply_block(const product_job *j, operands o, place p) {
  float sums[2][BLOCK_ROWS * PANEL_COLUMNS] __attribute__((aligned(64)));
  const product_plan *plan = j->plan;
  for (int i = 0; i < plan->outputs; i++)
    if (is_in_pairs(plan)) sum_pairs(o, plan->term[i], plan->terms[i], sums[i]);
    else sum_floats(o, plan->term[i], plan->terms[i], sums[i]);
  if (plan->is_mean) part_sides(sums[0], sums[1], o.rows);
  for (int i = 0; i < plan->outputs; i++) finish(j->side[i], p, sums[i]);
}

/** All of X's blocks times some panels, which end at column `end` of y. */
static void multiply_panels(const product_job *j, const float *panels, int64_t column, int64_t end) {
  int is_last = j->depth.k0 + values_of(j->plan, j->depth.units) == j->k;
  for (int64_t row = 0; row < j->rows; row += BLOCK_ROWS) {
    operands o = {j->packed_x + row * j->plan->xs * j->depth.units, panels, rows_of_block(j->rows, row), j->depth.units};
    place p = {j->m0 + row, column, j->w.rows, (int)least_of(j->rows - row, BLOCK_ROWS), 0, j->depth.k0 == 0, is_last ? j->then : NONE};
    for (; p.column < end; p.column += PANEL_COLUMNS, o.w += (int64_t)j->plan->ws * j->depth.units * PANEL_COLUMNS) {
      p.columns = (int)least_of(end - p.column, PANEL_COLUMNS);
      multiply_block(j, o, p);
    }
  }
}

static void pack_panels(const product_job *j, float *panels, int64_t column, int64_t end) {
  int64_t panel = (int64_t)j->plan->ws * j->depth.units * PANEL_COLUMNS;
  int step = j->w.is_turned ? PANEL_COLUMNS : LANES;
  for (int64_t c = column; c < ceiling(end, PANEL_COLUMNS); c += step) {
    float *to = panels + (c - column) / PANEL_COLUMNS * panel + (c - column) % PANEL_COLUMNS;
    if (j->w.is_turned) pack_turned(&j->w, c, j->depth, j->plan, to);
    else pack_columns(&j->w, c, j->depth, j->plan, j->is_moved, to);
  }
}

static void multiply_part(void *data, int part, int thread) {
  const product_job *j = data;
  float *panels = j->packed_w + thread * j->packed_w_each;
  int64_t column = (int64_t)part * j->columns, end = least_of(j->w.rows, column + j->columns);
  pack_panels(j, panels, column, end);
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

INLINE int64_t most_units(const product_plan *plan, int64_t k) { return units_of(plan, least_of(k, COLUMNS_AT_ONCE)); }
INLINE int64_t packed_x_floats(const product_plan *plan, int64_t m, int64_t k) {
  return ceiling(least_of(m, ROWS_AT_ONCE), BLOCK_ROWS) * plan->xs * most_units(plan, k);
}

static int64_t scratch_bytes(const product_plan *plan, const product_shape *s) {
  int64_t k = ceiling(s->k, GROUP), units = most_units(plan, k), columns = columns_of_part(plan, s->n, units, (int)s->threads);
  return 4 * (packed_x_floats(plan, s->m, k) + s->threads * columns * plan->ws * units) + 64;
}

static void divide_scratch(product_job *j, int threads, void *scratch) {
  int64_t units = most_units(j->plan, j->k);
  j->columns = columns_of_part(j->plan, j->w.rows, units, threads);
  j->packed_x = (float *)ceiling((intptr_t)scratch, 64);
  j->packed_w = j->packed_x + packed_x_floats(j->plan, j->x.rows, j->k);
  j->packed_w_each = j->columns * j->plan->ws * units;
}

/** Packs and multiplies X's rows and columns in turn. */
static void run_product(product_job *j, int threads, void *scratch) {
  divide_scratch(j, threads, scratch);
  for (j->m0 = 0; j->m0 < j->x.rows; j->m0 += j->rows) {
    j->rows = least_of(j->x.rows - j->m0, ROWS_AT_ONCE);
    for (j->depth.k0 = 0; j->depth.k0 < j->k; j->depth.k0 += COLUMNS_AT_ONCE) {
      j->depth.units = (int)most_units(j->plan, j->k - j->depth.k0);
      parallel(threads, (int)((j->rows + BLOCK_ROWS - 1) / BLOCK_ROWS), pack_block, j);
      parallel(threads, (int)((j->w.rows + j->columns - 1) / j->columns), multiply_part, j);
    }
  }
}
