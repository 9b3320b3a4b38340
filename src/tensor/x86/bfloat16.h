// Pairs of bfloat16 in 32 bits: the unit in which products of 16 bits go through the registers.
#pragma once

/** The 16 bits of the bfloat16 next to x, of two equally near the even one. */
INLINE u32 bfloat16_of(f32 x) {
#ifdef __AVX512BF16__
  return (u32)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)x));
#else
  u32 bits = (u32)x;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
#endif
}

/** Lane by lane the bfloat16 of both. */
INLINE u32 paired(f32 first, f32 second) { return bfloat16_of(first) | bfloat16_of(second) << 16; }
INLINE f32 first_of(u32 pair) { return (f32)(pair << 16); }
INLINE f32 second_of(u32 pair) { return (f32)(pair & 0xffff0000u); }

/** sum + the products of two pairs, lane by lane. */
INLINE f32 add_products(u32 a, u32 b, f32 sum) {
#ifdef __AVX512BF16__
  return (f32)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  return multiply_add(first_of(a), first_of(b), multiply_add(second_of(a), second_of(b), sum));
#endif
}
