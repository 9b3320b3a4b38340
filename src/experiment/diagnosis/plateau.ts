import type { Draw } from "../../tensor/perturb.ts";
import type { Objective } from "../../tuners/tuner.ts";
import { type SlopeAt, sizeOf } from "./slopes.ts";

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
