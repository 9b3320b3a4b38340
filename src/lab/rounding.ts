import { narrow, widen } from "../tensor/halves.ts";
import { type Draw, type Parameter, type Perturb, readValues, scaledNoise } from "../tensor/parameter.ts";
import type { HalfFormat } from "../tensor/source.ts";
import type { Objective } from "../tuners/tuner.ts";
import { average, rootMeanSquare, type SlopeAt } from "./plateau.ts";

/** The part of g that is float rounding. */
export interface RoundingError {
  /** Standard deviation of g under tiny changes of eps, which hardly change g itself but change every rounding. */
  readonly deviation: number;
  /** The deviation over g's size for the same z. */
  readonly share: number;
}

/** Factors of eps: eight, up to 5 % below and above. */
export const NUDGES: readonly number[] = Array.from({ length: 8 }, (_, i) => 1 + (i - 3.5) / 70);

/** Measures the rounding error of g at an eps, for each z. The change of g itself over the nudges is taken as a straight line and removed. */
export async function measureRoundingError(
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
  const deviation = rootMeanSquare(all.map((slopes) => deviationAroundLine(NUDGES, slopes)));
  const size = rootMeanSquare(all.flat());
  return { deviation, share: size > 0 ? deviation / size : Number.NaN };
}

/** Standard deviation of y around the line in x that fits it best. */
function deviationAroundLine(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [average(x), average(y)];
  const xy = x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0);
  const xx = x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
  const squares = x.reduce((sum, value, i) => sum + (y[i]! - my - (xy / xx) * (value - mx)) ** 2, 0);
  return Math.sqrt(squares / (x.length - 2));
}

/** How many weights a step leaves unchanged, because their change is lost in rounding. */
export interface Swallowed {
  /** Weights in all. */
  readonly of: number;
  readonly float32: number;
  /** The same if matrices were stored in 16 bits and steps rounded to nearest; stochastic rounding loses nothing in the mean. */
  readonly float16: number;
  readonly bfloat16: number;
}

const FORMATS: readonly HalfFormat[] = ["float16", "bfloat16"];

/** Elements compared at once. */
const PART = 1 << 16;

/** Counts the weights that theta + scale · z would leave unchanged; a step's scale is −lr · g. Theta is not changed. */
export async function countSwallowed(
  theta: readonly Parameter[],
  noise: Perturb,
  scale: number,
  draw: Draw,
): Promise<Swallowed> {
  const counts = { of: 0, float32: 0, float16: 0, bfloat16: 0 };
  for (const weight of theta) {
    const values = await readValues(weight.value);
    const change = scaledNoise(weight, noise, draw, scale);
    const changes = await readValues(change);
    for (let at = 0; at < values.length; at += PART) {
      const part = [values, changes].map((all) => all.subarray(at, at + PART)) as [Float32Array, Float32Array];
      const inFull = countUnchanged(part[0], addInFloat32(...part));
      counts.float32 += inFull;
      for (const format of FORMATS)
        counts[format] += weight.value.rank < 2 ? inFull : countUnchangedIn(format, ...part);
    }
    counts.of += values.length;
    change.dispose();
  }
  return counts;
}

/** In float32, as a step adds it. */
function addInFloat32(values: Float32Array, changes: Float32Array): Float32Array {
  return values.map((value, i) => value + changes[i]!);
}

function countUnchangedIn(format: HalfFormat, values: Float32Array, changes: Float32Array): number {
  const kept = round(format, values);
  const wide = new Float32Array(values.length);
  widen(kept, 0, wide);
  return countUnchanged(kept.bits, round(format, addInFloat32(wide, changes)).bits);
}

function round(format: HalfFormat, values: Float32Array) {
  const halves = { format, rounding: "nearest", bits: new Uint16Array(values.length) } as const;
  narrow(values, halves, 0);
  return halves;
}

function countUnchanged(before: ArrayLike<number>, after: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < before.length; i++) if (before[i] === after[i]) count++;
  return count;
}
