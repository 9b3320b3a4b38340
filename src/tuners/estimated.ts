import { drawn } from "../tensor/parameter.ts";
import type { Zeroth } from "./options.ts";
import type { Rule } from "./rule.ts";
import { scheduled } from "./schedule.ts";
import { estimate, meanLoss } from "./spsa.ts";
import type { Training, Tuner } from "./tuner.ts";

/** Steps of a rule along MeZO's estimate g z, which is made for one weight at a time: one temporary of the largest weight. */
export function estimated(rule: Rule, { lr: peak, eps, schedule, noise }: Zeroth): Tuner["begin"] {
  return (theta) => {
    const updates = rule(theta);
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const lr = peak * scheduled(schedule, step, total);
      const found = await estimate(theta, objective, { noise, eps, z });
      for (const [i, weight] of theta.entries()) {
        const gradient = drawn(weight, noise, z, found.projectedGrad);
        await updates.apply(i, gradient, { lr, scale: 1 }).finally(() => gradient.dispose());
      }
      return { lr, loss: meanLoss(found), ...found };
    };
    return { step, dispose: () => {} };
  };
}
