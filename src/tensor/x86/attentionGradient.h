// The gradient of attention, a query at a time: with p its weights, dV += p dyᵀ, ds = p ∘ (dy Vᵀ − mean of it by p), dq = ds K and dK += ds qᵀ, both scaled.
#pragma once
#include "attention.h"

typedef struct {
  attention_task of; // y is not used
  const float *dy;
  float *dq, *dk, *dv;
  int64_t most_keys; // of a sequence, and at most so many of scratch's floats a thread twice
} attention_gradient_task;

/** Dot products of x with n rows, one a lane; lanes beyond them repeat the last row's. */
INLINE f32 dot_rows(const float *x, const float *rows, int64_t stride, int n, int width) {
  f32 sums[LANES] = {0};
  for (int at = 0; at < width; at += LANES) {
    int left = width - at;
    f32 some = load_left(x + at, left);
    UNROLLED for (int row = 0; row < LANES; row++) sums[row] = multiply_add(some, load_left(rows + (row < n ? row : n - 1) * stride + at, left), sums[row]);
  }
  transpose(sums);
  f32 sum = sums[0];
  UNROLLED for (int i = 1; i < LANES; i++) sum += sums[i];
  return sum;
}

/** One query of one head, and the keys that it sees: their rows lie `stride` elements apart. */
typedef struct {
  const float *q, *dy, *k, *v;
  float *dq, *dk, *dv;
  int64_t stride;
  int width, seen;
  float *weights, *changes; // of each key, room for whole vectors
} query_gradient;

/** The weights of the keys, and the gradient in their scores. */
INLINE void differentiate_scores(const query_gradient *g) {
  float scale = 1 / square_root(all((float)g->width))[0], most = -__FLT_MAX__;
  for (int at = 0; at < g->seen; at += LANES) {
    int n = (int)least_of(LANES, g->seen - at);
    f32 score = fill_rest(dot_rows(g->q, g->k + at * g->stride, g->stride, n, g->width) * scale, n, -__builtin_inff());
    store(g->weights + at, score);
    store(g->changes + at, fill_rest(dot_rows(g->dy, g->v + at * g->stride, g->stride, n, g->width), n, 0));
    UNROLLED for (int i = 0; i < LANES; i++) most = score[i] > most ? score[i] : most;
  }
  f32 sum = all(0), product = all(0);
  for (int at = 0; at < g->seen; at += LANES) {
    f32 weight = exponential(load(g->weights + at) - most);
    store(g->weights + at, weight);
    sum += weight;
    product = multiply_add(weight, load(g->changes + at), product);
  }
  float share = 1 / sum_lanes(sum), mean = sum_lanes(product) * share;
  for (int at = 0; at < g->seen; at += LANES) {
    f32 weight = load(g->weights + at) * share;
    store(g->weights + at, weight);
    store(g->changes + at, weight * (load(g->changes + at) - mean) * scale);
  }
}

INLINE void differentiate_query(const query_gradient *g) {
  differentiate_scores(g);
  for (int at = 0; at < g->width; at += LANES) {
    int left = g->width - at;
    f32 q = load_left(g->q + at, left), dy = load_left(g->dy + at, left), dq = all(0);
    for (int key = 0; key < g->seen; key++) {
      int64_t place = key * g->stride + at;
      f32 change = all(g->changes[key]), weight = all(g->weights[key]);
      dq = multiply_add(change, load_left(g->k + place, left), dq);
      store_left(g->dk + place, multiply_add(change, q, load_left(g->dk + place, left)), left);
      store_left(g->dv + place, multiply_add(weight, dy, load_left(g->dv + place, left)), left);
    }
    store_left(g->dq + at, dq, left);
  }
}

/** All queries that see one head of a sequence's keys: their gradients in those keys and values are added up by one thread. */
static void differentiate_head(const attention_gradient_task *t, sequence_place at, int head, float *scratch) {
  attention_sizes s = t->of.sizes;
  int share = share_of(&t->of), length = t->of.lengths[at.sequence], keys = t->of.key_lengths[at.sequence];
  int64_t stride = (int64_t)s.key_heads * s.head_width, key = at.key * stride + (int64_t)head * s.head_width;
  query_gradient g = {.k = t->of.k + key, .v = t->of.v + key, .dk = t->dk + key, .dv = t->dv + key, .stride = stride, .width = s.head_width};
  g.weights = scratch;
  g.changes = scratch + t->most_keys;
  for (int64_t row = 0; row < keys; row++)
    for (int i = 0; i < s.head_width; i++) g.dk[row * stride + i] = g.dv[row * stride + i] = 0;
  for (int row = 0; row < length * share; row++) {
    int64_t query = ((at.query + row / share) * s.heads + head * share + row % share) * s.head_width;
    g.q = t->of.q + query;
    g.dy = t->dy + query;
    g.dq = t->dq + query;
    g.seen = s.causal ? keys - length + row / share + 1 : keys;
    differentiate_query(&g);
  }
}

static void attention_gradient_part(void *data, int part, int thread) {
  const attention_gradient_task *t = data;
  int heads = t->of.sizes.key_heads;
  sequence_place at = {0};
  for (; at.sequence < part / heads; at.sequence++) {
    at.query += t->of.lengths[at.sequence];
    at.key += t->of.key_lengths[at.sequence];
  }
  differentiate_head(t, at, part % heads, t->of.scratch + thread * 2 * t->most_keys);
}

/**
 * The gradients in q, k and v, as large as they, of attention whose result's is dy. Of scratch every thread has 2 most_keys floats: the keys of the
 * longest sequence, in whole vectors.
 */
int LEVEL_NAME(attention_gradient)(const attention_sizes *sizes, const float *q, const float *k, const float *v, const float *dy, float *dq, float *dk, float *dv,
                                   const int32_t *lengths, const int32_t *key_lengths, float *scratch, int64_t scratch_floats, int64_t most_keys, int threads) {
  attention_gradient_task task = {{*sizes, q, k, v, 0, lengths, key_lengths, scratch}, dy, dq, dk, dv, most_keys};
  int64_t parts = (int64_t)sizes->sequences * sizes->key_heads;
  if (count_blocks(&task.of) < 0 || parts > MOST_PARTS || most_keys % LANES || scratch_floats < threads * 2 * most_keys) return BAD_SIZE;
  for (int i = 0; i < sizes->sequences; i++)
    if (key_lengths[i] > most_keys) return BAD_SIZE;
  parallel(threads, (int)parts, attention_gradient_part, &task);
  return OK;
}
