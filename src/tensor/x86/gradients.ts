import { give, take } from "../native/pool.ts";
import { ACTIVATIONS, type Activation } from "./activations.ts";
import { callLibrary } from "./library.ts";
import { checkSize, threadsFor } from "./rows.ts";

/** What a norm's gradient is of: x and dy [rows, width], and the gain `weight` [width]. */
export interface NormGradientOf {
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly dy: Float32Array;
  readonly epsilon: number;
}

/** Where a norm's gradients go: dx [rows, width], dWeight [width], and dBias [width] of a layer norm. */
export interface NormGradients {
  readonly dx: Float32Array;
  readonly dWeight: Float32Array;
  readonly dBias?: Float32Array;
}

/** Blocks of rows whose sums are made apart, at most: as many whatever the threads, so that the result is the same. */
const MOST_BLOCKS = 16;

/** Gradients of a layer norm of the rows of x, or of an RMS norm where there is no dBias. */
export function normGradient({ x, weight, dy, epsilon }: NormGradientOf, { dx, dWeight, dBias }: NormGradients): void {
  const width = weight.length;
  const rows = Math.floor(x.length / width);
  for (const [name, array] of Object.entries({ x, dy, dx })) checkSize(name, array, rows * width);
  for (const [name, array] of Object.entries({ dWeight, ...(dBias && { dBias }) })) checkSize(name, array, width);
  const blocks = Math.max(1, Math.min(MOST_BLOCKS, rows));
  const sums = take(blocks * 2 * width);
  try {
    callLibrary(
      "int mezo_norm_gradient(const float *, const float *, const float *, float *, float *, int64_t, int64_t, int64_t, float, int, int)",
      ...[x, weight, dy, dx, sums],
      ...[rows, width, blocks, epsilon, Number(dBias !== undefined), threadsFor(x.length)],
    );
    dWeight.set(sums.subarray(0, width));
    dBias?.set(sums.subarray(width, 2 * width));
  } finally {
    give(sums);
  }
}

/** dx = dy times the slope of an activation at x; dx may be either. */
export function activationGradient(activation: Activation, dy: Float32Array, x: Float32Array, dx: Float32Array): void {
  checkSize("x", x, dy.length);
  checkSize("dx", dx, dy.length);
  const signature = "int mezo_activation_gradient(const float *, const float *, float *, int64_t, int, int)";
  callLibrary(signature, dy, x, dx, dx.length, ACTIVATIONS.indexOf(activation), threadsFor(dx.length));
}
