import type * as tf from "@tensorflow/tfjs";
import { storage } from "../tensor/backend.ts";
import { type HalfFormat, narrow, widen } from "../tensor/halves.ts";
import { type Draw, type Parameter, type Perturb, scaledNoise } from "../tensor/parameter.ts";
import type { Objective } from "../tuners/tuner.ts";
import { meanOf, type SlopeAt, sizeOf } from "./plateau.ts";

/** How much of g is float rounding. */
export interface RoundingError {
  /** Standard deviation of g under tiny changes of eps, along which g itself hardly changes but every rounding falls anew. */
  readonly deviation: number;
  /** That over g's size under the same z. */
  readonly share: number;
}

/** Factors of eps: eight, up to 5 % below and above. */
export const NUDGES: readonly number[] = Array.from({ length: 8 }, (_, i) => 1 + (i - 3.5) / 70);

/** Measures the rounding error of g at an eps, under each z. What g itself does over the nudges is taken as a straight line, and left out. */
export async function roundingErrorOf(
  at: SlopeAt,
  objective: Objective,
  eps: number,
  draws: readonly Draw[],
): Promise<RoundingError> {
  const all: number[][] = [];
  for (const z of draws) {
    const slopes: number[] = [];
    for (const nudge of NUDGES) slopes.push((await at(objective, eps * nudge, z)).slope);
    all.push(slopes);
  }
  const deviation = sizeOf(all.map((slopes) => aroundLine(NUDGES, slopes)));
  const size = sizeOf(all.flat());
  return { deviation, share: size > 0 ? deviation / size : Number.NaN };
}

/** Standard deviation of y around the line in x that fits it best. */
function aroundLine(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [meanOf(x), meanOf(y)];
  const xy = x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0);
  const xx = x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
  const squares = x.reduce((sum, value, i) => sum + (y[i]! - my - (xy / xx) * (value - mx)) ** 2, 0);
  return Math.sqrt(squares / (x.length - 2));
}

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
    const change = scaledNoise(weight, noise, draw, scale);
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
