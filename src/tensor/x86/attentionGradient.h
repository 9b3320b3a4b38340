// The gradient of attention, some queries at a time: with p its weights, dV += p dyᵀ, ds = p ∘ (dy Vᵀ − mean of it by p), dq = ds K and dK += ds qᵀ, both scaled.
#pragma once
#include "attention.h"

typedef struct {
  attention_task of; // y is not used
  const float *dy;
  float *dq, *dk, *dv;
  int64_t most_keys; // of a sequence, in whole vectors
} attention_gradient_task;

enum { QUERIES_TOGETHER = 4 };

/** A few queries of one head, which see ascending numbers of keys; the keys' rows lie `stride` elements apart. */
typedef struct {
  const float *q[QUERIES_TOGETHER], *dy[QUERIES_TOGETHER], *k, *v;
  float *dq[QUERIES_TOGETHER], *dk, *dv;
  int seen[QUERIES_TOGETHER], rows, width;
  int64_t stride, most_keys;
  float *weights, *changes; // [QUERIES_TOGETHER, most_keys]
} query_gradients;

/** Dot products of x with n rows, one a lane; lanes beyond them repeat the last row's. */
INLINE f32 dot_rows(const float *x, const float *rows, int64_t stride, int n, int width) {
  const float *row[LANES];
  f32 sums[LANES] = {0};
  UNROLLED for (int i = 0; i < LANES; i++) row[i] = rows + (i < n ? i : n - 1) * stride;
  int at = 0;
  for (; at + LANES <= width; at += LANES)
    UNROLLED for (int i = 0; i < LANES; i++) sums[i] = multiply_add(load(x + at), load(row[i] + at), sums[i]);
  if (at < width)
    UNROLLED for (int i = 0; i < LANES; i++) sums[i] = multiply_add(load_some(x + at, width - at), load_some(row[i] + at, width - at), sums[i]);
  transpose(sums);
  UNROLLED for (int half = LANES / 2; half > 0; half /= 2)
    UNROLLED for (int i = 0; i < half; i++) sums[i] += sums[i + half];
  return sums[0];
}

/** The weights of the keys for one query, and the gradient in their scores; both are 0 from the keys that it sees up to `keys`. */
INLINE void differentiate_scores(const query_gradients *g, int row, int keys) {
  float *weights = g->weights + row * g->most_keys, *changes = g->changes + row * g->most_keys;
  f32 scale = 1 / square_root(all((float)g->width)), top = all(-__FLT_MAX__);
  int seen = g->seen[row];
  for (int at = 0; at < seen; at += LANES) {
    int n = (int)least_of(LANES, seen - at);
    f32 score = fill_rest(dot_rows(g->q[row], g->k + at * g->stride, g->stride, n, g->width) * scale, n, -__builtin_inff());
    store(weights + at, score);
    store(changes + at, dot_rows(g->dy[row], g->v + at * g->stride, g->stride, n, g->width));
    top = larger(top, score);
  }
  float most = top[0];
  UNROLLED for (int i = 1; i < LANES; i++) most = top[i] > most ? top[i] : most;
  f32 sum = all(0), product = all(0);
  for (int at = 0; at < seen; at += LANES) {
    f32 weight = exponential(load(weights + at) - most);
    store(weights + at, weight);
    sum += weight;
    product = multiply_add(weight, load(changes + at), product);
  }
  float share = 1 / sum_lanes(sum), mean = sum_lanes(product) * share;
  int at = 0;
  for (; at < seen; at += LANES) {
    f32 weight = load(weights + at) * share;
    store(weights + at, weight);
    store(changes + at, weight * (load(changes + at) - mean) * scale);
  }
  for (; at < keys; at += LANES) {
    store(weights + at, all(0));
    store(changes + at, all(0));
  }
}

/** Passes the gradient on in a vector of columns, of which only `some` are there where that is not 0. */
INLINE void pass_on(const query_gradients *g, int at, int some) {
  f32 q[QUERIES_TOGETHER], dy[QUERIES_TOGETHER], dq[QUERIES_TOGETHER] = {0};
  UNROLLED for (int i = 0; i < QUERIES_TOGETHER; i++) {
    q[i] = some ? load_some(g->q[i] + at, some) : load(g->q[i] + at);
    dy[i] = some ? load_some(g->dy[i] + at, some) : load(g->dy[i] + at);
  }
  const float *k = g->k + at, *weight = g->weights, *change = g->changes, *end = weight + g->seen[g->rows - 1];
  float *dk = g->dk + at, *dv = g->dv + at;
  for (; weight < end; weight++, change++, k += g->stride, dk += g->stride, dv += g->stride) {
    f32 key = some ? load_some(k, some) : load(k), in_key = some ? load_some(dk, some) : load(dk), in_value = some ? load_some(dv, some) : load(dv);
    UNROLLED for (int i = 0; i < QUERIES_TOGETHER; i++) {
      dq[i] = multiply_add(all(change[i * g->most_keys]), key, dq[i]);
      in_key = multiply_add(all(change[i * g->most_keys]), q[i], in_key);
      in_value = multiply_add(all(weight[i * g->most_keys]), dy[i], in_value);
    }
    if (some) store_some(dk, in_key, some), store_some(dv, in_value, some);
    else store(dk, in_key), store(dv, in_value);
  }
  for (int i = 0; i < g->rows; i++)
    if (some) store_some(g->dq[i] + at, dq[i], some);
    else store(g->dq[i] + at, dq[i]);
}

INLINE void differentiate_queries(query_gradients *g) {
  int keys = g->seen[g->rows - 1], at = 0;
  for (int i = g->rows; i < QUERIES_TOGETHER; i++) g->seen[i] = 0; // they repeat the last one, whose keys they do not see
  for (int i = 0; i < g->rows; i++) differentiate_scores(g, i, keys);
  for (int i = g->rows; i < QUERIES_TOGETHER; i++)
    for (int key = 0; key < keys; key++) g->weights[i * g->most_keys + key] = g->changes[i * g->most_keys + key] = 0;
  for (; at + LANES <= g->width; at += LANES) pass_on(g, at, 0);
  if (at < g->width) pass_on(g, at, g->width - at);
}

/** All queries that see one head of a sequence's keys: their gradients in those keys and values are added up by one thread. */
static void differentiate_head(const attention_gradient_task *t, sequence_place at, int head, float *scratch) {
  attention_sizes s = t->of.sizes;
  int share = share_of(&t->of), length = t->of.lengths[at.sequence], keys = t->of.key_lengths[at.sequence];
  int64_t stride = (int64_t)s.key_heads * s.head_width, key = at.key * stride + (int64_t)head * s.head_width;
  query_gradients g = {.k = t->of.k + key, .v = t->of.v + key, .dk = t->dk + key, .dv = t->dv + key, .stride = stride, .width = s.head_width, .most_keys = t->most_keys};
  g.weights = scratch;
  g.changes = scratch + QUERIES_TOGETHER * t->most_keys;
  for (int64_t row = 0; row < keys; row++)
    for (int i = 0; i < s.head_width; i++) g.dk[row * stride + i] = g.dv[row * stride + i] = 0;
  for (int first = 0; first < length * share; first += QUERIES_TOGETHER) {
    g.rows = (int)least_of(QUERIES_TOGETHER, length * share - first);
    for (int i = 0; i < QUERIES_TOGETHER; i++) {
      int row = first + (int)least_of(i, g.rows - 1);
      int64_t query = ((at.query + row / share) * s.heads + head * share + row % share) * s.head_width;
      g.q[i] = t->of.q + query;
      g.dy[i] = t->dy + query;
      g.dq[i] = t->dq + query;
      g.seen[i] = s.causal ? keys - length + row / share + 1 : keys;
    }
    differentiate_queries(&g);
  }
}

/** Floats that a thread works in. */
INLINE int64_t room_for(int64_t most_keys) { return 2 * QUERIES_TOGETHER * most_keys; }

static void attention_gradient_part(void *data, int part, int thread) {
  const attention_gradient_task *t = data;
  int heads = t->of.sizes.key_heads;
  sequence_place at = {0};
  for (; at.sequence < part / heads; at.sequence++) {
    at.query += t->of.lengths[at.sequence];
    at.key += t->of.key_lengths[at.sequence];
  }
  differentiate_head(t, at, part % heads, t->of.scratch + thread * room_for(t->most_keys));
}

/**
 * The gradients in q, k and v, as large as they, of attention whose result's is dy. Of scratch every thread has 8 most_keys floats: the keys of the
 * longest sequence, in whole vectors.
 */
int LEVEL_NAME(attention_gradient)(const attention_sizes *sizes, const float *q, const float *k, const float *v, const float *dy, float *dq, float *dk, float *dv,
                                   const int32_t *lengths, const int32_t *key_lengths, float *scratch, int64_t scratch_floats, int64_t most_keys, int threads) {
  attention_gradient_task task = {{*sizes, q, k, v, 0, lengths, key_lengths, scratch}, dy, dq, dk, dv, most_keys};
  int64_t parts = (int64_t)sizes->sequences * sizes->key_heads;
  if (count_blocks(&task.of) < 0 || parts > MOST_PARTS || most_keys % LANES || scratch_floats < threads * room_for(most_keys)) return BAD_SIZE;
  for (int i = 0; i < sizes->sequences; i++)
    if (key_lengths[i] > most_keys) return BAD_SIZE;
  parallel(threads, (int)parts, attention_gradient_part, &task);
  return OK;
}
