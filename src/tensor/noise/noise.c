// Adds noise in place in WebAssembly SIMD: the same bits as plain.ts, which defines it, many times as fast.
// Built by build.sh. No function may use the C stack: several threads run this module in one memory.
#include <stdint.h>
#include <wasm_simd128.h>

typedef uint32_t u32x4 __attribute__((vector_size(16), aligned(4)));
typedef int32_t i32x4 __attribute__((vector_size(16), aligned(4)));
typedef float f32x4 __attribute__((vector_size(16), aligned(4)));

enum { LANES = 4, BLOCKS = 16, UNROLL = 2 }; // blocks a vector, a group; vectors of blocks in flight
#define UNROLLED _Pragma("unroll")
#define EXPORT(name) __attribute__((export_name(name)))

static const uint32_t MUL0 = 0xd2511f53u, MUL1 = 0xcd9e8d57u, BUMP0 = 0x9e3779b9u, BUMP1 = 0xbb67ae85u;
static const uint32_t SIGN = 0x80000000u;

static inline u32x4 splat(uint32_t x) { return (u32x4)wasm_i32x4_splat((int32_t)x); }
static inline f32x4 to_float(i32x4 x) { return __builtin_convertvector(x, f32x4); }

typedef struct { u32x4 high, low; } product;

// Clang turns the intrinsics of extmul into i64x2.mul, for which V8 has no short form: three times the instructions.
#define EXTMUL(half, out, a, b) \
  __asm__("local.get %1\n local.get %2\n i64x2.extmul_" half "_i32x4_u\n local.set %0" : "=r"(out) : "r"(a), "r"(b))

static inline product multiply(u32x4 a, uint32_t m) {
  v128_t low, high, x = (v128_t)a, factor = wasm_i32x4_splat((int32_t)m);
  EXTMUL("low", low, x, factor);
  EXTMUL("high", high, x, factor);
  return (product){(u32x4)wasm_i32x4_shuffle(low, high, 1, 3, 5, 7), (u32x4)wasm_i32x4_shuffle(low, high, 0, 2, 4, 6)};
}

// What the first two of Philox's ten rounds share for all blocks of a stream: words 1 to 3 of the counter are the same there.
typedef struct { uint32_t k0, k1, into0, into2, word3; } stream_start;

static inline stream_start start(uint32_t k0, uint32_t k1, uint32_t stream) {
  uint64_t first = (uint64_t)stream * MUL1, second = (uint64_t)((uint32_t)(first >> 32) ^ k0) * MUL0;
  return (stream_start){k0, k1, (uint32_t)first ^ (k0 + BUMP0), (uint32_t)(second >> 32) ^ (k1 + BUMP1), (uint32_t)second};
}

typedef struct { u32x4 w[4]; } words;

static inline words first_rounds(u32x4 block, stream_start s) {
  product one = multiply(block, MUL0), two = multiply(one.high ^ s.k1, MUL1);
  return (words){{two.high ^ s.into0, two.low, one.low ^ s.into2, splat(s.word3)}};
}

static inline words next_round(words c, uint32_t k0, uint32_t k1) {
  product p = multiply(c.w[0], MUL0), q = multiply(c.w[2], MUL1);
  return (words){{q.high ^ c.w[1] ^ k0, q.low, p.high ^ c.w[3] ^ k1, p.low}};
}

// sqrt(-2 log u). All constants of the logarithm are times -2, which is exact and saves two products.
static inline f32x4 radius(u32x4 x) {
  i32x4 d = (i32x4)to_float((i32x4)((x >> 8) | 1)) - (0x3f3504f3 + (24 << 23));
  f32x4 f = (f32x4)((d & 0x7fffff) + 0x3f3504f3) - 1.0f, w = f * f, e = to_float(d >> 23);
  f32x4 p = f * (-2 * 7.0376836292e-2f) + 2 * 1.1514610310e-1f;
  p = p * f + -2 * 1.1676998740e-1f;
  p = p * f + 2 * 1.2420140846e-1f;
  p = p * f + -2 * 1.4249322787e-1f;
  p = p * f + 2 * 1.6668057665e-1f;
  p = p * f + -2 * 2.0000714765e-1f;
  p = p * f + 2 * 2.4999993993e-1f;
  p = p * f + -2 * 3.3333331174e-1f;
  p = p * f * w + e * (2 * 2.12194440e-4f) + w;
  return (f32x4)wasm_f32x4_sqrt((v128_t)((p - (f + f)) + e * (-2 * 0.693359375f)));
}

// Half of radius times cosine, and sine. With half the angle the halves of the polynomials need one product less.
static inline void half_normals(u32x4 x, u32x4 y, f32x4 *cosine, f32x4 *sine) {
  f32x4 r = radius(x), a = to_float((i32x4)(y << 2) >> 10) * (0.5f * 3.7450703e-7f), t = a * a;
  f32x4 s = t * (64 * -1.9515295891e-4f) + 16 * 8.3321608736e-3f;
  s = (s * t + 4 * -1.6666654611e-1f) * t * a + a;
  f32x4 c = t * (128 * 2.443315711809948e-5f) + 32 * -1.388731625493765e-3f;
  c = (c * t + 8 * 4.166664568298827e-2f) * t * t - t + 0.5f;
  u32x4 quadrant = y + (1u << 29), odd = (u32x4)((i32x4)(quadrant << 1) >> 31);
  u32x4 change = (((u32x4)s ^ (u32x4)c) & odd) ^ (quadrant & SIGN); // exchanges sine and cosine, turns the sign
  *sine = r * (f32x4)((u32x4)s ^ change);
  *cosine = r * (f32x4)((u32x4)c ^ change ^ (odd & SIGN));
}

// The elements whose bits are 1, the lowest that of the first; 0 for the others.
static inline f32x4 masked(f32x4 x, uint32_t mask) {
  u32x4 place = {1, 2, 4, 8};
  return (f32x4)((u32x4)x & (u32x4)((splat(mask) & place) == place));
}

// Where z goes, and of which elements, where not of all: into theta; or, where both sides are wanted, theta + scale z in place and theta - scale z at the distance `minus`.
typedef struct { float scale, keep; int32_t both, minus; const uint32_t *mask; } target;

static inline __attribute__((always_inline)) void add(float *at, f32x4 z, target to, int32_t element) {
  f32x4 theta = *(f32x4 *)at, step = z * to.scale;
  if (to.mask) step = masked(step, to.mask[element / 32] >> element % 32);
  if (to.both) *(f32x4 *)(at + to.minus) = theta - step;
  *(f32x4 *)at = to.both ? theta + step : theta * to.keep + step;
}

static inline __attribute__((always_inline)) void
add_gaussian(float *theta, int32_t n, uint32_t k0, uint32_t k1, uint32_t stream, uint32_t block, target to) {
  to.scale *= 2;
  stream_start s = start(k0, k1, stream);
  u32x4 counter = (u32x4){0, 1, 2, 3} + block;
  for (int32_t element = 0; element < n; element += 4 * BLOCKS) {
    for (int at = 0; at < BLOCKS; at += UNROLL * LANES, counter += UNROLL * LANES) {
      words c[UNROLL];
      UNROLLED for (int i = 0; i < UNROLL; i++) c[i] = first_rounds(counter + i * LANES, s);
      UNROLLED for (uint32_t round = 2; round < 10; round++) {
        UNROLLED for (int i = 0; i < UNROLL; i++) c[i] = next_round(c[i], k0 + round * BUMP0, k1 + round * BUMP1);
      }
      UNROLLED for (int i = 0; i < UNROLL; i++) {
        UNROLLED for (int k = 0; k < 4; k += 2) {
          f32x4 cosine, sine;
          half_normals(c[i].w[k], c[i].w[k + 1], &cosine, &sine);
          int32_t first = element + k * BLOCKS + at + i * LANES, second = first + BLOCKS;
          add(theta + first, cosine, to, first);
          add(theta + second, sine, to, second);
        }
      }
    }
  }
}

static inline __attribute__((always_inline)) void
add_rademacher(float *theta, int32_t n, uint32_t k0, uint32_t k1, uint32_t stream, uint32_t block, target to) {
  stream_start s = start(k0, k1, stream);
  u32x4 counter = (u32x4){0, 1, 2, 3} + block, size = (u32x4)wasm_f32x4_splat(to.scale);
  to.scale = 1;
  for (int32_t element = 0; element < n; element += 128 * BLOCKS) {
    for (int at = 0; at < BLOCKS; at += LANES, counter += LANES) {
      words c = first_rounds(counter, s);
      UNROLLED for (uint32_t round = 2; round < 10; round++) c = next_round(c, k0 + round * BUMP0, k1 + round * BUMP1);
      int32_t place = element + at;
      for (int bit = 0; bit < 32; bit++, place += BLOCKS) {
        UNROLLED for (int k = 0; k < 4; k++) {
          int32_t there = place + 32 * BLOCKS * k;
          add(theta + there, (f32x4)((c.w[k] & SIGN) ^ size), to, there);
          c.w[k] += c.w[k];
        }
      }
    }
  }
}

#define PARAMETERS float *theta, int32_t n, uint32_t k0, uint32_t k1, uint32_t stream, uint32_t block, float scale

/** theta[i] = theta[i] * keep + scale * z[i] for i < n rounded up to whole groups of 64. Element 0 is the first of `block`. */
EXPORT("gaussian")
void gaussian(PARAMETERS, float keep) { add_gaussian(theta, n, k0, k1, stream, block, (target){scale, keep, 0, 0, 0}); }

/** The same in whole groups of 2048. */
EXPORT("rademacher")
void rademacher(PARAMETERS, float keep) { add_rademacher(theta, n, k0, k1, stream, block, (target){scale, keep, 0, 0, 0}); }

/** theta[i + minus] = theta[i] - scale * z[i], and theta[i] += scale * z[i], for as many i as gaussian. */
EXPORT("gaussianSides")
void gaussian_sides(PARAMETERS, int32_t minus) { add_gaussian(theta, n, k0, k1, stream, block, (target){scale, 1, 1, minus, 0}); }

/** The same for as many i as rademacher. */
EXPORT("rademacherSides")
void rademacher_sides(PARAMETERS, int32_t minus) { add_rademacher(theta, n, k0, k1, stream, block, (target){scale, 1, 1, minus, 0}); }

#define MASKED PARAMETERS, float keep, int32_t minus, const uint32_t *mask
#define ONTO(both) (target){scale, keep, both, minus, mask}

/** As gaussian, or where there is a `minus` gaussian_sides, with the z of the elements alone whose bits of `mask` are 1. */
EXPORT("gaussianMasked")
void gaussian_masked(MASKED) {
  if (minus) add_gaussian(theta, n, k0, k1, stream, block, ONTO(1));
  else add_gaussian(theta, n, k0, k1, stream, block, ONTO(0));
}

/** As rademacher, or rademacher_sides. */
EXPORT("rademacherMasked")
void rademacher_masked(MASKED) {
  if (minus) add_rademacher(theta, n, k0, k1, stream, block, ONTO(1));
  else add_rademacher(theta, n, k0, k1, stream, block, ONTO(0));
}

// Numbers of 16 bits. float16 is widened and narrowed by its exponent's distance to float32's, 112, and 13 bits of the mantissa.
typedef enum { BFLOAT16, FLOAT16 } format;
typedef uint16_t u16x4 __attribute__((vector_size(8), aligned(2)));

static inline f32x4 widened(u32x4 half, format f) {
  if (f == BFLOAT16) return (f32x4)(half << 16);
  f32x4 magnitude = (f32x4)((half & 0x7fff) << 13) * 0x1p112f;
  return (f32x4)((u32x4)magnitude | (half & 0x8000) << 16);
}

/** theta[i] = halves[i] for i < n rounded up to whole groups of 4. */
EXPORT("widen")
void widen(float *theta, int32_t n, const uint16_t *halves, format f) {
  for (int i = 0; i < n; i += 4) *(f32x4 *)(theta + i) = widened(__builtin_convertvector(*(u16x4 *)(halves + i), u32x4), f);
}

// `share` is what is added before the rest is cut off: 16 random bits, of which float16's 13 are the upper ones; or half of the last place.
static inline u32x4 narrowed(f32x4 x, format f, int stochastic, u32x4 share) {
  u32x4 bits = (u32x4)x, sign = bits >> 31 << 15, a = bits & ~SIGN;
  if (f == BFLOAT16) return (bits + (stochastic ? share : 0x7fff + (bits >> 16 & 1))) >> 16;
  u32x4 normal = (a + (stochastic ? share >> 3 : 0xfff + (a >> 13 & 1)) - (112u << 23)) >> 13;
  normal = (u32x4)wasm_u32x4_min((v128_t)normal, (v128_t)splat(0x7bff)); // a larger number than 65504 would wrap around
  f32x4 places = (f32x4)a * 0x1p24f; // of the last place of the smallest numbers
  f32x4 cut = stochastic ? (f32x4)wasm_f32x4_floor((v128_t)(places + to_float((i32x4)share) * 0x1p-16f)) : (f32x4)wasm_f32x4_nearest((v128_t)places);
  u32x4 small = (u32x4)__builtin_convertvector(cut, i32x4), is_normal = (u32x4)(a >= 0x38800000);
  return ((normal & is_normal) | (small & ~is_normal)) | sign;
}

static inline __attribute__((always_inline)) void
narrow_all(const float *theta, int32_t n, uint16_t *halves, format f, int stochastic, uint32_t k0, uint32_t k1, uint32_t stream, uint32_t block) {
  u32x4 counter = (u32x4){0, 1, 2, 3} + block;
  for (const float *end = theta + n; theta < end; theta += 8 * BLOCKS, halves += 8 * BLOCKS) {
    for (int at = 0; at < BLOCKS; at += LANES, counter += LANES) {
      words c = {{counter, splat(1), splat(stream), splat(0)}}; // the second word tells these bits from those of z
      if (stochastic) UNROLLED for (uint32_t round = 0; round < 10; round++) c = next_round(c, k0 + round * BUMP0, k1 + round * BUMP1);
      UNROLLED for (int half = 0; half < 8; half++) {
        int i = BLOCKS * half + at;
        u32x4 share = half % 2 ? c.w[half / 2] >> 16 : c.w[half / 2] & 0xffff;
        *(u16x4 *)(halves + i) = __builtin_convertvector(narrowed(*(f32x4 *)(theta + i), f, stochastic, share), u16x4);
      }
    }
  }
}

/** halves[i] = the number of 16 bits next to theta[i], of two equally near the even one, for i < n rounded up to whole groups of 128. */
EXPORT("narrow")
void narrow(const float *theta, int32_t n, uint16_t *halves, format f) {
  if (f == BFLOAT16) narrow_all(theta, n, halves, BFLOAT16, 0, 0, 0, 0, 0);
  else narrow_all(theta, n, halves, FLOAT16, 0, 0, 0, 0, 0);
}

/** The same, but one of the two neighbours of theta[i], drawn so that theta[i] is the mean. Element 0 is the first of `block`. */
EXPORT("narrowStochastic")
void narrow_stochastic(const float *theta, int32_t n, uint16_t *halves, format f, uint32_t k0, uint32_t k1, uint32_t stream, uint32_t block) {
  if (f == BFLOAT16) narrow_all(theta, n, halves, BFLOAT16, 1, k0, k1, stream, block);
  else narrow_all(theta, n, halves, FLOAT16, 1, k0, k1, stream, block);
}
