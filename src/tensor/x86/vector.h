// Vectors of 32-bit lanes as wide as the level's registers, and what all kernels do with them. Once a level.
#pragma once
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 16")

#ifdef __AVX512F__
enum { LANES = 16 };
typedef float f32 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t i32 __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t u32 __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t u16 __attribute__((vector_size(32), aligned(2), may_alias));
INLINE f32 square_root(f32 x) { return (f32)_mm512_sqrt_ps((__m512)x); }
INLINE f32 larger(f32 a, f32 b) { return (f32)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE f32 smaller(f32 a, f32 b) { return (f32)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE f32 multiply_add(f32 a, f32 b, f32 c) { return (f32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
INLINE f32 load_some(const float *at, int n) { return (f32)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), at); }
INLINE void store_some(float *at, f32 x, int n) { _mm512_mask_storeu_ps(at, (__mmask16)((1u << n) - 1), (__m512)x); }
INLINE f32 from_float16(u16 x) { return (f32)_mm512_cvtph_ps((__m256i)x); }
#else
enum { LANES = 8 };
typedef float f32 __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t i32 __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint32_t u32 __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint16_t u16 __attribute__((vector_size(16), aligned(2), may_alias));
INLINE f32 square_root(f32 x) { return (f32)_mm256_sqrt_ps((__m256)x); }
INLINE f32 larger(f32 a, f32 b) { return (f32)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE f32 smaller(f32 a, f32 b) { return (f32)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE f32 multiply_add(f32 a, f32 b, f32 c) { return (f32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE __m256i first_lanes(int n) { return (__m256i)((i32){0, 1, 2, 3, 4, 5, 6, 7} < n); }
INLINE f32 load_some(const float *at, int n) { return (f32)_mm256_maskload_ps(at, first_lanes(n)); }
INLINE void store_some(float *at, f32 x, int n) { _mm256_maskstore_ps(at, first_lanes(n), (__m256)x); }
INLINE f32 from_float16(u16 x) { return (f32)_mm256_cvtph_ps((__m128i)x); }
#endif

INLINE f32 all(float x) { return x - (f32){0}; }
INLINE f32 to_float(i32 x) { return __builtin_convertvector(x, f32); }
INLINE f32 load(const float *at) { return *(const f32 *)at; }
INLINE void store(float *at, f32 x) { *(f32 *)at = x; }

/** LANES values of any format, exactly. */
INLINE f32 widened(const void *at, number_format format) {
  if (format == FLOAT32) return *(const f32 *)at;
  u16 half = *(const u16 *)at;
  return format == FLOAT16 ? from_float16(half) : (f32)(__builtin_convertvector(half, u32) << 16);
}
