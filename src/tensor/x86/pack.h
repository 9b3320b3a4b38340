// Operands of products as the kernels read them. A unit is a float, or a pair of bfloat16 that are LANES columns apart; DEPTH units of a row lie
// together, a cache line.
//   blocks of X: [k / DEPTH][BLOCK_ROWS][DEPTH]   (the last block may have half as many rows)
//   panels of W: [k][PANEL_COLUMNS]               (a row of W is a column here)
// As tiles both are 16 rows of 64 bytes.
#pragma once
#include "bfloat16.h"
#include "plan.h"

enum { DEPTH = 16 };

#ifdef TILES
enum { BLOCK_ROWS = 32, PANEL_COLUMNS = 32 };
#elif defined(__AVX512F__)
enum { BLOCK_ROWS = 12, PANEL_COLUMNS = 32 };
#else
enum { BLOCK_ROWS = 6, PANEL_COLUMNS = 16 };
#endif

/** Values that fill LANES units: one vector of floats, or two that go into pairs. */
typedef struct {
  f32 v[2];
} two_vectors;

/** LANES units that hold a part of the values. */
INLINE f32 unit_of(two_vectors a, value_part part) {
  if (part == WHOLE) return a.v[0];
  u32 high = paired(a.v[0], a.v[1]);
  return part == HIGH ? (f32)high : (f32)paired(a.v[0] - first_of(high), a.v[1] - second_of(high));
}

/** Columns of W and X that are packed. */
typedef struct {
  int64_t k0; // the first
  int units;  // of them
} depth_range;
