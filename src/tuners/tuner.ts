import type { Shift } from "../tensor/pair.ts";
import type { Parameter, Perturb } from "../tensor/parameter.ts";

/** The loss of the current weights on one fixed batch. A tuner knows nothing else of model and data. */
export interface Objective {
  /** The loss, in double precision. */
  value(): number | Promise<number>;
  /** The losses at theta + eps z and theta − eps z in one pass over the weights, which stay as they are; absent where they must be moved for it. */
  pair?(theta: readonly Parameter[], shift: Shift): Pair | Promise<Pair>;
  /** The loss at theta + eps z alone, theta staying as it is; absent as `pair` is. */
  side?(theta: readonly Parameter[], shift: Shift): number | Promise<number>;
  /** The loss and its gradient by backpropagation, one tensor a weight of theta (disposed of by the caller); absent where there is none. */
  gradient?(theta: readonly Parameter[]): Gradient | Promise<Gradient>;
  /** The Euclidean norms of the gradient in groups of weights, by backpropagation; runs hold them, so that replay needs no gradient. */
  gradientNorms?(groups: readonly (readonly Parameter[])[]): Promise<readonly number[]>;
  /**
   * The loss and its exact derivative along a tangent of theta; `tangentOf` makes that of a weight again at each call, and `differentiate`
   * takes the derivative of a pass through a network along it.
   */
  derivative?(
    theta: readonly Parameter[],
    tangentOf: (weight: Parameter) => Parameter["value"],
    differentiate: DifferentiateForwards,
  ): Derivative | Promise<Derivative>;
}

/** The loss tail(body()) and its derivative along a tangent: `body` is made of fused operations alone, `tail` may be anything. */
export type DifferentiateForwards = <T extends Parameter["value"]>(
  body: () => T,
  tail: (features: T) => Parameter["value"],
) => Promise<Derivative>;

/** The losses on both sides of theta. */
export interface Pair {
  readonly lossPlus: number;
  readonly lossMinus: number;
}

/** A loss and its gradient. */
export interface Gradient {
  readonly loss: number;
  readonly gradients: readonly Parameter["value"][];
}

/** A loss and its directional derivative. */
export interface Derivative {
  readonly loss: number;
  readonly derivative: number;
}

/** One step's numbers. With the base weights and the seed those of a zeroth-order step are the whole update (Section 2.1). */
export interface StepResult {
  readonly lr: number;
  /** The loss that the step saw: for two-sided estimates the mean of lossPlus and lossMinus. */
  readonly loss: number;
  readonly lossPlus?: number;
  readonly lossMinus?: number;
  /** The estimate along z: one number, or one for each z of the step. */
  readonly projectedGrad?: number | readonly number[];
}

/** Which step, from 0, of how many, of which run: z depends on seed and step alone. */
export interface StepAt {
  readonly seed: number;
  readonly step: number;
  readonly total: number;
}

/** A training run on fixed weights, with whatever state its steps share. */
export interface Training {
  /** Throws a KitError when the loss is not finite, theta as it was before. */
  step(objective: Objective, at: StepAt): Promise<StepResult>;
  /** Frees the state; theta stays. */
  dispose(): void;
}

/** What a training holds beside the weights, in copies of theta. */
export interface Resident {
  /** Gradients by backpropagation, all at once. */
  readonly gradients: number;
  /** What is kept from step to step. */
  readonly optimizer: number;
}

/** A tuner's options as a run's header has them. */
export type TunerOptions = Readonly<Record<string, string | number | boolean>>;

/** A way to train: a value that describes it, and starts it on weights, which its steps change in place. */
export interface Tuner {
  /** As the paper's tables print it: "MeZO", "FT", … */
  readonly name: string;
  /** Everything that a run's header needs to make the tuner again. */
  readonly options: TunerOptions;
  /**
   * Starts a training. Replay gives `inFewPasses`, which puts the sweeps of a noise off, so that many are made in one pass over the
   * weights; a tuner that reads weights between its sweeps leaves it aside.
   */
  begin(theta: readonly Parameter[], inFewPasses?: (noise: Perturb) => Perturb): Training;
  /** How its steps look at the loss where theta may stay as it is: at both sides, which is what is left out, or at one. */
  readonly passes?: "side";
  /** What it holds beside the weights. Nothing where it is left out: the paper's claim for MeZO (Section 2.1). */
  readonly resident?: Resident | ((theta: readonly Parameter[]) => Resident);
}
