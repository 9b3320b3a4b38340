// The activations that follow a product, and the exponential function under them and under softmax. Relative errors are below 4e-7 (far out in
// gelu_tanh's negative tail 1e-5, since its exponent is rounded) down to the least normal number, below which exp is 0; NaN passes through.
#pragma once

/** Multiplies by 2 to the power n, for whole n from -150 to 150. */
INLINE f32 times_power(f32 x, f32 n) {
#ifdef __AVX512F__
  return (f32)_mm512_scalef_ps((__m512)x, (__m512)n);
#else
  i32 all_of_it = __builtin_convertvector(n, i32), half = all_of_it >> 1; // in two steps, since 2^128 is no number
  return x * (f32)((half + 127) << 23) * (f32)((all_of_it - half + 127) << 23);
#endif
}

/** e to the power x: 2^n e^r with |r| at most half of log 2. */
INLINE f32 exponential(f32 x) {
  const float least = -87.33f, most = 89, to_whole = 12582912; // adding 1.5 * 2^23 rounds to a whole number
  f32 within = larger(all(least), smaller(all(most), x));
  f32 n = multiply_add(within, all(1.44269504f), all(to_whole)) - to_whole;
  f32 r = multiply_add(n, all(-0.693359375f), within);
  r = multiply_add(n, all(2.12194440e-4f), r);
  f32 p = multiply_add(r, all(1.38146e-3f), all(8.36875e-3f));
  p = multiply_add(p, r, all(4.166839e-2f));
  p = multiply_add(p, r, all(1.666652e-1f));
  p = multiply_add(p, r, all(4.9999993e-1f));
  p = multiply_add(p, r * r, r) + 1;
  return (f32)((i32)times_power(p, n) & ~(i32)(x < least));
}

/**
 * The probability that a standard normal number is above a, for 0 <= a <= 14: exp(-a²/2) times a polynomial in 1 / (1 + 0.3 a), by least squares
 * of the relative error. What a² loses by rounding is put back, since a² is large where the probability is small.
 */
INLINE f32 normal_tail(f32 a) {
  const float coefficients[] = {6.68480516e-6f, 1.19495913e-1f, 1.21861801e-1f, 9.49119106e-2f, 1.42000124e-1f, -7.57322088e-2f, 2.27983698e-1f, -1.68838903e-1f, 3.83110046e-2f};
  f32 t = 1 / multiply_add(a, all(0.3f), all(1)), p = all(coefficients[8]);
  UNROLLED for (int i = 7; i >= 0; i--) p = multiply_add(p, t, all(coefficients[i]));
  f32 square = a * a, lost = multiply_add(a, a, -square);
  return exponential(square * -0.5f) * multiply_add(p, lost * -0.5f, p);
}

/** x times the probability that a standard normal number is below x; of the smaller probability, which keeps its relative precision. */
INLINE f32 gelu(f32 x) {
  f32 a = smaller(all(14), (f32)((i32)x & 0x7fffffff));
  return multiply_add(-a, normal_tail(a), larger(all(0), x));
}

/** x times the logistic function of `by`. */
INLINE f32 gated(f32 x, f32 by) { return x / (exponential(-by) + 1); }

/** GPT-2's approximation of gelu: by is twice √(2/π) (x + 0.044715 x³). */
INLINE f32 gelu_tanh(f32 x) { return gated(x, x * multiply_add(x * x, all(2 * 0.7978845608f * 0.044715f), all(2 * 0.7978845608f))); }

/** What an activation makes of x. */
INLINE f32 activate(f32 x, activation kind) {
  switch (kind) {
    case RELU: return larger(all(0), x);
    case GELU: return gelu(x);
    case SILU: return gated(x, x);
    case GELU_TANH: return gelu_tanh(x);
    default: return x;
  }
}
