import { storage } from "./backend.ts";
import { type Distribution, noiseKey } from "./noise/key.ts";
import type { Parameter } from "./parameter.ts";

/** Which z: the seed of the run, the step, and which of the step's z. z itself is never stored; each use makes it again. */
export interface Draw {
  readonly seed: number;
  readonly step: number;
  /** Counts the z of one step from 0, where there are several (n-SPSA); 0 where it is left out. */
  readonly index?: number;
}

/** In place, for every weight: theta = keep · theta + scale · z, with z of the draw. keep is 1 where it is left out. */
export interface Perturb {
  (theta: readonly Parameter[], scale: number, draw: Draw, keep?: number): void;
  /** The law of z, as a run's header names it; without it the noise is custom, and a run cannot be repeated from its file. */
  readonly law?: Distribution;
}

function perturbWith(law: Distribution): Perturb {
  const perturb = (theta: readonly Parameter[], scale: number, { seed, step, index }: Draw, keep = 1): void => {
    const weights = theta.map(({ name, value }) => ({
      tensor: value,
      key: noiseKey(seed, step, name, index),
      keep,
    }));
    storage().sweep(weights, scale, law);
  };
  return Object.assign(perturb, { law });
}

/** z standard normal, as the paper has it (Algorithm 1). */
export const gaussian: Perturb = perturbWith("gaussian");

/** z of ±1, each with probability one half: one bit a weight. */
export const rademacher: Perturb = perturbWith("rademacher");
