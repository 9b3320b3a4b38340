// An optimizer's passes over weights and gradients, by the formulas and in the precision of tuners/adam.ts: to the same bits.
#pragma once

enum { WEIGHTS_AT_ONCE = 65536, SQUARE_LANES = 16 };

INLINE int64_t pieces_of(int64_t n) { return (n + WEIGHTS_AT_ONCE - 1) / WEIGHTS_AT_ONCE; }
INLINE int64_t piece_end(int64_t start, int64_t n) { return start + WEIGHTS_AT_ONCE < n ? start + WEIGHTS_AT_ONCE : n; }

typedef struct {
  float *theta, *m, *v;
  const float *gradient;
  int64_t n;
  adam_step step;
} adam_job;

static void adam_piece(void *data, int part, int thread) {
  (void)thread;
  const adam_job *job = data;
  const adam_step s = job->step;
  float *restrict theta = job->theta, *restrict m = job->m, *restrict v = job->v;
  const float *restrict gradient = job->gradient;
  int64_t start = (int64_t)part * WEIGHTS_AT_ONCE, end = piece_end(start, job->n);
  for (int64_t i = start; i < end; i++) {
    double g = s.scale * gradient[i] + s.l2 * theta[i];
    float first = (float)(s.beta1 * m[i] + (1 - s.beta1) * g);
    float second = (float)(s.beta2 * v[i] + (1 - s.beta2) * g * g);
    theta[i] = (float)(s.keep * theta[i] - s.rate * first / (__builtin_sqrt((double)second) / s.root + s.epsilon));
    m[i] = first;
    v[i] = second;
  }
}

int LEVEL_NAME(adam)(float *theta, const float *gradient, float *m, float *v, int64_t n, const adam_step *step, int threads) {
  if (n < 0 || pieces_of(n) > INT32_MAX) return BAD_SIZE;
  adam_job job = {theta, m, v, gradient, n, *step};
  parallel(threads, (int)pieces_of(n), adam_piece, &job);
  return OK;
}

typedef struct {
  const float *x;
  int64_t n;
  double *sums;
} squares_job;

static void squares_piece(void *data, int part, int thread) {
  (void)thread;
  const squares_job *job = data;
  const float *restrict x = job->x;
  int64_t i = (int64_t)part * WEIGHTS_AT_ONCE, end = piece_end(i, job->n);
  double lanes[SQUARE_LANES] = {0}; // as many at every level, so that all add up in one order
  for (; i + SQUARE_LANES <= end; i += SQUARE_LANES)
    for (int lane = 0; lane < SQUARE_LANES; lane++) lanes[lane] += (double)x[i + lane] * x[i + lane];
  for (int lane = 0; i < end; i++, lane++) lanes[lane] += (double)x[i] * x[i];
  double sum = 0;
  for (int lane = 0; lane < SQUARE_LANES; lane++) sum += lanes[lane];
  job->sums[part] = sum;
}

/** Of every WEIGHTS_AT_ONCE of x the sum of its squares. */
int LEVEL_NAME(squares)(const float *x, int64_t n, double *sums, int64_t pieces, int threads) {
  if (n < 0 || pieces != pieces_of(n) || pieces > INT32_MAX) return BAD_SIZE;
  squares_job job = {x, n, sums};
  parallel(threads, (int)pieces, squares_piece, &job);
  return OK;
}
