// scale · z as a sweep adds it, to the bits of noise/plain.ts: each operation rounds to float32 by itself and the order is that of noise.c.
#pragma once
#include "philox.h"

static const uint32_t SIGN = 0x80000000u;
enum { GROUP = 64, SIGNS = 2048, SHARES = 16 / LANES }; // elements of a group of normals, and of signs; vectors of LANES that 16 blocks are

/** z of a tensor, times scale. The words of Philox that give the signs of a group are kept while its elements are asked for. */
typedef struct {
  philox_start start;
  float scale;
  noise_law law;
  int64_t group;
  const uint64_t *mask;
  uint32_t signs[64];
} z_stream;

INLINE z_stream begin_z(noise_key key, noise_law law, float scale) {
  return (z_stream){.start = start_philox(key, 0), .scale = scale, .law = law, .group = -1, .mask = key.mask};
}

/** sqrt(-2 log u). All constants of the logarithm are times -2, which is exact and saves two products. */
INLINE f32 radius(u32 x) {
  i32 d = (i32)to_float((i32)((x >> 8) | 1)) - (0x3f3504f3 + (24 << 23));
  f32 f = (f32)((d & 0x7fffff) + 0x3f3504f3) - 1.0f, w = f * f, e = to_float(d >> 23);
  f32 p = f * (-2 * 7.0376836292e-2f) + 2 * 1.1514610310e-1f;
  p = p * f + -2 * 1.1676998740e-1f;
  p = p * f + 2 * 1.2420140846e-1f;
  p = p * f + -2 * 1.4249322787e-1f;
  p = p * f + 2 * 1.6668057665e-1f;
  p = p * f + -2 * 2.0000714765e-1f;
  p = p * f + 2 * 2.4999993993e-1f;
  p = p * f + -2 * 3.3333331174e-1f;
  p = p * f * w + e * (2 * 2.12194440e-4f) + w;
  return square_root((p - (f + f)) + e * (-2 * 0.693359375f));
}

/** Half of radius times cosine, and sine. With half the angle the halves of the polynomials need one product less. */
INLINE void half_normals(u32 x, u32 y, f32 *cosine, f32 *sine) {
  f32 r = radius(x), a = to_float((i32)(y << 2) >> 10) * (0.5f * 3.7450703e-7f), t = a * a;
  f32 s = t * (64 * -1.9515295891e-4f) + 16 * 8.3321608736e-3f;
  s = (s * t + 4 * -1.6666654611e-1f) * t * a + a;
  f32 c = t * (128 * 2.443315711809948e-5f) + 32 * -1.388731625493765e-3f;
  c = (c * t + 8 * 4.166664568298827e-2f) * t * t - t + 0.5f;
  u32 quadrant = y + (1u << 29), odd = (u32)((i32)(quadrant << 1) >> 31);
  u32 change = (((u32)s ^ (u32)c) & odd) ^ (quadrant & SIGN); // exchanges sine and cosine, turns the sign
  *sine = r * (f32)((u32)s ^ change);
  *cosine = r * (f32)((u32)c ^ change ^ (odd & SIGN));
}

INLINE void scaled_normals(const z_stream *s, int64_t element, f32 out[GROUP / LANES]) {
  f32 scale = all(2 * s->scale);
  UNROLLED for (int share = 0; share < SHARES; share++) {
    u32 w[4];
    philox((uint32_t)(element / 4) + share * LANES, s->start, w);
    UNROLLED for (int k = 0; k < 4; k += 2) {
      f32 cosine, sine;
      half_normals(w[k], w[k + 1], &cosine, &sine);
      out[k * SHARES + share] = cosine * scale;
      out[(k + 1) * SHARES + share] = sine * scale;
    }
  }
}

INLINE void scaled_signs(z_stream *s, int64_t element, f32 out[GROUP / LANES]) {
  int64_t group = element / SIGNS;
  if (group != s->group) draw_words((uint32_t)(group * 16), &s->start, s->signs);
  s->group = group;
  int place = (int)(element % SIGNS), bit = place % 512 / 16;
  const uint32_t *words = s->signs + place / 512 * 16;
  u32 size = (u32)all(s->scale);
  UNROLLED for (int i = 0; i < GROUP / LANES; i++) {
    u32 word = *(const u32 *)(words + i % SHARES * LANES);
    out[i] = (f32)(((word << (bit + i / SHARES)) & SIGN) ^ size);
  }
}

/** Leaves the elements of a group whose bits are 1; the others become 0. */
INLINE void keep_masked(uint64_t mask, f32 out[GROUP / LANES]) {
  u32 place = all_bits(1);
  UNROLLED for (int lane = 0; lane < LANES; lane++) place[lane] <<= lane;
  UNROLLED for (int i = 0; i < GROUP / LANES; i++) {
    u32 bits = all_bits((uint32_t)(mask >> i * LANES)) & place;
    out[i] = (f32)((u32)out[i] & (u32)(bits == place));
  }
}

/**
 * scale · z of the 64 elements of the tensor from `element` on, a multiple of 64. Who asks for signs in another order than ascending saves work by
 * a stream for each row.
 */
INLINE void scaled_z(z_stream *s, int64_t element, f32 out[GROUP / LANES]) {
  if (s->law == GAUSSIAN) scaled_normals(s, element, out);
  else scaled_signs(s, element, out);
  if (s->mask) keep_masked(s->mask[element / GROUP], out);
}
