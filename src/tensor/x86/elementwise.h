// Activations, sums and products of arrays, element by element.
#pragma once
#include "activation.h"
#include "rows.h"

typedef struct {
  const float *a, *b;
  float *y;
  int64_t n;
  activation kind;
} element_task;

typedef enum { ACTIVATE, ADD, MULTIPLY } operation;

INLINE f32 combine(f32 a, f32 b, operation what, activation kind) {
  if (what == ACTIVATE) return activate(a, kind);
  return what == ADD ? a + b : a * b;
}

INLINE void combine_part(const element_task *t, int part, operation what, activation kind) {
  int64_t at = (int64_t)part * VALUES_A_PART, end = least_of(t->n, at + VALUES_A_PART);
  for (; at < end; at += LANES) {
    int64_t left = end - at;
    store_left(t->y + at, combine(load_left(t->a + at, left), what == ACTIVATE ? all(0) : load_left(t->b + at, left), what, kind), left);
  }
}

static void activate_elements(void *data, int part, int thread) {
  (void)thread;
  const element_task *t = data;
  for (activation kind = RELU; kind <= GELU_TANH; kind++) // a loop for each
    if (kind == t->kind) combine_part(t, part, ACTIVATE, kind);
}

static void add_elements(void *data, int part, int thread) {
  (void)thread;
  combine_part(data, part, ADD, NONE);
}

static void multiply_elements(void *data, int part, int thread) {
  (void)thread;
  combine_part(data, part, MULTIPLY, NONE);
}

static int run_elements(element_task task, void (*part)(void *, int, int), int threads) {
  if (task.n < 0 || task.n > (int64_t)VALUES_A_PART * MOST_PARTS) return BAD_SIZE;
  parallel(threads, (int)((task.n + VALUES_A_PART - 1) / VALUES_A_PART), part, &task);
  return OK;
}

/** y = the activation of a, which may be y. */
int LEVEL_NAME(activate)(const float *a, float *y, int64_t n, activation kind, int threads) {
  if (kind < RELU || kind > GELU_TANH) return BAD_SIZE;
  return run_elements((element_task){a, 0, y, n, kind}, activate_elements, threads);
}

/** y = a + b; y may be either. */
int LEVEL_NAME(add)(const float *a, const float *b, float *y, int64_t n, int threads) {
  return run_elements((element_task){a, b, y, n, NONE}, add_elements, threads);
}

/** y = a b, element by element; y may be either. */
int LEVEL_NAME(multiply)(const float *a, const float *b, float *y, int64_t n, int threads) {
  return run_elements((element_task){a, b, y, n, NONE}, multiply_elements, threads);
}
