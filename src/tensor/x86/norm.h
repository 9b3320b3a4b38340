// Layer normalization and root mean square normalization of rows.
#pragma once
#include "rows.h"

typedef struct {
  const float *x, *weight, *bias;
  float *y;
  int64_t rows, width;
  float epsilon;
} norm_task;

/** The mean of what `x - shift` is, or of its square. */
INLINE float mean_of(const float *x, int64_t width, float shift, int squared) {
  f32 sum = all(0);
  for (int64_t at = 0; at < width; at += LANES) {
    f32 part = fill_rest(load_left(x + at, width - at) - shift, width - at, 0);
    sum = multiply_add(part, squared ? part : all(1), sum);
  }
  return sum_lanes(sum) / (float)width;
}

INLINE void normalize(const norm_task *t, int64_t row, int centred) {
  const float *x = t->x + row * t->width;
  float *y = t->y + row * t->width;
  float shift = centred ? mean_of(x, t->width, 0, 0) : 0;
  f32 scale = 1 / square_root(all(mean_of(x, t->width, shift, 1) + t->epsilon));
  for (int64_t at = 0; at < t->width; at += LANES) {
    int64_t left = t->width - at;
    f32 normal = (load_left(x + at, left) - shift) * scale * load_left(t->weight + at, left);
    if (centred) normal += load_left(t->bias + at, left);
    store_left(y + at, normal, left);
  }
}

INLINE void normalize_part(const norm_task *t, int part, int centred) {
  int64_t some = rows_a_part(t->width), end = least_of(t->rows, (part + 1) * some);
  for (int64_t row = part * some; row < end; row++) normalize(t, row, centred);
}

static void layer_norm_part(void *task, int part, int thread) {
  (void)thread;
  normalize_part(task, part, 1);
}

static void rms_norm_part(void *task, int part, int thread) {
  (void)thread;
  normalize_part(task, part, 0);
}

static int run_norm(norm_task task, void (*part)(void *, int, int), int threads) {
  if (task.rows < 0 || task.width < 1 || parts_of(task.rows, task.width) > MOST_PARTS) return BAD_SIZE;
  parallel(threads, (int)parts_of(task.rows, task.width), part, &task);
  return OK;
}

/** y = the rows of x less their mean, over their standard deviation, times weight, plus bias. */
int LEVEL_NAME(layer_norm)(const float *x, const float *weight, const float *bias, float *y, int64_t rows, int64_t width, float epsilon, int threads) {
  return run_norm((norm_task){x, weight, bias, y, rows, width, epsilon}, layer_norm_part, threads);
}

/** y = the rows of x over their root mean square, times weight. */
int LEVEL_NAME(rms_norm)(const float *x, const float *weight, float *y, int64_t rows, int64_t width, float epsilon, int threads) {
  return run_norm((norm_task){x, weight, 0, y, rows, width, epsilon}, rms_norm_part, threads);
}
