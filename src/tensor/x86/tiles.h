// The product of a block of X and a panel of W in pairs of bfloat16, in AMX's tiles; or by plain C that does the same, for tests.
#pragma once
#include "multiply.h"

enum { TILE_ROWS = 16, TILE_FLOATS = TILE_ROWS * DEPTH };

/** What the compiler does not know: the tiles' instructions read or write the memory there. */
#define WRITTEN(at) __asm__ volatile("" ::"r"(at) : "memory")

#ifdef EMULATED
/** The tiles, of which each function has its own here. */
typedef struct {
  float tile[8][TILE_ROWS][DEPTH];
} tile_file;

INLINE void begin_products(void) {}
INLINE void end_products(void) {}
INLINE void clear_tile(tile_file *f, int tile) {
  for (int r = 0; r < TILE_ROWS; r++)
    for (int i = 0; i < DEPTH; i += LANES) store(f->tile[tile][r] + i, (f32){0});
}
INLINE void load_tile(tile_file *f, int tile, const float *at, int stride) {
  for (int r = 0; r < TILE_ROWS; r++)
    for (int i = 0; i < DEPTH; i += LANES) store(f->tile[tile][r] + i, load(at + r * stride + i));
}
INLINE void store_tile(const tile_file *f, int tile, float *at, int stride) {
  for (int r = 0; r < TILE_ROWS; r++)
    for (int i = 0; i < DEPTH; i += LANES) store(at + r * stride + i, load(f->tile[tile][r] + i));
}
/** sum[r][c] += the products of the pairs of row r of a and of column c of b. */
INLINE void add_tile_products(tile_file *f, int sum, int a, int b) {
  for (int r = 0; r < TILE_ROWS; r++)
    for (int d = 0; d < DEPTH; d++)
      for (int i = 0; i < DEPTH; i += LANES)
        store(f->tile[sum][r] + i, add_products((u32)all(f->tile[a][r][d]), (u32)load(f->tile[b][d] + i), load(f->tile[sum][r] + i)));
}
#else
typedef struct {
  char none;
} tile_file;

/** Tells a thread's tiles their shape, which is its own. */
static void begin_products(void) {
  struct __attribute__((packed)) {
    uint8_t palette, row, none[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } shape = {.palette = 1};
  for (int i = 0; i < 8; i++) shape.bytes[i] = 4 * DEPTH, shape.rows[i] = TILE_ROWS;
  WRITTEN(&shape);
  _tile_loadconfig(&shape);
}
INLINE void end_products(void) { _tile_release(); }
// The instructions' tiles are constants.
#define clear_tile(f, tile) _tile_zero(tile)
#define load_tile(f, tile, at, stride) _tile_loadd(tile, at, 4 * (stride))
#define store_tile(f, tile, at, stride) _tile_stored(tile, at, 4 * (stride))
#define add_tile_products(f, sum, a, b) _tile_dpbf16ps(sum, a, b)
#endif

/** Adds a term for `halves` times 16 rows to the tiles 0 to 3, of which two side by side are 16 rows of 32 columns. */
INLINE void add_term(tile_file *f __attribute__((unused)), operands o, term t, const int halves) {
  const float *x = o.x + (int64_t)t.x * o.rows * o.units, *w = o.w + (int64_t)t.w * PANEL_COLUMNS * o.units;
  for (int d = 0; d < o.units; d += DEPTH, x += o.rows * DEPTH, w += DEPTH * PANEL_COLUMNS) {
    load_tile(f, 4, x, DEPTH);
    load_tile(f, 6, w, PANEL_COLUMNS);
    add_tile_products(f, 0, 4, 6);
    load_tile(f, 7, w + DEPTH, PANEL_COLUMNS);
    add_tile_products(f, 1, 4, 7);
    if (halves == 1) continue;
    load_tile(f, 5, x + TILE_FLOATS, DEPTH);
    add_tile_products(f, 2, 5, 6);
    add_tile_products(f, 3, 5, 7);
  }
}

INLINE void sum_in_tiles(operands o, const term *terms, int count, const int halves, float *sums) {
  tile_file file, *f __attribute__((unused)) = &file;
  clear_tile(f, 0);
  clear_tile(f, 1);
  clear_tile(f, 2);
  clear_tile(f, 3);
  WRITTEN(o.x);
  for (int t = 0; t < count; t++) add_term(f, o, terms[t], halves);
  store_tile(f, 0, sums, PANEL_COLUMNS);
  store_tile(f, 1, sums + DEPTH, PANEL_COLUMNS);
  if (halves == 2) store_tile(f, 2, sums + DEPTH * PANEL_COLUMNS, PANEL_COLUMNS);
  if (halves == 2) store_tile(f, 3, sums + DEPTH * PANEL_COLUMNS + DEPTH, PANEL_COLUMNS);
  WRITTEN(sums);
}

static void sum_pairs(operands o, const term *terms, int count, float *sums) {
  if (o.rows == BLOCK_ROWS) sum_in_tiles(o, terms, count, 2, sums);
  else sum_in_tiles(o, terms, count, 1, sums);
}
