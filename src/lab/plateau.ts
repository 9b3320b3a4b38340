import { setImmediate } from "node:timers/promises";
import type { Draw, Parameter, Perturb } from "../tensor/parameter.ts";
import { lineAlong } from "../tuners/line.ts";
import { algorithm1 } from "../tuners/mezo.ts";
import type { Objective, Pair } from "../tuners/tuner.ts";

/** The losses at theta ± eps z and their slope along z, the projected gradient g; NaN where a loss is not finite. */
export interface Slope extends Pair {
  readonly slope: number;
}

/** Measures the slope of an objective along a z, and leaves theta unchanged. */
export type SlopeAt = (objective: Objective, eps: number, z: Draw) => Promise<Slope>;

/** Makes a measurement of slopes of these weights; `onEach` is called after each. */
export function makeSlopeAt(theta: readonly Parameter[], noise: Perturb, onEach: () => void): SlopeAt {
  return async (objective, eps, z) => {
    await setImmediate(); // lets an interrupt in, and a notebook draw
    const line = lineAlong(theta, objective, noise, z);
    const { lossPlus, lossMinus } = await algorithm1(line, eps, 0);
    line.goBack(); // the losses may be no numbers
    onEach();
    return { lossPlus, lossMinus, slope: (lossPlus - lossMinus) / (2 * eps) };
  };
}

/** The arithmetic mean. */
export function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The root mean square. */
export function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(average(values.map((value) => value * value)));
}

/** The sample standard deviation; 0 of a single value. */
export function standardDeviation(values: readonly number[]): number {
  const mean = average(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, values.length - 1));
}

/** The curvature of the loss along z. */
export interface Curvature {
  /** The distance at which it was measured. */
  readonly eps: number;
  /** z'Hz, the second derivative of the loss along z, mean over z. As z has a share of every direction, this is about the trace of H: the largest eigenvalue times the effective rank. */
  readonly mean: number;
  /** Over the z; 0 where there is one. */
  readonly standardError: number;
}

/** Measures it from the losses at theta and on both sides: (l+ − 2 l + l−) / eps². */
export async function measureCurvature(
  at: SlopeAt,
  objective: Objective,
  { loss, eps }: { readonly loss: number; readonly eps: number },
  draws: readonly Draw[],
): Promise<Curvature> {
  const found: number[] = [];
  for (const z of draws) {
    const { lossPlus, lossMinus } = await at(objective, eps, z);
    found.push((lossPlus - 2 * loss + lossMinus) / eps ** 2);
  }
  const mean = average(found);
  const squares = found.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { eps, mean, standardError: Math.sqrt(squares / Math.max(1, found.length - 1) / found.length) };
}

/** g of one batch at many eps, for a few z: `slopes` is [z][eps]; NaN where a loss was not finite. */
export interface Sweep {
  readonly eps: readonly number[];
  readonly slopes: readonly (readonly number[])[];
}

/** The range of eps in which g does not depend on eps. */
export interface Plateau {
  readonly from: number;
  readonly to: number;
}

/** From 1e-6 to 1, three a decade. */
export const SWEPT: readonly number[] = Array.from({ length: 19 }, (_, i) =>
  Number((10 ** (i / 3 - 6)).toPrecision(3)),
);

/** The largest distance of g from its median on the plateau, as a share of the median. */
export const TOLERANCE = 0.1;

/** The fewest neighbouring eps that make a plateau. */
const FEWEST = 3;

/** Measures g of an objective at all eps, for each z. */
export async function measureSweep(at: SlopeAt, objective: Objective, draws: readonly Draw[]): Promise<Sweep> {
  const slopes: number[][] = [];
  for (const z of draws) {
    const found: number[] = [];
    for (const eps of SWEPT) found.push((await at(objective, eps, z)).slope);
    slopes.push(found);
  }
  return { eps: SWEPT, slopes };
}

/**
 * The longest range of neighbouring eps over which g stays within 10 % of its median for every z: below it float rounding dominates, above it
 * the loss's curvature. For a z along which the loss hardly changes, 10 % of the other z's g count. Undefined where there is no such range.
 */
export function findPlateau(sweep: Sweep): Plateau | undefined {
  const { eps } = sweep;
  for (let length = eps.length; length >= FEWEST; length--)
    for (let from = 0; from + length <= eps.length; from++)
      if (isFlat(sweep, from, from + length)) return { from: eps[from]!, to: eps[from + length - 1]! };
  return undefined;
}

function isFlat({ slopes }: Sweep, from: number, to: number): boolean {
  const parts = slopes.map((some) => some.slice(from, to));
  if (!parts.flat().every(Number.isFinite)) return false;
  const medians = parts.map(median);
  const size = rootMeanSquare(medians);
  return (
    size > 0 &&
    parts.every((part, z) => {
      const allowed = TOLERANCE * Math.max(size, Math.abs(medians[z]!));
      return part.every((slope) => Math.abs(slope - medians[z]!) <= allowed);
    })
  );
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
