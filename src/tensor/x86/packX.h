// X into blocks of rows, every form of a block beside the others: [block][form][units / DEPTH][rows][DEPTH].
#pragma once
#include "pack.h"

INLINE f32 x_side(f32 plus, f32 minus, side_form side) {
  switch (side) {
    case PLUS: return plus;
    case MINUS: return minus;
    case MEAN: return (plus + minus) * 0.5f;
    default: return (plus - minus) * 0.5f;
  }
}

/** A row's units in a form; `step` floats lie between its lines. */
INLINE void pack_row(float *to, const float *plus, const float *minus, int units, int step, side_form side, value_part part) {
  int width = part == WHOLE ? LANES : 2 * LANES;
  for (int u = 0; u < units; u += LANES, plus += width, minus += width) {
    two_vectors a = {{x_side(load(plus), load(minus), side)}};
    if (part != WHOLE) a.v[1] = x_side(load(plus + LANES), load(minus + LANES), side);
    store(to + u / DEPTH * step + u % DEPTH, unit_of(a, part));
  }
}

/** A row that is not there: zeros. */
static void pack_no_row(float *to, int units, int step) {
  for (int u = 0; u < units; u += LANES) store(to + u / DEPTH * step + u % DEPTH, (f32){0});
}

INLINE void pack_row_side(float *to, const float *plus, const float *minus, int units, int step, side_form side, value_part part) {
  if (part == WHOLE) pack_row(to, plus, minus, units, step, side, WHOLE);
  else if (part == HIGH) pack_row(to, plus, minus, units, step, side, HIGH);
  else pack_row(to, plus, minus, units, step, side, LOW);
}

static void pack_row_form(float *to, const float *plus, const float *minus, int units, int step, operand_form form) {
  switch (form.side) {
    case PLUS: return pack_row_side(to, plus, minus, units, step, PLUS, form.part);
    case MINUS: return pack_row_side(to, plus, minus, units, step, MINUS, form.part);
    case MEAN: return pack_row_side(to, plus, minus, units, step, MEAN, form.part);
    default: return pack_row_side(to, plus, minus, units, step, HALF_DIFFERENCE, form.part);
  }
}
