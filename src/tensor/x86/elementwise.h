// Activations and sums, element by element.
#pragma once
#include "activation.h"

enum { ELEMENTS_A_PART = 16384 };

typedef struct {
  const float *a, *b;
  float *y;
  int64_t n;
  activation kind;
} elements;

INLINE int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

static void LEVEL_NAME(activate_part)(void *data, int part, int thread) {
  (void)thread;
  elements e = *(elements *)data;
  int64_t at = (int64_t)part * ELEMENTS_A_PART, end = least_of(e.n, at + ELEMENTS_A_PART);
  for (; at + LANES <= end; at += LANES) store(e.y + at, activate(load(e.a + at), e.kind));
  if (at < end) store_some(e.y + at, activate(load_some(e.a + at, (int)(end - at)), e.kind), (int)(end - at));
}

/** y = the activation of a; they may be the same memory. */
int LEVEL_NAME(activate)(const float *a, float *y, int64_t n, activation kind, int threads) {
  if (n < 0 || n > (int64_t)ELEMENTS_A_PART << 30 || kind > GELU_TANH) return BAD_SIZE;
  elements all_of_them = {a, 0, y, n, kind};
  parallel(threads, (int)((n + ELEMENTS_A_PART - 1) / ELEMENTS_A_PART), LEVEL_NAME(activate_part), &all_of_them);
  return OK;
}

static void LEVEL_NAME(add_part)(void *data, int part, int thread) {
  (void)thread;
  elements e = *(elements *)data;
  int64_t at = (int64_t)part * ELEMENTS_A_PART, end = least_of(e.n, at + ELEMENTS_A_PART);
  for (; at + LANES <= end; at += LANES) store(e.y + at, load(e.a + at) + load(e.b + at));
  for (; at < end; at++) e.y[at] = e.a[at] + e.b[at];
}

/** y = a + b; y may be either. */
int LEVEL_NAME(add)(const float *a, const float *b, float *y, int64_t n, int threads) {
  if (n < 0 || n > (int64_t)ELEMENTS_A_PART << 30) return BAD_SIZE;
  elements all_of_them = {a, b, y, n, NONE};
  parallel(threads, (int)((n + ELEMENTS_A_PART - 1) / ELEMENTS_A_PART), LEVEL_NAME(add_part), &all_of_them);
  return OK;
}
