// Rotary positions.
#pragma once
#include "rows.h"

typedef struct {
  const float *x, *cos, *sin;
  float *y;
  int64_t rows, width, pairs;
} rotary_task;

/** Turns the pairs of a head: element i of its first half and i of the second. */
INLINE void turn(const float *x, const float *cos, const float *sin, float *y, int64_t pairs) {
  for (int64_t at = 0; at < pairs; at += LANES) {
    int64_t left = pairs - at;
    f32 a = load_left(x + at, left), b = load_left(x + pairs + at, left), c = load_left(cos + at, left), s = load_left(sin + at, left);
    store_left(y + at, multiply_add(a, c, -(b * s)), left);
    store_left(y + pairs + at, multiply_add(b, c, a * s), left);
  }
}

static void turn_part(void *data, int part, int thread) {
  (void)thread;
  const rotary_task *t = data;
  int64_t some = rows_a_part(t->width), end = least_of(t->rows, (part + 1) * some);
  for (int64_t row = part * some; row < end; row++)
    for (int64_t at = row * t->width; at < (row + 1) * t->width; at += 2 * t->pairs)
      turn(t->x + at, t->cos + row * t->pairs, t->sin + row * t->pairs, t->y + at, t->pairs);
}

/** y = each head of x [rows, heads * 2 pairs] turned by its row's angles, cos and sin [rows, pairs]. */
int LEVEL_NAME(rotary)(const float *x, const float *cos, const float *sin, float *y, int64_t rows, int64_t width, int64_t pairs, int threads) {
  if (rows < 0 || pairs < 1 || width < 1 || width % (2 * pairs) || parts_of(rows, width) > MOST_PARTS) return BAD_SIZE;
  rotary_task task = {x, cos, sin, y, rows, width, pairs};
  parallel(threads, (int)parts_of(rows, width), turn_part, &task);
  return OK;
}
