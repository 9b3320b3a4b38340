import { setImmediate } from "node:timers/promises";
import type { Draw, Parameter, Perturb } from "../tensor/parameter.ts";
import { lineAlong } from "../tuners/line.ts";
import { algorithm1 } from "../tuners/mezo.ts";
import type { Objective, Pair } from "../tuners/tuner.ts";

/** The losses at theta ± eps z, and the slope along z that they give: the projected gradient g. It is no number where a loss is none. */
export interface Slope extends Pair {
  readonly slope: number;
}

/** Measures the slope of an objective along a z, theta being where it was afterwards. */
export type SlopeAt = (objective: Objective, eps: number, z: Draw) => Promise<Slope>;

/** How to measure slopes of weights; `onEach` is told of each one measured. */
export function slopesOf(theta: readonly Parameter[], noise: Perturb, onEach: () => void): SlopeAt {
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
export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The root of the mean square. */
export function sizeOf(values: readonly number[]): number {
  return Math.sqrt(meanOf(values.map((value) => value * value)));
}

/** The sample standard deviation; 0 of a single value. */
export function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, values.length - 1));
}

/** How the loss bends along z. */
export interface Curvature {
  /** The distance that it was measured at. */
  readonly eps: number;
  /** z'Hz, the second derivative of the loss along z, mean over z. As z has every direction in it, this is about the trace of H: the sharpest direction times how many count. */
  readonly mean: number;
  /** Over the z; 0 where there is one. */
  readonly standardError: number;
}

/** Measures it from the losses at theta and on both sides: (l+ − 2 l + l−) / eps². */
export async function curvatureOf(
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
  const mean = meanOf(found);
  const squares = found.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { eps, mean, standardError: Math.sqrt(squares / Math.max(1, found.length - 1) / found.length) };
}

/** g of one batch at many eps, under a few z: `slopes` is [z][eps]; no number where a loss was none. */
export interface Sweep {
  readonly eps: readonly number[];
  readonly slopes: readonly (readonly number[])[];
}

/** The eps between which g does not depend on eps. */
export interface Plateau {
  readonly from: number;
  readonly to: number;
}

/** From 1e-6 to 1, three a decade. */
export const SWEPT: readonly number[] = Array.from({ length: 19 }, (_, i) =>
  Number((10 ** (i / 3 - 6)).toPrecision(3)),
);

/** How far g may be from its median on the plateau, as a share of it. */
export const TOLERANCE = 0.1;

/** The fewest neighbouring eps that make a plateau. */
const FEWEST = 3;

/** Measures g of an objective over all eps, under each z. */
export async function sweepOf(at: SlopeAt, objective: Objective, draws: readonly Draw[]): Promise<Sweep> {
  const slopes: number[][] = [];
  for (const z of draws) {
    const found: number[] = [];
    for (const eps of SWEPT) found.push((await at(objective, eps, z)).slope);
    slopes.push(found);
  }
  return { eps: SWEPT, slopes };
}

/**
 * The longest stretch of neighbouring eps over which g stays within 10 % of its median under every z: below it float rounding decides,
 * above it the loss's curvature. Under a z along which the loss hardly changes, 10 % of the other z's g count. Undefined where there is none.
 */
export function plateauOf(sweep: Sweep): Plateau | undefined {
  const { eps } = sweep;
  for (let length = eps.length; length >= FEWEST; length--)
    for (let from = 0; from + length <= eps.length; from++)
      if (isFlat(sweep, from, from + length)) return { from: eps[from]!, to: eps[from + length - 1]! };
  return undefined;
}

function isFlat({ slopes }: Sweep, from: number, to: number): boolean {
  const parts = slopes.map((of) => of.slice(from, to));
  if (!parts.flat().every(Number.isFinite)) return false;
  const medians = parts.map(medianOf);
  const size = sizeOf(medians);
  return (
    size > 0 &&
    parts.every((part, z) => {
      const allowed = TOLERANCE * Math.max(size, Math.abs(medians[z]!));
      return part.every((slope) => Math.abs(slope - medians[z]!) <= allowed);
    })
  );
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
