import { KitError } from "../error.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Draw, Perturb } from "../tensor/perturb.ts";
import type { Objective } from "./tuner.ts";

/** Where and how to estimate: along z of the draw, at a distance of eps. */
export interface Probe {
  readonly noise: Perturb;
  readonly eps: number;
  readonly z: Draw;
}

/** What two evaluations tell: the derivative along z, up to terms of eps². */
export interface Estimate {
  readonly lossPlus: number;
  readonly lossMinus: number;
  readonly projectedGrad: number;
}

/**
 * The two-sided estimate (SPSA, Definition 1): the losses at theta ± eps z. Leaves theta at theta − eps z, from where one sweep
 * restores and updates. Throws a KitError where a loss is not finite; then, and where the objective throws, theta is back.
 */
export async function twoSided(
  theta: readonly Parameter[],
  objective: Objective,
  { noise, eps, z }: Probe,
): Promise<Estimate> {
  noise(theta, +eps, z);
  const lossPlus = await lossHere(objective, () => noise(theta, -eps, z));
  noise(theta, -2 * eps, z);
  const lossMinus = await lossHere(objective, () => noise(theta, +eps, z));
  const projectedGrad = (lossPlus - lossMinus) / (2 * eps);
  if (!Number.isFinite(projectedGrad)) {
    noise(theta, +eps, z);
    throw new KitError(
      `MeZO stopped at step ${z.step}: the losses at theta + eps z and theta - eps z are ${lossPlus} and ${lossMinus}; ${ADVICE}.`,
    );
  }
  return { lossPlus, lossMinus, projectedGrad };
}

/** As `twoSided`, with theta back where it was, up to rounding. */
export async function estimate(theta: readonly Parameter[], objective: Objective, probe: Probe): Promise<Estimate> {
  const found = await twoSided(theta, objective, probe);
  probe.noise(theta, +probe.eps, probe.z);
  return found;
}

/** The loss at the weights as they are; where the objective throws, `restore` first brings them back. */
export async function lossHere(objective: Objective, restore: () => void): Promise<number> {
  try {
    return await objective.value();
  } catch (error) {
    restore();
    throw error;
  }
}

/** As `lossHere`, and where the loss is not finite a KitError, the weights brought back. */
export async function finiteLossHere(objective: Objective, { step }: Draw, restore: () => void): Promise<number> {
  const loss = await lossHere(objective, restore);
  if (Number.isFinite(loss)) return loss;
  restore();
  throw new KitError(`MeZO stopped at step ${step}: the loss is ${loss}; ${ADVICE}.`);
}

const ADVICE = "try a learning rate ten times smaller, or a smaller eps";

/** The mean of the two losses. */
export function meanLoss({ lossPlus, lossMinus }: Estimate): number {
  return (lossPlus + lossMinus) / 2;
}
