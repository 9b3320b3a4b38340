// A weight that is turned into panels: its rows lie as the panels need them.
#pragma once
#include "packW.h"

/** LANES columns of row `row` of the weight, from `column` on; zeros beyond its rows. */
INLINE f32 turned_values(const weight_rows *from, int64_t row, int64_t column) {
  int bytes = from->format == FLOAT32 ? 4 : 2;
  const char *at = (const char *)from->values + (from->first + row * from->stride + column) * bytes;
  return row < from->columns ? widened(at, from->format) : (f32){0};
}

/** A panel's columns from `column` on, in the parts of a plan for one side. */
static void pack_turned(const weight_rows *from, int64_t column, depth_range depth, const product_plan *plan, float *panel) {
  for (int form = 0; form < plan->ws; form++)
    for (int u = 0; u < depth.units; u++, panel += PANEL_COLUMNS) {
      value_part part = plan->w[form].part;
      int64_t row = depth.k0 + (part == WHOLE ? u : u / LANES * 2 * LANES + u % LANES); // pairs are LANES apart (pack.h)
      for (int c = 0; c < PANEL_COLUMNS; c += LANES) {
        two_vectors a = {{turned_values(from, row, column + c)}};
        if (part != WHOLE) a.v[1] = turned_values(from, row + LANES, column + c);
        store(panel + c, unit_of(a, part));
      }
    }
}
