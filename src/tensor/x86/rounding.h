// float32 rounded to numbers of 16 bits, to the bits of halves.ts: to the nearest, or to one of the two neighbours by random bits.
#pragma once
#include "philox.h"

enum { ROUNDED = 128 }; // elements that the random bits of 16 blocks round

INLINE u16 lower_halves(u32 x) { return __builtin_convertvector(x, u16); }
INLINE u16 upper_halves(u32 x) { return lower_halves(x >> 16); }

#ifdef __AVX512F__
INLINE u16 to_float16(f32 x) { return (u16)_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT); }
INLINE u32 fewer(u32 a, u32 b) { return (u32)_mm512_min_epu32((__m512i)a, (__m512i)b); }
INLINE f32 rounded_down(f32 x) { return (f32)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEG_INF); }
#else
INLINE u16 to_float16(f32 x) { return (u16)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT); }
INLINE u32 fewer(u32 a, u32 b) { return (u32)_mm256_min_epu32((__m256i)a, (__m256i)b); }
INLINE f32 rounded_down(f32 x) { return (f32)_mm256_floor_ps((__m256)x); }
#endif

INLINE u32 choose(u32 where, u32 a, u32 b) { return (a & where) | (b & ~where); }

/** The nearest, of two equally near the even one; beyond float16's largest, that one. */
INLINE u16 nearest(f32 x, number_format format) {
  u32 bits = (u32)x, sign = bits & SIGN;
  if (format == BFLOAT16) return upper_halves(bits + (bits >> 16 & 1) + 0x7fff);
  return to_float16((f32)((u32)smaller((f32)(bits ^ sign), all(65504)) | sign));
}

/** The neighbour that is cut to after a share of 16 random bits is added, of which float16 takes the upper 13. */
INLINE u16 drawn(f32 x, number_format format, u32 share) {
  u32 bits = (u32)x, size = bits & ~SIGN;
  if (format == BFLOAT16) return upper_halves(bits + share);
  u32 normal = fewer((size + (share >> 3) - (112u << 23)) >> 13, all_bits(0x7bff)); // a larger number than 65504 would wrap around
  f32 places = (f32)size * 0x1p24f; // of the last place of the smallest numbers
  u32 small = (u32)__builtin_convertvector(rounded_down(places + to_float((i32)share) * 0x1p-16f), i32);
  return lower_halves(choose((u32)(size >= 0x38800000), normal, small) | (bits >> 31 << 15));
}

/** Rounds LANES values, or the n there are: to the nearest, or with a share. */
INLINE void narrow_some(const float *values, int64_t n, uint16_t *numbers, number_format format, const u32 *share) {
  f32 x = n < LANES ? load_some(values, (int)n) : load(values);
  u16 bits = share ? drawn(x, format, *share) : nearest(x, format);
  if (n < LANES) __builtin_memcpy(numbers, &bits, n * sizeof *numbers);
  else *(u16 *)numbers = bits;
}

INLINE void narrow_nearest(const float *values, int64_t n, uint16_t *numbers, number_format format) {
  for (int64_t i = 0; i < n; i += LANES) narrow_some(values + i, n - i, numbers + i, format, 0);
}

/** The layout of the random bits is that of halves.ts; `element` is that of values[0] in its tensor, a multiple of 128. */
INLINE void narrow_drawn(const float *values, int64_t n, uint16_t *numbers, number_format format, noise_key key, int64_t element) {
  philox_start start = start_philox(key, 1);
  uint32_t words[64];
  for (int64_t i = 0; i < n; i += LANES) {
    int place = (int)(i % ROUNDED), half = place / 16 % 2;
    if (place == 0) draw_words((uint32_t)((element + i) / 8), &start, words);
    u32 share = *(u32 *)(words + place / 32 * 16 + place % 16) >> half * 16 & 0xffff;
    narrow_some(values + i, n - i, numbers + i, format, &share);
  }
}

/** numbers[i] = values[i] rounded for i < n: to the nearest, or with a key by random bits. */
static void narrow_all(const float *values, int64_t n, uint16_t *numbers, number_format format, const noise_key *key, int64_t element) {
  if (format == BFLOAT16 && key) narrow_drawn(values, n, numbers, BFLOAT16, *key, element);
  else if (format == BFLOAT16) narrow_nearest(values, n, numbers, BFLOAT16);
  else if (key) narrow_drawn(values, n, numbers, FLOAT16, *key, element);
  else narrow_nearest(values, n, numbers, FLOAT16);
}

INLINE void widen_format(const void *numbers, number_format format, int64_t n, float *values) {
  const char *at = numbers;
  int size = format == FLOAT32 ? sizeof(float) : sizeof(uint16_t);
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES, at += LANES * size) store(values + i, widened(at, format));
  if (i == n) return;
  char last[LANES * sizeof(float)] = {0};
  __builtin_memcpy(last, at, (n - i) * size);
  store_some(values + i, widened(last, format), (int)(n - i));
}

/** values[i] = numbers[i] for i < n, exactly. */
static void widen_all(const void *numbers, number_format format, int64_t n, float *values) {
  if (format == FLOAT32) widen_format(numbers, FLOAT32, n, values);
  else if (format == BFLOAT16) widen_format(numbers, BFLOAT16, n, values);
  else widen_format(numbers, FLOAT16, n, values);
}
