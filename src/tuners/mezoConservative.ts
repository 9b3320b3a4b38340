import type { Draw, Parameter, Perturb } from "../tensor/parameter.ts";
import { describe, refuseUnless, type ZerothOptions, zerothOptions } from "./options.ts";
import { scheduled } from "./schedule.ts";
import { estimate, finiteLossHere, lossHere } from "./spsa.ts";
import type { Objective, Training, Tuner } from "./tuner.ts";

/** Settings of conservative MeZO: those of MeZO without weight decay. */
export type MezoConservativeOptions = Omit<ZerothOptions, "weightDecay">;

/**
 * Conservative MeZO (ZO-SGD-Cons of Zhang et al. 2024): of theta, theta − lr g z and theta + lr g z, the one with the lowest loss on
 * the step's batch is kept. Five forward passes. `lr` of a step is the rate that was taken: 0 where theta stayed, negative where it went the other way.
 */
export function mezoConservative(options: MezoConservativeOptions): Tuner {
  const name = "MeZO-conservative";
  refuseUnless(name, [[!("weightDecay" in options), "has no option weightDecay, which no loss would judge"]]);
  const settings = zerothOptions(name, options);
  const { lr: peak, eps, schedule, noise } = settings;
  const begin: Tuner["begin"] = (theta) => {
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const found = await estimate(theta, objective, { noise, eps, z });
      const loss = await finiteLossHere(objective, z, () => {});
      const lr = peak * scheduled(schedule, step, total);
      const way = await bestWay(theta, objective, { noise, z, loss, length: lr * found.projectedGrad });
      return { lr: way * lr, loss, ...found };
    };
    return { step, dispose: () => {} };
  };
  const { weightDecay: _, ...described } = describe(settings);
  return { name, options: described, begin };
}

interface Step {
  readonly noise: Perturb;
  readonly z: Draw;
  /** The loss where theta stands. */
  readonly loss: number;
  /** How far, in z, a step goes. */
  readonly length: number;
}

/** Moves theta to the best of the three places: 1 is down the estimate, −1 up, 0 where it was. */
async function bestWay(
  theta: readonly Parameter[],
  objective: Objective,
  { noise, z, loss, length }: Step,
): Promise<1 | 0 | -1> {
  noise(theta, -length, z);
  const down = await lossHere(objective, () => noise(theta, +length, z));
  noise(theta, 2 * length, z);
  const up = await lossHere(objective, () => noise(theta, -length, z));
  if (up < loss && !(down <= up)) return -1;
  const way = down < loss ? 1 : 0;
  noise(theta, way === 1 ? -2 * length : -length, z);
  return way;
}
