import { KitError } from "../error.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { gaussian, type Perturb } from "../tensor/perturb.ts";
import { type Schedule, scheduled, schedules } from "./schedule.ts";
import type { Objective, Tuner } from "./tuner.ts";

/** Settings of MeZO; the paper's grids are in Tables 15 and 16. */
export interface MezoOptions {
  readonly lr: number;
  /** Size of the perturbation. */
  readonly eps?: number;
  readonly schedule?: Schedule;
  /** As the authors': subtracts lr · weightDecay · theta, except from biases and layer norms. */
  readonly weightDecay?: number;
  /** The law of z. */
  readonly noise?: Perturb;
}

/** MeZO (Algorithm 1): two forward passes at theta ± eps z give one number, and theta moves along the same z, made again from its seed. */
export function mezo(options: MezoOptions): Tuner {
  const { lr: peak, eps = 1e-3, schedule = "constant", weightDecay = 0, noise = gaussian, ...unknown } = options;
  checkOptions({ peak, eps, schedule, weightDecay }, Object.keys(unknown));
  const step: Tuner["step"] = async (theta, objective, { seed, step, total }) => {
    const z = { seed, step };
    noise(theta, +eps, z);
    const lossPlus = await lossHere(objective, () => noise(theta, -eps, z));
    noise(theta, -2 * eps, z);
    const lossMinus = await lossHere(objective, () => noise(theta, +eps, z));
    const projectedGrad = (lossPlus - lossMinus) / (2 * eps);
    if (!Number.isFinite(projectedGrad)) {
      noise(theta, +eps, z);
      throw new KitError(notFinite(step, lossPlus, lossMinus));
    }
    const lr = peak * scheduled(schedule, step, total);
    restoreAndDescend(theta, noise, { z, eps, lr, projectedGrad, weightDecay });
    return { lossPlus, lossMinus, projectedGrad, lr };
  };
  return { name: "MeZO", options: { lr: peak, eps, schedule, weightDecay, noise: noise.law ?? "custom" }, step };
}

/** The loss at the weights as they are; where the objective throws, they are first brought back. */
async function lossHere(objective: Objective, restore: () => void): Promise<number> {
  try {
    return await objective();
  } catch (error) {
    restore();
    throw error;
  }
}

interface Descent {
  readonly z: { readonly seed: number; readonly step: number };
  readonly eps: number;
  readonly lr: number;
  readonly projectedGrad: number;
  readonly weightDecay: number;
}

/**
 * The last two lines of Algorithm 1 in one sweep: theta + eps z is where the step began, and from there theta − lr (g z + wd theta).
 * Unlike the paper, which makes z a fourth time for the update.
 */
function restoreAndDescend(
  theta: readonly Parameter[],
  noise: Perturb,
  { z, eps, lr, projectedGrad, weightDecay }: Descent,
): void {
  const free = weightDecay === 0 ? theta : theta.filter(({ name }) => !decays(name));
  noise(free, eps - lr * projectedGrad, z);
  if (free.length === theta.length) return;
  const keep = 1 - lr * weightDecay;
  noise(
    theta.filter(({ name }) => decays(name)),
    eps * keep - lr * projectedGrad,
    z,
    keep,
  );
}

/** The authors' rule for what weight decay leaves out, by name and case. */
function decays(name: string): boolean {
  return !["bias", "layer_norm", "layernorm"].some((part) => name.includes(part));
}

interface Checked {
  readonly peak: number;
  readonly eps: number;
  readonly schedule: Schedule;
  readonly weightDecay: number;
}

function checkOptions({ peak, eps, schedule, weightDecay }: Checked, unknown: readonly string[]): void {
  const wrong = (what: string): KitError => new KitError(`MeZO ${what}.`);
  if (unknown.length > 0)
    throw wrong(`has no option ${unknown.join(", ")}: it has lr, eps, schedule, weightDecay and noise`);
  if (!(peak >= 0 && Number.isFinite(peak)))
    throw wrong(`needs a learning rate of at least 0, not ${peak}: the paper's are in Tables 15 and 16`);
  if (!(eps > 0 && Number.isFinite(eps))) throw wrong(`needs an eps above 0, not ${eps}: the paper takes 1e-3`);
  if (!schedules.includes(schedule))
    throw wrong(`has no schedule "${schedule}": choose one of ${schedules.join(", ")}`);
  if (!(weightDecay >= 0 && Number.isFinite(weightDecay)))
    throw wrong(`needs a weight decay of at least 0, not ${weightDecay}`);
}

const notFinite = (step: number, lossPlus: number, lossMinus: number): string =>
  `MeZO stopped at step ${step}: the losses at theta + eps z and theta - eps z are ${lossPlus} and ${lossMinus}; try a learning rate ten times smaller, or a smaller eps.`;
