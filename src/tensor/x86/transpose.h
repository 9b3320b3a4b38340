// LANES vectors of 32-bit units, transposed in registers.
#pragma once

INLINE void transpose(f32 r[LANES]) {
  f32 t[LANES];
#ifdef __AVX512F__
  UNROLLED for (int i = 0; i < 16; i += 2) {
    t[i] = (f32)_mm512_unpacklo_ps((__m512)r[i], (__m512)r[i + 1]);
    t[i + 1] = (f32)_mm512_unpackhi_ps((__m512)r[i], (__m512)r[i + 1]);
  }
  UNROLLED for (int i = 0; i < 16; i += 4) {
    UNROLLED for (int h = 0; h < 2; h++) {
      r[i + 2 * h] = (f32)_mm512_unpacklo_pd((__m512d)t[i + h], (__m512d)t[i + 2 + h]);
      r[i + 2 * h + 1] = (f32)_mm512_unpackhi_pd((__m512d)t[i + h], (__m512d)t[i + 2 + h]);
    }
  }
#define QUARTERS(a, b, which) (f32)_mm512_shuffle_f32x4((__m512)a, (__m512)b, which)
  UNROLLED for (int i = 0; i < 4; i++) {
    f32 a = QUARTERS(r[i], r[i + 4], 0x88), b = QUARTERS(r[i], r[i + 4], 0xdd);
    f32 c = QUARTERS(r[i + 8], r[i + 12], 0x88), d = QUARTERS(r[i + 8], r[i + 12], 0xdd);
    t[i] = QUARTERS(a, c, 0x88);
    t[i + 4] = QUARTERS(b, d, 0x88);
    t[i + 8] = QUARTERS(a, c, 0xdd);
    t[i + 12] = QUARTERS(b, d, 0xdd);
  }
  UNROLLED for (int i = 0; i < 16; i++) r[i] = t[i];
#else
  UNROLLED for (int i = 0; i < 8; i += 2) {
    t[i] = (f32)_mm256_unpacklo_ps((__m256)r[i], (__m256)r[i + 1]);
    t[i + 1] = (f32)_mm256_unpackhi_ps((__m256)r[i], (__m256)r[i + 1]);
  }
  f32 q[LANES];
  UNROLLED for (int i = 0; i < 8; i += 4) {
    UNROLLED for (int h = 0; h < 2; h++) {
      q[i + 2 * h] = (f32)_mm256_unpacklo_pd((__m256d)t[i + h], (__m256d)t[i + 2 + h]);
      q[i + 2 * h + 1] = (f32)_mm256_unpackhi_pd((__m256d)t[i + h], (__m256d)t[i + 2 + h]);
    }
  }
  UNROLLED for (int i = 0; i < 4; i++) {
    r[i] = (f32)_mm256_permute2f128_ps((__m256)q[i], (__m256)q[i + 4], 0x20);
    r[i + 4] = (f32)_mm256_permute2f128_ps((__m256)q[i], (__m256)q[i + 4], 0x31);
  }
#endif
}
