import type * as tf from "@tensorflow/tfjs";
import { storage } from "../../tensor/backend.ts";
import { drawn } from "../../tensor/drawn.ts";
import type { HalfFormat } from "../../tensor/halves/format.ts";
import { narrow, widen } from "../../tensor/halves/halves.ts";
import type { Parameter } from "../../tensor/parameter.ts";
import type { Draw, Perturb } from "../../tensor/perturb.ts";

/** How many weights a step leaves as they are, its change of them being lost in rounding. */
export interface Swallowed {
  /** Weights in all. */
  readonly of: number;
  readonly float32: number;
  /** The same were matrices kept in 16 bits and steps rounded to the nearest number; stochastic rounding swallows nothing in the mean. */
  readonly float16: number;
  readonly bfloat16: number;
}

const FORMATS: readonly HalfFormat[] = ["float16", "bfloat16"];

/** Elements that are looked at at once. */
const PART = 1 << 16;

/** Counts the weights that theta + scale · z leaves as they are, theta itself staying; a step's scale is −lr · g. */
export async function swallowedBy(
  theta: readonly Parameter[],
  noise: Perturb,
  scale: number,
  draw: Draw,
): Promise<Swallowed> {
  const counts = { of: 0, float32: 0, float16: 0, bfloat16: 0 };
  for (const weight of theta) {
    const values = await valuesOf(weight.value);
    const change = drawn(weight, noise, draw, scale);
    const changes = await valuesOf(change);
    for (let at = 0; at < values.length; at += PART) {
      const part = [values, changes].map((all) => all.subarray(at, at + PART)) as [Float32Array, Float32Array];
      const inFull = unchanged(part[0], sumOf(...part));
      counts.float32 += inFull;
      for (const format of FORMATS) counts[format] += weight.value.rank < 2 ? inFull : unchangedIn(format, ...part);
    }
    counts.of += values.length;
    change.dispose();
  }
  return counts;
}

async function valuesOf(tensor: tf.Tensor): Promise<Float32Array> {
  return storage().view?.(tensor) ?? ((await tensor.data()) as Float32Array);
}

/** In float32, as a step adds it. */
function sumOf(values: Float32Array, changes: Float32Array): Float32Array {
  return values.map((value, i) => value + changes[i]!);
}

function unchangedIn(format: HalfFormat, values: Float32Array, changes: Float32Array): number {
  const kept = rounded(format, values);
  const wide = new Float32Array(values.length);
  widen(kept, 0, wide);
  return unchanged(kept.bits, rounded(format, sumOf(wide, changes)).bits);
}

function rounded(format: HalfFormat, values: Float32Array) {
  const halves = { format, rounding: "nearest", bits: new Uint16Array(values.length) } as const;
  narrow(values, halves, 0);
  return halves;
}

function unchanged(before: ArrayLike<number>, after: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < before.length; i++) if (before[i] === after[i]) count++;
  return count;
}
