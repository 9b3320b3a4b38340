// X into blocks of rows, every form of a block beside the others: [block][form][units / DEPTH][rows][DEPTH]. GROUP columns are packed at a time.
#pragma once
#include "pack.h"
#include "rows.h"
#include "transpose.h"

/** X of one side or both; [rows, columns], or where it is turned [columns, rows]. */
typedef struct {
  const float *values[2];
  int64_t rows, columns;
  int is_turned;
} x_rows;

/** GROUP columns of a block of X, with zeros where X has none. */
typedef struct {
  float rows[BLOCK_ROWS][GROUP];
} x_copy;

INLINE f32 x_side(f32 plus, f32 minus, side_form side) {
  switch (side) {
    case PLUS: return plus;
    case MINUS: return minus;
    case MEAN: return (plus + minus) * 0.5f;
    default: return (plus - minus) * 0.5f;
  }
}

/** GROUP columns of a row in a form; `step` floats lie between its lines. */
INLINE void pack_row(float *to, const float *plus, const float *minus, int step, side_form side, value_part part) {
  int width = part == WHOLE ? LANES : 2 * LANES;
  for (int u = 0; u < GROUP * LANES / width; u += LANES, plus += width, minus += width) {
    two_vectors a = {{x_side(load(plus), load(minus), side)}};
    if (part != WHOLE) a.v[1] = x_side(load(plus + LANES), load(minus + LANES), side);
    store(to + u / DEPTH * step + u % DEPTH, unit_of(a, part));
  }
}

INLINE void pack_row_side(float *to, const float *plus, const float *minus, int step, side_form side, value_part part) {
  if (part == WHOLE) pack_row(to, plus, minus, step, side, WHOLE);
  else if (part == HIGH) pack_row(to, plus, minus, step, side, HIGH);
  else pack_row(to, plus, minus, step, side, LOW);
}

static void pack_row_form(float *to, const float *plus, const float *minus, int step, operand_form form) {
  switch (form.side) {
    case PLUS: return pack_row_side(to, plus, minus, step, PLUS, form.part);
    case MINUS: return pack_row_side(to, plus, minus, step, MINUS, form.part);
    case MEAN: return pack_row_side(to, plus, minus, step, MEAN, form.part);
    default: return pack_row_side(to, plus, minus, step, HALF_DIFFERENCE, form.part);
  }
}

/** `count` rows from `row` on, GROUP columns from `column` on, of X as it lies. */
static void copy_rows(const x_rows *x, const float *values, int64_t row, int count, int64_t column, x_copy *to) {
  for (int r = 0; r < count; r++)
    for (int c = 0; c < GROUP; c += LANES) {
      int64_t left = row + r < x->rows ? x->columns - column - c : 0;
      store(to->rows[r] + c, left > 0 ? load_left(values + (row + r) * x->columns + column + c, left) : (f32){0});
    }
}

/** The same where X is turned. */
static void copy_turned(const x_rows *x, const float *values, int64_t row, int count, int64_t column, x_copy *to) {
  for (int c = 0; c < GROUP; c += LANES)
    for (int r = 0; r < count; r += LANES) {
      int64_t left = x->rows - row - r;
      f32 v[LANES];
      for (int i = 0; i < LANES; i++)
        v[i] = left > 0 && column + c + i < x->columns ? load_left(values + (column + c + i) * x->rows + row + r, left) : (f32){0};
      transpose(v);
      for (int i = 0; i < LANES && r + i < count; i++) store(to->rows[r + i] + c, v[i]);
    }
}

/** Packs GROUP columns of a block of `count` rows in a form. */
static void pack_columns_of_block(const x_rows *x, int64_t row, int count, int64_t column, operand_form form, float *to) {
  x_copy copies[2];
  int is_copied = x->is_turned || row + count > x->rows || column + GROUP > x->columns;
  for (int side = 0; side < 2 && is_copied; side++) (x->is_turned ? copy_turned : copy_rows)(x, x->values[side], row, count, column, &copies[side]);
  for (int r = 0; r < count; r++) {
    int64_t at = (row + r) * x->columns + column;
    if (is_copied) pack_row_form(to + r * DEPTH, copies[0].rows[r], copies[1].rows[r], count * DEPTH, form);
    else pack_row_form(to + r * DEPTH, x->values[0] + at, x->values[1] + at, count * DEPTH, form);
  }
}
