import type { Draw, Parameter, Perturb } from "../tensor/parameter.ts";
import type { Objective } from "./tuner.ts";

/** The line through theta along one z: what a zeroth-order tuner sees of the weights. */
export interface Line {
  readonly z: Draw;
  /** Whether theta stays where it is while losses beside it are looked for: then several lines may be looked along at once. */
  readonly isStill: boolean;
  /** Whose line it is, for what is said where a loss is not finite. */
  readonly tuner: string;
  /** PerturbParameters of Algorithm 1: theta moves by scale · z. Moves that follow each other are one sweep over the weights. */
  perturb(scale: number): void;
  /** The loss where theta stands. Where the objective throws, theta is back where it was. */
  loss(): Promise<number>;
  /** Makes the moves so far; `decay` is the share that the weights lose which decay. */
  settle(decay?: number): void;
  /** Brings theta back to where the line began. */
  goBack(): void;
}

/**
 * The line along z. Unlike Algorithm 1, which makes z once to restore theta and again to update it, theta is swept over only when a loss
 * is wanted or the line is settled. Where the objective computes both sides in one pass, or one without it, theta stays where it is until then.
 */
export function lineAlong(
  theta: readonly Parameter[],
  objective: Objective,
  noise: Perturb,
  z: Draw,
  tuner = "MeZO",
): Line {
  const sides = new Map<number, number>();
  let [stands, wanted] = [0, 0]; // in multiples of z from where the line began
  const settle = (decay = 0): void => {
    sweep(theta, noise, z, { stands, wanted, decay });
    stands = wanted;
  };
  const goBack = (): void => {
    wanted = 0;
    settle();
  };
  const bothSides = async (): Promise<void> => {
    const eps = Math.abs(wanted);
    const { lossPlus, lossMinus } = await objective.pair!(theta, { law: noise.law!, eps, z });
    sides.set(+eps, lossPlus).set(-eps, lossMinus);
  };
  const isStill = noise.law !== undefined && (objective.pair ?? objective.side) !== undefined;
  const oneSide = async (): Promise<void> => {
    sides.set(wanted, await objective.side!(theta, { law: noise.law!, eps: wanted, z }));
  };
  const look = objective.pair ? bothSides : objective.side && oneSide;
  const loss = async (): Promise<number> => {
    try {
      if (noise.law && wanted !== 0 && !sides.has(wanted)) await look?.();
      const known = sides.get(wanted);
      if (known !== undefined) return known;
      settle();
      return await objective.value();
    } catch (error) {
      goBack();
      throw error;
    }
  };
  const perturb = (scale: number): void => {
    wanted += scale;
  };
  return { z, tuner, isStill, perturb, loss, settle, goBack };
}

interface Move {
  readonly stands: number;
  readonly wanted: number;
  readonly decay: number;
}

/** theta + (wanted − stands) z, and for weights that decay (1 − decay) of where the line began. */
function sweep(theta: readonly Parameter[], noise: Perturb, z: Draw, { stands, wanted, decay }: Move): void {
  const free = decay === 0 ? theta : theta.filter(({ name }) => !decays(name));
  if (wanted !== stands) noise(free, wanted - stands, z);
  if (free.length === theta.length) return;
  const keep = 1 - decay;
  noise(
    theta.filter(({ name }) => decays(name)),
    wanted - stands * keep,
    z,
    keep,
  );
}

/** The authors' rule for what weight decay leaves out, by name and case. */
export function decays(name: string): boolean {
  return !["bias", "layer_norm", "layernorm"].some((part) => name.includes(part));
}
