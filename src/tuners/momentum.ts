import { update, zerosLike } from "../tensor/parameter.ts";
import { decays } from "./descend.ts";
import { decayRate, describe, refuseUnless, type ZerothOptions, zerothOptions } from "./options.ts";
import { scheduled } from "./schedule.ts";
import { estimate, meanLoss } from "./spsa.ts";
import type { Training, Tuner } from "./tuner.ts";

/** Settings of MeZO-momentum. */
export interface MezoMomentumOptions extends ZerothOptions {
  readonly beta?: number;
}

/**
 * MeZO-momentum: m = beta m + g z, and theta moves by −lr (m + weightDecay · theta). m takes the memory of theta;
 * z is swept into it as into theta, and never stored. `leanMomentum` makes m anew instead.
 */
export function mezoMomentum(options: MezoMomentumOptions): Tuner {
  const name = "MeZO-momentum";
  const settings = zerothOptions(name, options, ["beta"]);
  const { lr: peak, eps, schedule, weightDecay, noise } = settings;
  const { beta = 0.9 } = options;
  refuseUnless(name, [decayRate("beta", beta)]);
  const begin: Tuner["begin"] = (theta) => {
    const moments = zerosLike(theta);
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const lr = peak * scheduled(schedule, step, total);
      const found = await estimate(theta, objective, { noise, eps, z });
      noise(moments, found.projectedGrad, z, beta);
      for (const [i, weight] of theta.entries()) {
        const keep = 1 - (decays(weight.name) ? lr * weightDecay : 0);
        await update(weight, moments[i]!.value, (values, m) => subtract(values, m, keep, lr));
      }
      return { lr, loss: meanLoss(found), ...found };
    };
    return {
      step,
      dispose: () => {
        for (const { value } of moments) value.dispose();
      },
    };
  };
  return { name, options: { ...describe(settings), beta }, begin, resident: { gradients: 0, optimizer: 1 } };
}

/** theta = keep · theta − lr · m. */
export function subtract(theta: Float32Array, m: Float32Array, keep: number, lr: number): void {
  for (let i = 0; i < theta.length; i++) theta[i] = keep * theta[i]! - lr * m[i]!;
}
