import { descend } from "./descend.ts";
import { describe, type ZerothOptions, zerothOptions } from "./options.ts";
import { scheduled } from "./schedule.ts";
import { finiteLossHere } from "./spsa.ts";
import type { Training, Tuner } from "./tuner.ts";

/**
 * MeZO with the one-point estimate with residual feedback (Table 11): one forward pass a step, and the estimate is
 * (L(theta + eps z) of this step − that of the step before) / eps. The first step has none before, and only looks.
 */
export function onePoint(options: ZerothOptions): Tuner {
  const name = "MeZO-one-point";
  const settings = zerothOptions(name, options);
  const { lr: peak, eps, schedule, weightDecay, noise } = settings;
  const begin: Tuner["begin"] = (theta) => {
    let before: number | undefined;
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const lr = peak * scheduled(schedule, step, total);
      noise(theta, +eps, z);
      const loss = await finiteLossHere(objective, z, () => noise(theta, -eps, z));
      const projectedGrad = before === undefined ? 0 : (loss - before) / eps;
      before = loss;
      descend(theta, noise, z, { back: -eps, by: lr * projectedGrad, decay: lr * weightDecay });
      return { lr, loss, lossPlus: loss, projectedGrad };
    };
    return { step, dispose: () => {} };
  };
  return { name, options: describe(settings), begin };
}
