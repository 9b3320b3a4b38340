// What the kernels share that go through rows: vectors up to a row's end, sums over lanes, and rows divided among threads.
#pragma once

#ifdef __AVX512F__
#define LANE_NUMBERS ((i32){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
#else
#define LANE_NUMBERS ((i32){0, 1, 2, 3, 4, 5, 6, 7})
#endif

INLINE int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

/** A vector of which `left` values are left in its row; lanes beyond them are 0. */
INLINE f32 load_left(const float *at, int64_t left) { return left < LANES ? load_some(at, (int)left) : load(at); }
INLINE void store_left(float *at, f32 x, int64_t left) {
  if (left < LANES) store_some(at, x, (int)left);
  else store(at, x);
}

/** a where the mask is set, else b. */
INLINE f32 pick(i32 mask, f32 a, f32 b) { return (f32)((mask & (i32)a) | (~mask & (i32)b)); }

/** x, with `other` in the lanes beyond what is left of a row. */
INLINE f32 fill_rest(f32 x, int64_t left, float other) {
  return left < LANES ? pick(LANE_NUMBERS < (int)left, x, all(other)) : x;
}

INLINE float sum_lanes(f32 x) {
  float sum = 0;
  UNROLLED for (int i = 0; i < LANES; i++) sum += x[i];
  return sum;
}

enum { VALUES_A_PART = 16384, MOST_PARTS = 1 << 30 };

/** Rows that a thread does at a time, and how many such parts there are. */
INLINE int64_t rows_a_part(int64_t width) { return width < VALUES_A_PART ? VALUES_A_PART / width : 1; }
INLINE int64_t parts_of(int64_t rows, int64_t width) { return (rows + rows_a_part(width) - 1) / rows_a_part(width); }
