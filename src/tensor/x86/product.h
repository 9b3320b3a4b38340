// The border of products: what JavaScript asks for, checked.
#pragma once
#include "parts.h"
#include "few.h"

INLINE int is_few(const product_shape *s) { return s->sides == ONE_SIDE && s->order == X_WT && s->m <= FEW_ROWS; }

static int are_sizes_right(const product_shape *s) {
  int64_t most = (int64_t)1 << 31;
  return s->m >= 0 && s->m <= most && s->n >= 1 && s->n <= most && s->k >= 1 && s->k <= most && s->threads >= 1 && s->threads <= 1024 && s->rank >= 0 && s->rank <= most;
}

static int are_kinds_right(const product_shape *s) {
  const int64_t kinds[][2] = {{s->kind, IN_DIFFERENCE}, {s->sides, ONE_MOVED}, {s->order, XT_W}, {s->format, FLOAT16}, {s->law, RADEMACHER}, {s->then, GELU_TANH}};
  for (int i = 0; i < 6; i++)
    if (kinds[i][0] < 0 || kinds[i][0] > kinds[i][1]) return 0;
  return s->order == X_WT || s->sides == ONE_SIDE;
}

/** Whether W lies in its tensor, and its rows at whole groups of z. */
static int is_weight_right(const product_shape *s) {
  int64_t rows = s->order == X_WT ? s->n : s->k, columns = s->order == X_WT ? s->k : s->n, most = (int64_t)1 << 31;
  return columns % GROUP == 0 && s->first >= 0 && s->first % GROUP == 0 && s->stride % GROUP == 0 && s->stride >= columns && s->stride <= most &&
         s->first + (rows - 1) * s->stride + columns <= s->size;
}

/** Tells the bytes of scratch memory that a product needs. */
int LEVEL_NAME(product_scratch)(const product_shape *s, int64_t *bytes) {
  if (!are_kinds_right(s) || !are_sizes_right(s)) return BAD_SIZE;
  *bytes = is_few(s) ? 0 : scratch_bytes(plan_of(s->kind, s->sides), s);
  return OK;
}

/** Multiplies: see product_shape for the sizes of the arrays. bias and residual may be null, and thin and left where rank is 0; so are the second side's arrays where there is one side. */
int LEVEL_NAME(product)(const product_shape *s, float eps, const void *w, const float *x0, const float *x1, const float *bias0, const float *bias1, const float *residual0,
                        const float *residual1, float *y0, float *y1, const float *thin0, const float *thin1, const float *left, void *scratch, int64_t bytes) {
  int64_t needed;
  if (LEVEL_NAME(product_scratch)(s, &needed) != OK || bytes < needed || !is_weight_right(s)) return BAD_SIZE;
  noise_key key = {(uint32_t)s->key[0], (uint32_t)s->key[1], (uint32_t)s->key[2], (const uint64_t *)s->mask};
  weight_rows rows = {w, s->format, s->first, s->n, s->k, s->stride, s->order != X_WT, key, s->law, eps};
  product_side side[2] = {{bias0, residual0, y0, thin0, left, s->rank, s->m}, {bias1, residual1, y1, thin1, left, s->rank, s->m}};
  if (is_few(s)) multiply_few(&(few_job){rows, x0, side[0], s->then, (int)s->m, s->k}, (int)s->threads);
  else {
    x_rows x = {{x0, is_one_side(s->sides) ? x0 : x1}, s->m, s->k, s->order == XT_W};
    product_job j = {.plan = plan_of(s->kind, s->sides), .w = rows, .x = x, .side = {side[0], side[1]}, .then = s->then, .is_moved = s->sides >= MOVED_WEIGHT, .k = ceiling(s->k, GROUP)};
    run_product(&j, (int)s->threads, scratch);
  }
  return OK;
}
