import { scaledNoise } from "../tensor/parameter.ts";
import type { Rule } from "./fineTuning.ts";
import { estimate, report } from "./mezo.ts";
import type { Tuner } from "./tuner.ts";
import { type Zeroth, zerothOrder } from "./zeroth.ts";

/** MeZO with another rule: steps along the estimate g z, which is made for one weight at a time, in one temporary of the largest weight. */
export function byRule(rule: Rule, settings: Zeroth): Tuner["begin"] {
  const { eps, noise } = settings;
  const start = zerothOrder(settings, (theta, along) => {
    const updates = rule(theta);
    return async ({ objective, z, lr }) => {
      const found = await estimate(along(theta, objective, z), eps);
      for (const [i, weight] of theta.entries()) {
        const gradient = scaledNoise(weight, noise, z, found.projectedGrad);
        await updates.apply(i, gradient, { lr, scale: 1 }).finally(() => gradient.dispose());
      }
      return report(found);
    };
  });
  return (theta) => start(theta); // the weights are read between the sweeps
}
