// Rows of a matrix as lanes of vectors.
#pragma once
#include "rows.h"

/** Of each two rows that lie `apart` from one another, exchanges blocks of `apart` lanes: the upper's right with the lower's left. */
INLINE void exchange(f32 rows[LANES], int apart) {
  i32 right = (LANE_NUMBERS & apart) != 0;
  UNROLLED for (int i = 0; i < LANES; i++) {
    if (i & apart) continue;
    f32 upper = rows[i], lower = rows[i + apart];
    rows[i] = __builtin_shuffle(upper, lower, LANE_NUMBERS + (right & (LANES - apart)));
    rows[i + apart] = __builtin_shuffle(upper, lower, LANE_NUMBERS + (right & (LANES - apart)) + apart);
  }
}

/** Makes lane j of vector i what lane i of vector j was. */
INLINE void transpose(f32 rows[LANES]) {
  exchange(rows, 1);
  exchange(rows, 2);
  exchange(rows, 4);
  if (LANES == 16) exchange(rows, 8);
}
