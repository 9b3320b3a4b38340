import type * as tf from "@tensorflow/tfjs-core";
import { storage } from "../../../src/tensor/backend.ts";
import { plainNarrow, plainWiden } from "../../../src/tensor/halves.ts";
import { type Distribution, type Move, noiseKey, wholeStretch } from "../../../src/tensor/noise/key.ts";
import { movePlainly } from "../../../src/tensor/noise/plain.ts";
import type { HalfFormat, Rounding, Source } from "../../../src/tensor/source.ts";

export const LAWS = ["gaussian", "rademacher"] as const;
export const HALVES = ["float16", "bfloat16"] as const;
export const FORMATS = [undefined, "float16", "bfloat16"] as const;

const KINDS = [
  (i: number) => 0.1 * Math.sin(i),
  () => -0,
  () => 0,
  (i: number) => 2 ** -20 * Math.cos(i),
  (i: number) => 7e4 * Math.sin(i),
  () => 3 * 2 ** -25,
];

/** Numbers as weights are, zeros of both signs, what is subnormal in float16, ties, and what is beyond float16. */
export const weightsOf = (size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => KINDS[i % 7]?.(i) ?? 0.02 * Math.cos(i));

const MASK = Uint32Array.from({ length: 2 ** 16 + 64 }, (_, i) => (i * 0x9e3779b9) >>> 0);

/** Moves with factors, the second of which keeps all of a weight, and moves what is in a mask. */
export const movesOf = (count: number, keep: number): Move[] =>
  Array.from({ length: count }, (_, step) => ({
    key: { ...noiseKey(7, step, "layer.weight"), ...(step % 2 && { mask: MASK }) },
    scale: 1e-3 * (step + 1),
    keep: step % 2 ? 1 : keep,
  }));

/** A weight of these values on the backend in use, a vector if no shape is given. */
export const weight = (
  values: Float32Array,
  format?: HalfFormat,
  rounding: Rounding = "stochastic",
  shape: readonly number[] = [values.length],
): tf.Tensor =>
  storage().weight(
    shape,
    (into, from) => into.set(values.subarray(from, from + into.length)),
    format && { format, rounding },
  );

/** The same weight in plain TypeScript. */
export function plainly(values: Float32Array, format?: HalfFormat, rounding: Rounding = "stochastic"): Source {
  if (!format) return values.slice();
  const bits = new Uint16Array(values.length);
  plainNarrow(values, format, bits);
  return { bits, format, rounding };
}

/** Its values in float32. */
export function widened(source: Source): Float32Array {
  if (!("bits" in source)) return source;
  const values = new Float32Array(source.bits.length);
  plainWiden(source.bits, source.format, values);
  return values;
}

/** Its values in float32 after moves, each rounded by itself. */
export function movedPlainly(source: Source, moves: readonly Move[], law: Distribution): Float32Array {
  for (const move of moves) movePlainly(wholeStretch(source, [move], law));
  return widened(source);
}

/** How many elements' bits differ. */
export function countDifferent(a: Float32Array, b: Float32Array): number {
  const [x, y] = [a, b].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
  return x!.length === y!.length ? x!.reduce((sum, word, i) => sum + Number(word !== y![i]), 0) : Infinity;
}
