// What level.c compiles for each kind of processor, and mezo.c exports by one name: the functions that the kit calls, and the threads they share.
#pragma once
#include <stddef.h>
#include <stdint.h>

/** The z of one tensor: a key of Philox and a word of its counter (noise/key.ts). */
typedef struct {
  uint32_t k0, k1, stream;
} noise_key;

/** How values are kept. */
typedef enum { FLOAT32, BFLOAT16, FLOAT16 } number_format;

/** The law of z. */
typedef enum { GAUSSIAN, RADEMACHER } noise_law;

/** What products are made of (products.ts): float32; bfloat16 in pairs; three products of bfloat16's halves; mean and half difference. */
typedef enum { IN_FLOAT32, IN_BF16X3, IN_BF16, IN_DIFFERENCE } product_kind;

/** One product; both sides with the same W; both sides with W + eps z and W - eps z. */
typedef enum { ONE_SIDE, STILL_WEIGHT, MOVED_WEIGHT } product_sides;

/** What follows a product. */
typedef enum { NONE, RELU, GELU, SILU, GELU_TANH } activation;

/** 0 is success; the others say at the border what was wrong. */
typedef enum { OK, BAD_SIZE, NO_PROCESSOR } outcome;

/**
 * Calls work(data, part, thread) for every part, on at most `threads` threads, the calling one included; thread < threads counts them.
 * Where another caller has the helpers, the calling thread does all.
 */
void parallel(int threads, int parts, void (*work)(void *data, int part, int thread), void *data);

// Every kernel is a line FUNCTION(name, (parameters), (arguments)) of functions.h: declared for each level below, exported as mezo_<name> by
// mezo.c. All return an outcome.
