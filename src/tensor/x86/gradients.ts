import { give, take } from "../native/pool.ts";
import { ACTIVATIONS, type Activation } from "./activations.ts";
import { callLibrary } from "./library.ts";
import { type AttentionRows, type AttentionSizes, checkSize, describeAttention, threadsFor } from "./rows.ts";

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

/** What attention's gradient is of: q, k and v (rows.ts), and dy, as large as q. */
export type AttentionGradientOf = Pick<AttentionRows, "q" | "k" | "v"> & { readonly dy: Float32Array };

/** Where the gradients in q, k and v go. */
export type AttentionGradients = Readonly<Record<"dq" | "dk" | "dv", Float32Array>>;

/** The widest vectors' lanes, in multiples of which a thread has room, and for how many queries at once (attentionGradient.h). */
const [LANES, QUERIES] = [16, 4];

const ATTENTION_GRADIENT =
  "int mezo_attention_gradient(const int32_t *, const float *, const float *, const float *, const float *, float *, float *, float *, const int32_t *, const int32_t *, float *, int64_t, int64_t, int)";

/** Gradients of attention of packed sequences. */
export function attentionGradient(of: AttentionGradientOf, into: AttentionGradients, sizes: AttentionSizes): void {
  const { numbers, threads } = describeAttention(of, sizes);
  const { q, k, v, dy } = of;
  const { dq, dk, dv } = into;
  for (const [name, array, like] of [
    ["dy", dy, q],
    ["dq", dq, q],
    ["dk", dk, k],
    ["dv", dv, v],
  ] as const)
    checkSize(name, array, like.length);
  const mostKeys = LANES * Math.ceil(Math.max(1, ...sizes.keyLengths) / LANES);
  const scratch = take(threads * 2 * QUERIES * mostKeys);
  const lengths = [sizes.lengths, sizes.keyLengths].map((each) => Int32Array.from(each));
  try {
    callLibrary(
      ATTENTION_GRADIENT,
      ...[numbers, q, k, v, dy, dq, dk, dv, ...lengths],
      ...[scratch, scratch.length, mostKeys, threads],
    );
  } finally {
    give(scratch);
  }
}
