import { setImmediate } from "node:timers/promises";
import type { Parameter } from "../../tensor/parameter.ts";
import type { Draw, Perturb } from "../../tensor/perturb.ts";
import { bothSides } from "../../tuners/spsa.ts";
import type { Objective, Pair } from "../../tuners/tuner.ts";

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
    const { lossPlus, lossMinus, back } = await bothSides(theta, objective, { noise, eps, z });
    if (back !== 0) noise(theta, back, z);
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
