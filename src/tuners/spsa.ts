import { NotFinite } from "../error.ts";
import type { Draw, Parameter, Perturb } from "../tensor/parameter.ts";
import type { Objective, Pair } from "./tuner.ts";

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

/** An estimate, and how many z theta is to be moved by to be where it was. */
export interface Standing {
  readonly found: Estimate;
  readonly back: number;
}

/**
 * The two-sided estimate (SPSA, Definition 1): the losses at theta ± eps z, both from one pass where the objective has a `pair`. Else
 * two sweeps move theta, which is left at theta − eps z, from where one sweep restores and updates. Throws a KitError where a loss
 * is not finite; then, and where the objective throws, theta is back.
 */
export async function twoSided(theta: readonly Parameter[], objective: Objective, probe: Probe): Promise<Standing> {
  const { noise, eps, z } = probe;
  const { lossPlus, lossMinus, back } = await bothSides(theta, objective, probe);
  const projectedGrad = Math.fround((lossPlus - lossMinus) / (2 * eps));
  if (!Number.isFinite(projectedGrad)) {
    if (back !== 0) noise(theta, back, z);
    throw new NotFinite(
      `MeZO stopped at step ${z.step}: the losses at theta + eps z and theta - eps z are ${lossPlus} and ${lossMinus}; ${adviceAt(z.step)}.`,
    );
  }
  return { found: { lossPlus, lossMinus, projectedGrad }, back };
}

/** The losses at theta ± eps z, whatever they are, and how many z theta is to be moved by to be where it was. Where the objective throws, theta is back. */
export async function bothSides(
  theta: readonly Parameter[],
  objective: Objective,
  { noise, eps, z }: Probe,
): Promise<Pair & Pick<Standing, "back">> {
  const { law } = noise;
  if (law && objective.pair) return { ...(await objective.pair(theta, { law, eps, z })), back: 0 };
  return { ...(await moved(theta, objective, { noise, eps, z })), back: eps };
}

/** Both losses with theta moved in place: to theta + eps z, then by −2 eps z (Algorithm 1). */
async function moved(theta: readonly Parameter[], objective: Objective, { noise, eps, z }: Probe): Promise<Pair> {
  noise(theta, +eps, z);
  const lossPlus = await lossHere(objective, () => noise(theta, -eps, z));
  noise(theta, -2 * eps, z);
  const lossMinus = await lossHere(objective, () => noise(theta, +eps, z));
  return { lossPlus, lossMinus };
}

/** As `twoSided`, with theta back where it was, up to rounding. */
export async function estimate(theta: readonly Parameter[], objective: Objective, probe: Probe): Promise<Estimate> {
  const { found, back } = await twoSided(theta, objective, probe);
  if (back !== 0) probe.noise(theta, back, probe.z);
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
  throw new NotFinite(`MeZO stopped at step ${step}: the loss is ${loss}; ${adviceAt(step)}.`);
}

/** At the first step no learning rate has done anything yet. */
const adviceAt = (step: number): string =>
  step === 0 ? "try a smaller eps, or another model" : "try a learning rate ten times smaller, or a smaller eps";

/** The mean of the two losses. */
export function meanLoss({ lossPlus, lossMinus }: Estimate): number {
  return (lossPlus + lossMinus) / 2;
}
