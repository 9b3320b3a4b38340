import type { Parameter } from "../tensor/parameter.ts";

/** The loss of the current weights on one fixed batch, in double precision. A tuner knows nothing else of model and data. */
export type Objective = () => number | Promise<number>;

/** One step's numbers: with the base weights and the seed they are the whole update (Section 2.1, "Storage efficiency"). */
export interface StepResult {
  readonly lossPlus: number;
  readonly lossMinus: number;
  readonly projectedGrad: number;
  readonly lr: number;
}

/** A way to train: changes theta in place, one step at a time. */
export interface Tuner {
  /** As the paper's tables print it. */
  readonly name: "MeZO";
  /** Everything that a run's header needs to repeat it. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
  /** Step `step` (from 0) of `total`. Throws a KitError when the loss is not finite, theta as it was before. */
  step(
    theta: readonly Parameter[],
    objective: Objective,
    at: { seed: number; step: number; total: number },
  ): Promise<StepResult>;
}
