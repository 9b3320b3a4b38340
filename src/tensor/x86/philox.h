// Philox4x32-10 as noise/key.ts defines it, in the lower halves of 64-bit lanes, because that is how the processor multiplies: the blocks of even
// and of odd numbers apart, and together only in the last round. What the upper halves hold never matters.
#pragma once

typedef uint64_t u64 __attribute__((vector_size(4 * LANES)));

static const uint32_t MUL0 = 0xd2511f53u, MUL1 = 0xcd9e8d57u, BUMP0 = 0x9e3779b9u, BUMP1 = 0xbb67ae85u;

#ifdef __AVX512F__
static const u64 EVEN = {0, 2, 4, 6, 8, 10, 12, 14};
INLINE u64 times(u64 a, uint32_t b) { return (u64)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi32((int)b)); }
INLINE u32 xor3(u32 a, u32 b, u32 c) { return (u32)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, 0x96); }
INLINE u32 lower(u64 even, u64 odd) { return (u32)_mm512_mask_shuffle_epi32((__m512i)even, 0xaaaa, (__m512i)odd, _MM_PERM_CCAA); }
INLINE u32 upper(u64 even, u64 odd) { return (u32)_mm512_mask_shuffle_epi32((__m512i)odd, 0x5555, (__m512i)even, _MM_PERM_DDBB); }
#else
static const u64 EVEN = {0, 2, 4, 6};
INLINE u64 times(u64 a, uint32_t b) { return (u64)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi32((int)b)); }
INLINE u32 xor3(u32 a, u32 b, u32 c) { return a ^ b ^ c; }
INLINE u32 lower(u64 even, u64 odd) { return (u32)_mm256_blend_epi32((__m256i)even, (__m256i)(odd << 32), 0xaa); }
INLINE u32 upper(u64 even, u64 odd) { return (u32)_mm256_blend_epi32((__m256i)(even >> 32), (__m256i)odd, 0xaa); }
#endif

INLINE u32 all_bits(uint32_t x) { return x - (u32){0}; }
INLINE u64 xored(u64 a, u64 b, uint32_t c) { return (u64)xor3((u32)a, (u32)b, all_bits(c)); }

/** What the first two rounds share for all blocks of a stream, counters (block, use, stream, 0): words 1 to 3 are the same there. */
typedef struct {
  uint32_t k0, k1, into0, into2, word3;
} philox_start;

INLINE philox_start start_philox(noise_key key, uint32_t use) {
  uint64_t first = (uint64_t)key.stream * MUL1, second = (uint64_t)((uint32_t)(first >> 32) ^ use ^ key.k0) * MUL0;
  return (philox_start){key.k0, key.k1, (uint32_t)first ^ (key.k0 + BUMP0), (uint32_t)(second >> 32) ^ (key.k1 + BUMP1), (uint32_t)second};
}

typedef struct {
  u64 w[4];
} counters;

INLINE counters first_rounds(u64 block, philox_start s) {
  u64 one = times(block, MUL0), two = times((one >> 32) ^ (u64)all_bits(s.k1), MUL1);
  return (counters){{(two >> 32) ^ (u64)all_bits(s.into0), two, one ^ (u64)all_bits(s.into2), (u64)all_bits(s.word3)}};
}

INLINE counters next_round(counters c, uint32_t k0, uint32_t k1) {
  u64 p = times(c.w[0], MUL0), q = times(c.w[2], MUL1);
  return (counters){{xored(q >> 32, c.w[1], k0), q, xored(p >> 32, c.w[3], k1), p}};
}

INLINE void last_round(counters even, counters odd, uint32_t k0, uint32_t k1, u32 words[4]) {
  u64 p[2] = {times(even.w[0], MUL0), times(odd.w[0], MUL0)}, q[2] = {times(even.w[2], MUL1), times(odd.w[2], MUL1)};
  words[0] = xor3(upper(q[0], q[1]), lower(even.w[1], odd.w[1]), all_bits(k0));
  words[1] = lower(q[0], q[1]);
  words[2] = xor3(upper(p[0], p[1]), lower(even.w[3], odd.w[3]), all_bits(k1));
  words[3] = lower(p[0], p[1]);
}

/** The four words of each of LANES blocks from `block` on. */
INLINE void philox(uint32_t block, philox_start s, u32 words[4]) {
  counters even = first_rounds(EVEN + block, s), odd = first_rounds(EVEN + (block + 1), s);
  UNROLLED for (uint32_t round = 2; round < 9; round++) {
    uint32_t k0 = s.k0 + round * BUMP0, k1 = s.k1 + round * BUMP1;
    even = next_round(even, k0, k1);
    odd = next_round(odd, k0, k1);
  }
  last_round(even, odd, s.k0 + 9 * BUMP0, s.k1 + 9 * BUMP1, words);
}

/** The four words of each of 16 blocks from `block` on: word k of the b-th block at 16 k + b. */
static __attribute__((noinline)) void draw_words(uint32_t block, const philox_start *start, uint32_t words[64]) {
  for (int b = 0; b < 16; b += LANES) {
    u32 w[4];
    philox(block + b, *start, w);
    UNROLLED for (int k = 0; k < 4; k++) *(u32 *)(words + 16 * k + b) = w[k];
  }
}
