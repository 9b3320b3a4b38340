// What level.c compiles for each kind of processor, and mezo.c exports by one name: the functions that the kit calls, and the threads they share.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/**
 * The z of one tensor: a key of Philox and a word of its counter (noise/key.ts). z is 0 where an element's bit of `mask` is, of which a word is
 * there for each group of 64 and for those up to a multiple of 2048; or it is null.
 */
typedef struct {
  uint32_t k0, k1, stream;
  const uint64_t *mask;
} noise_key;

/** How values are kept. */
typedef enum { FLOAT32, BFLOAT16, FLOAT16 } number_format;

/** The law of z. */
typedef enum { GAUSSIAN, RADEMACHER } noise_law;

/** What becomes of a weight: theta * keep + scale * z, with the z of the key. */
typedef struct {
  noise_key key;
  float scale, keep;
} noise_move;

/**
 * Elements `from` up to `to` of a weight at `theta`, or a part of one that begins at its `offset`-th element, and which of a table's moves they
 * make. With `plus` and `minus` theta stays as it is, and its two sides after the first move go there.
 */
typedef struct {
  void *theta;
  float *plus, *minus;
  int64_t format, stochastic, law; // a number_format, whether it rounds so, and a noise_law
  int64_t from, to, offset;
  int64_t first_move, moves;
  int64_t first_part; // for the kernel's use
} stretch;
/** What products are made of (products.ts): float32; bfloat16 in pairs; three products of bfloat16's halves; mean and half difference. */
typedef enum { IN_FLOAT32, IN_BF16X3, IN_BF16, IN_DIFFERENCE } product_kind;

/** One product; both sides with the same W; both sides with W + eps z and W - eps z; one product with W + eps z. */
typedef enum { ONE_SIDE, STILL_WEIGHT, MOVED_WEIGHT, ONE_MOVED } product_sides;

/** What follows a product. */
typedef enum { NONE, RELU, GELU, SILU, GELU_TANH } activation;

/** Attention of `sequences` that lie one after another: how many queries and keys there are of all, heads, and those of the keys. */
typedef struct {
  int32_t sequences, queries, keys, heads, key_heads, head_width, causal;
} attention_sizes;

/** Which product: y = x W^T, x W, or x^T W. */
typedef enum { X_WT, X_W, XT_W } product_order;

/**
 * What a product is of: y [m, n], sums of k products. x is [m, k], or of XT_W [k, m]; W is [n, k], or but for X_WT [k, n]. W's rows lie `stride`
 * elements apart in a tensor of `size` elements, from `first` on.
 * A matrix of a rank above 0 is added to W, another to each side: y gets the sums of rank products of thin [rank, m] and left [rank, n].
 */
typedef struct {
  int64_t kind, sides, order, m, n, k, format, size, first, stride, key[3], mask, law, then, threads, rank;
} product_shape;

/** The numbers of one step of Adam (weights.ts). */
typedef struct {
  double beta1, beta2, scale, l2, rate, root, epsilon, keep;
} adam_step;

/** 0 is success; the others say at the border what was wrong. */
typedef enum { OK, BAD_SIZE, NO_PROCESSOR } outcome;

/** As many threads as work at most on one job; library.ts asks for no more. */
enum { MOST_THREADS = 64 };

/**
 * Calls work(data, part, thread) for every part, on at most `threads` threads, the calling one included; thread < threads counts them.
 * Where another caller has the helpers, the calling thread does all. Work may not call it: the inner one would be thread 0 a second time.
 */
void parallel(int threads, int parts, void (*work)(void *data, int part, int thread), void *data);

// Every kernel is a line FUNCTION(name, (parameters), (arguments)) of functions.h: declared for each level below, exported as mezo_<name> by
// mezo.c. All return an outcome.
