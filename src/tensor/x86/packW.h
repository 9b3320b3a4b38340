// W into panels, every form of a panel beside the others: [panel][form][units][PANEL_COLUMNS]. LANES rows by 64 columns are formed at a time, in
// the nearest cache: widened from 16 bits, and eps z made. So a weight in 16 bits is never there in float32, and z nowhere.
#pragma once
#include "noise.h"
#include "pack.h"
#include "transpose.h"

/**
 * Rows of a weight, and the z of the tensor that they lie in. A row of the weight is one of W here; or where the weight is turned a column, so that
 * W's rows are the weight's columns.
 */
typedef struct {
  const void *values; // of the whole tensor
  number_format format;
  int64_t first, rows, columns, stride; // of its elements; rows and columns of W
  int is_turned;
  noise_key key;
  noise_law law;
  float eps;
} weight_rows;

/** LANES rows of W by 64 columns, and eps z. */
typedef struct {
  float w[LANES][GROUP], step[LANES][GROUP];
} formed_rows;

INLINE void form_row(const weight_rows *from, int64_t element, z_stream *z, float *w, float *step) {
  int bytes = from->format == FLOAT32 ? 4 : 2;
  const char *at = (const char *)from->values + element * bytes;
  for (int ahead = 0; ahead < GROUP * bytes; ahead += 64) __builtin_prefetch(at + GROUP * bytes + ahead); // this row's next turn
  for (int i = 0; i < GROUP; i += LANES) store(w + i, widened(at + i * bytes, from->format));
  if (!z) return;
  f32 steps[GROUP / LANES];
  scaled_z(z, element, steps);
  UNROLLED for (int i = 0; i < GROUP / LANES; i++) store(step + i * LANES, steps[i]);
}

INLINE f32 w_side(f32 w, f32 step, side_form side) {
  switch (side) {
    case PLUS: return w + step;
    case MINUS: return w - step;
    case MEAN: return w;
    default: return step;
  }
}

/** The formed rows as LANES columns of a panel, in a form. */
INLINE void pack_formed(const formed_rows *rows, float *panel, side_form side, value_part part) {
  int width = part == WHOLE ? LANES : 2 * LANES;
  for (int column = 0; column < GROUP; column += width, panel += LANES * PANEL_COLUMNS) {
    f32 r[LANES];
    UNROLLED for (int i = 0; i < LANES; i++) {
      const float *w = rows->w[i] + column, *step = rows->step[i] + column;
      two_vectors a = {{w_side(load(w), load(step), side)}};
      if (part != WHOLE) a.v[1] = w_side(load(w + LANES), load(step + LANES), side);
      r[i] = unit_of(a, part);
    }
    transpose(r);
    UNROLLED for (int i = 0; i < LANES; i++) store(panel + i * PANEL_COLUMNS, r[i]);
  }
}

INLINE void pack_formed_side(const formed_rows *rows, float *panel, side_form side, value_part part) {
  if (part == WHOLE) pack_formed(rows, panel, side, WHOLE);
  else if (part == HIGH) pack_formed(rows, panel, side, HIGH);
  else pack_formed(rows, panel, side, LOW);
}

static void pack_formed_as(const formed_rows *rows, float *panel, operand_form form) {
  switch (form.side) {
    case PLUS: return pack_formed_side(rows, panel, PLUS, form.part);
    case MINUS: return pack_formed_side(rows, panel, MINUS, form.part);
    case MEAN: return pack_formed_side(rows, panel, MEAN, form.part);
    default: return pack_formed_side(rows, panel, HALF_DIFFERENCE, form.part);
  }
}

/** LANES rows of W from `row` on, as columns of a panel of which `panel` is the first form's first of them. */
static void pack_columns(const weight_rows *from, int64_t row, depth_range depth, const product_plan *plan, int is_moved, float *panel) {
  formed_rows rows = {0};
  z_stream z[LANES];
  int values_a_unit = is_in_pairs(plan) ? 2 : 1, there = (int)(from->rows - row < LANES ? from->rows - row : LANES);
  for (int r = 0; r < there && is_moved; r++) z[r] = begin_z(from->key, from->law, from->eps);
  for (int u = 0; u < depth.units; u += GROUP / values_a_unit) {
    for (int r = 0; r < there; r++)
      form_row(from, from->first + (row + r) * from->stride + depth.k0 + u * values_a_unit, is_moved ? &z[r] : 0, rows.w[r], rows.step[r]);
    for (int form = 0; form < plan->ws; form++)
      pack_formed_as(&rows, panel + ((int64_t)form * depth.units + u) * PANEL_COLUMNS, plan->w[form]);
  }
}
