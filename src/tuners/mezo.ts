import { descend } from "./descend.ts";
import { describe, type ZerothOptions, zerothOptions } from "./options.ts";
import { scheduled } from "./schedule.ts";
import { meanLoss, twoSided } from "./spsa.ts";
import type { Training, Tuner } from "./tuner.ts";

/** Settings of MeZO; the paper's grids are in Tables 15 and 16. */
export type MezoOptions = ZerothOptions;

/** MeZO (Algorithm 1): two forward passes at theta ± eps z give one number, and theta moves along the same z, made again from its seed. */
export function mezo(options: MezoOptions): Tuner {
  const settings = zerothOptions("MeZO", options);
  const { lr: peak, eps, schedule, weightDecay, noise } = settings;
  const begin: Tuner["begin"] = (theta) => {
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const lr = peak * scheduled(schedule, step, total);
      const { found, back } = await twoSided(theta, objective, { noise, eps, z });
      descend(theta, noise, z, { back, by: lr * found.projectedGrad, decay: lr * weightDecay });
      return { lr, loss: meanLoss(found), ...found };
    };
    return { step, dispose: () => {} };
  };
  return { name: "MeZO", options: describe(settings), begin };
}
