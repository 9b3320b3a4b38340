// Attention of sequences that lie one after another. A block of queries goes through the lanes of vectors, so that scores are formed from keys as
// they lie in memory and softmax needs no sums over lanes; keys are seen some at a time, the softmax of all being kept as a maximum and a sum.
#pragma once
#include "activation.h"
#include "transpose.h"

enum { BLOCK = 2 * LANES, TILE = LANES / 2, KEYS_AT_ONCE = 128, WIDEST_HEAD = 1024 };

typedef struct {
  attention_sizes sizes;
  const float *q, *k, *v;
  float *y;
  const int32_t *lengths, *key_lengths;
  float *scratch;
} attention_task;

/** Queries of one head of keys: those of each position for all heads that share the keys, then those of the next position. */
typedef struct {
  const float *queries[BLOCK], *k, *v;
  float *y[BLOCK];
  int32_t seen[BLOCK]; // keys that each query sees, ascending
  int rows, head_width;
  int64_t key_stride;
  float *turned, *weights; // queries [head width, BLOCK], scores and then weights [KEYS_AT_ONCE, BLOCK]
  float top[BLOCK], sum[BLOCK], fade[BLOCK]; // what the last keys' maximum leaves of the earlier ones' weights
} query_block;

INLINE int padded(int width) { return (width + LANES - 1) / LANES * LANES; }

/** Floats that a thread works in. */
INLINE int64_t scratch_size(int head_width) { return (int64_t)BLOCK * (padded(head_width) + KEYS_AT_ONCE); }

INLINE void turn_queries(query_block *b) {
  float scale = 1 / square_root(all((float)b->head_width))[0];
  for (int row = 0; row < BLOCK; row += LANES)
    for (int at = 0; at < b->head_width; at += LANES) {
      int n = b->head_width - at;
      f32 lanes[LANES];
      UNROLLED for (int i = 0; i < LANES; i++) lanes[i] = load_left(b->queries[row + i] + at, n) * scale;
      transpose(lanes);
      UNROLLED for (int i = 0; i < LANES; i++) store(b->turned + (at + i) * BLOCK + row, lanes[i]);
    }
}

/** Scores of a few keys with `vectors` of queries. */
INLINE void score(const query_block *b, const float *k, float *scores, int keys, int vectors) {
  f32 sums[TILE][2] = {0};
  for (int at = 0; at < b->head_width; at++) {
    const float *q = b->turned + at * BLOCK;
    UNROLLED for (int key = 0; key < keys; key++)
      UNROLLED for (int i = 0; i < vectors; i++) sums[key][i] = multiply_add(all(k[key * b->key_stride + at]), load(q + i * LANES), sums[key][i]);
  }
  UNROLLED for (int key = 0; key < keys; key++)
    UNROLLED for (int i = 0; i < vectors; i++) store(scores + key * BLOCK + i * LANES, sums[key][i]);
}

/** Asks for keys that are scored next, and for the values of those that are scored now: rows lie too far apart for the processor to foresee them. */
INLINE void ask_for(const query_block *b, int key, int to) {
  for (int i = key; i < key + TILE; i++)
    for (int at = 0; at < b->head_width; at += 16) {
      if (i + TILE < to) _mm_prefetch(b->k + (i + TILE) * b->key_stride + at, _MM_HINT_T0);
      if (i < to) _mm_prefetch(b->v + i * b->key_stride + at, _MM_HINT_T0);
    }
}

INLINE void score_keys(const query_block *b, int from, int to, int vectors) {
  const float *k = b->k + from * b->key_stride;
  int n = to - from, few = n < TILE;
  for (int key = 0; few && key < n; key++) score(b, k + key * b->key_stride, b->weights + key * BLOCK, 1, vectors);
  for (int key = 0; !few && key < n; key += TILE) {
    ask_for(b, from + key, to);
    int at = (int)least_of(key, n - TILE); // the last tile does some of its neighbour's keys again
    score(b, k + at * b->key_stride, b->weights + at * BLOCK, TILE, vectors);
  }
}

/** Makes weights of a vector's scores. */
INLINE void weigh(query_block *b, int from, int to, int lane) {
  i32 seen = *(const i32 *)(b->seen + lane);
  f32 old = load(b->top + lane), top = old, sum = all(0);
  float *weights = b->weights + lane, *end = weights + (to - from) * BLOCK;
  for (int key = from > b->seen[0] ? from : b->seen[0]; key < to; key++) {
    float *score = weights + (key - from) * BLOCK;
    store(score, pick(key < seen, load(score), all(-__builtin_inff())));
  }
  for (float *at = weights; at < end; at += BLOCK) top = larger(top, load(at));
  for (float *at = weights; at < end; at += BLOCK) {
    f32 weight = exponential(load(at) - top);
    store(at, weight);
    sum += weight;
  }
  f32 fade = exponential(old - top);
  store(b->top + lane, top);
  store(b->fade + lane, fade);
  store(b->sum + lane, multiply_add(load(b->sum + lane), fade, sum));
}

/** Which keys are summed, and whether they are the first and the last of all. */
typedef struct {
  int from, to, first, last;
} key_range;

/** Adds up the values of some columns, `vectors` full ones or the first `some` lanes of one, for a tile of queries. */
INLINE void add_values(const query_block *b, key_range keys, int row, int column, int vectors, int some) {
  f32 sums[TILE][2] = {0};
  int rows = least_of(TILE, b->rows - row);
  if (!keys.first)
    for (int i = 0; i < rows; i++)
      UNROLLED for (int j = 0; j < vectors; j++) {
        const float *y = b->y[row + i] + column + j * LANES;
        sums[i][j] = (some ? load_some(y, some) : load(y)) * b->fade[row + i];
      }
  const float *v = b->v + keys.from * b->key_stride + column, *weights = b->weights + row;
  int seen = least_of(keys.to, b->seen[row + rows - 1]);
  for (int key = keys.from; key < seen; key++, v += b->key_stride, weights += BLOCK) {
    f32 values[2];
    UNROLLED for (int j = 0; j < vectors; j++) values[j] = some ? load_some(v, some) : load(v + j * LANES);
    UNROLLED for (int i = 0; i < TILE; i++)
      UNROLLED for (int j = 0; j < vectors; j++) sums[i][j] = multiply_add(all(weights[i]), values[j], sums[i][j]);
  }
  UNROLLED for (int i = 0; i < TILE; i++) {
    if (i >= rows) break;
    f32 scale = all(keys.last ? 1 / b->sum[row + i] : 1);
    UNROLLED for (int j = 0; j < vectors; j++) {
      float *y = b->y[row + i] + column + j * LANES;
      if (some) store_some(y, sums[i][j] * scale, some);
      else store(y, sums[i][j] * scale);
    }
  }
}

INLINE void add_all_values(const query_block *b, key_range keys) {
  for (int row = 0; row < b->rows; row += TILE) {
    int column = 0, width = b->head_width;
    for (; column + 2 * LANES <= width; column += 2 * LANES) add_values(b, keys, row, column, 2, 0);
    for (; column + LANES <= width; column += LANES) add_values(b, keys, row, column, 1, 0);
    if (column < width) add_values(b, keys, row, column, 1, width - column);
  }
}

INLINE void attend(query_block *b) {
  turn_queries(b);
  int all_keys = b->seen[b->rows - 1];
  for (int from = 0; from < all_keys; from += KEYS_AT_ONCE) {
    int to = (int)least_of(all_keys, from + KEYS_AT_ONCE);
    if (b->rows > LANES) score_keys(b, from, to, 2);
    else score_keys(b, from, to, 1);
    for (int lane = 0; lane < b->rows; lane += LANES) weigh(b, from, to, lane);
    add_all_values(b, (key_range){from, to, from == 0, to == all_keys});
  }
}

INLINE int share_of(const attention_task *t) { return t->sizes.heads / t->sizes.key_heads; }

/** Blocks of one head of a sequence's keys. */
INLINE int blocks_of(const attention_task *t, int sequence) { return (int)(((int64_t)t->lengths[sequence] * share_of(t) + BLOCK - 1) / BLOCK); }

/** Where a sequence's queries and keys begin. */
typedef struct {
  int sequence;
  int64_t query, key;
} sequence_place;

static query_block block_at(const attention_task *t, sequence_place at, int head, int first) {
  attention_sizes s = t->sizes;
  int share = share_of(t), length = t->lengths[at.sequence], keys = t->key_lengths[at.sequence];
  int64_t stride = (int64_t)s.key_heads * s.head_width, key = at.key * stride + (int64_t)head * s.head_width;
  query_block b = {.head_width = s.head_width, .key_stride = stride, .rows = (int)least_of(BLOCK, length * share - first), .k = t->k + key, .v = t->v + key};
  for (int i = 0; i < BLOCK; i++) {
    int row = first + (int)least_of(i, b.rows - 1); // lanes without a query repeat the last one
    int64_t query = ((at.query + row / share) * s.heads + head * share + row % share) * s.head_width;
    b.queries[i] = t->q + query;
    b.y[i] = t->y + query;
    b.seen[i] = s.causal ? keys - length + row / share + 1 : keys;
    b.top[i] = -__FLT_MAX__;
  }
  return b;
}

static void attend_part(void *data, int part, int thread) {
  const attention_task *t = data;
  sequence_place at = {0};
  for (; part >= t->sizes.key_heads * blocks_of(t, at.sequence); at.sequence++) {
    part -= t->sizes.key_heads * blocks_of(t, at.sequence);
    at.query += t->lengths[at.sequence];
    at.key += t->key_lengths[at.sequence];
  }
  int blocks = blocks_of(t, at.sequence);
  query_block b = block_at(t, at, part / blocks, part % blocks * BLOCK);
  b.turned = t->scratch + thread * scratch_size(b.head_width);
  b.weights = b.turned + BLOCK * padded(b.head_width);
  attend(&b);
}

/** The parts of all sequences, or -1 where sizes do not fit together. */
static int64_t count_blocks(const attention_task *t) {
  attention_sizes s = t->sizes;
  if (s.key_heads < 1 || s.heads < 1 || s.heads % s.key_heads || s.head_width < 1 || s.head_width > WIDEST_HEAD) return -1;
  int64_t queries = 0, keys = 0, blocks = 0;
  for (int i = 0; i < s.sequences; i++) {
    if (t->lengths[i] < 0 || t->key_lengths[i] < t->lengths[i]) return -1;
    queries += t->lengths[i];
    keys += t->key_lengths[i];
    blocks += (int64_t)s.key_heads * blocks_of(t, i);
  }
  return queries == s.queries && keys == s.keys && blocks <= MOST_PARTS ? blocks : -1;
}

/**
 * y [queries, heads * head width] from q, and k and v [keys, key heads * head width]. Of each sequence its length in queries and in keys, the
 * queries being the last of the keys. scratch holds scratch_size floats for each thread.
 */
int LEVEL_NAME(attention)(const attention_sizes *sizes, const float *q, const float *k, const float *v, float *y, const int32_t *lengths, const int32_t *key_lengths,
                          float *scratch, int64_t scratch_floats, int threads) {
  attention_task task = {*sizes, q, k, v, y, lengths, key_lengths, scratch};
  int64_t parts = count_blocks(&task);
  if (parts < 0 || scratch_floats < threads * scratch_size(sizes->head_width)) return BAD_SIZE;
  parallel(threads, (int)parts, attend_part, &task);
  return OK;
}
