import { viewOf } from "./native/backend.ts";
import { type Distribution, noiseKey } from "./noise/key.ts";
import { sweepMany } from "./noise/sweep.ts";
import type { Parameter } from "./parameter.ts";

/** Which z: the seed of the run and the step. z itself is never stored; each use makes it again. */
export interface Draw {
  readonly seed: number;
  readonly step: number;
}

/** In place, for every weight: theta = keep · theta + scale · z, with z of the draw. keep is 1 where it is left out. */
export interface Perturb {
  (theta: readonly Parameter[], scale: number, draw: Draw, keep?: number): void;
  /** The law of z, as a run's header names it; without it the noise is custom, and a run cannot be repeated from its file. */
  readonly law?: string;
}

function perturbWith(law: Distribution): Perturb {
  const perturb = (theta: readonly Parameter[], scale: number, { seed, step }: Draw, keep = 1): void => {
    const entries = theta.map(({ name, value }) => ({
      theta: viewOf(value).values as Float32Array,
      key: noiseKey(seed, step, name),
      keep,
    }));
    sweepMany(entries, scale, law);
  };
  return Object.assign(perturb, { law });
}

/** z standard normal, as the paper has it (Algorithm 1). */
export const gaussian: Perturb = perturbWith("gaussian");

/** z of ±1, each with probability one half: one bit a weight. */
export const rademacher: Perturb = perturbWith("rademacher");
