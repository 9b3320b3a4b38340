import { type Parameter, type Perturb, scaledNoise, update, zerosLike } from "../tensor/parameter.ts";
import { defineTuner } from "./define.ts";
import type { Rule } from "./fineTuning.ts";
import { decays } from "./line.ts";
import { estimate, summarizeEstimate } from "./mezo.ts";
import type { Tuner } from "./tuner.ts";
import {
  decayRate,
  describeZeroth,
  refuseUnless,
  type Zeroth,
  type ZerothOptions,
  zerothOptions,
  zerothOrder,
} from "./zeroth.ts";

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
      return summarizeEstimate(found);
    };
  });
  return (theta) => start(theta); // the weights are read between the sweeps
}

/** Settings of MeZO-momentum. */
export interface MezoMomentumOptions extends ZerothOptions {
  readonly beta?: number;
}

const NAME = "MeZO-momentum";

/**
 * MeZO-momentum: m = beta m + g z, and theta moves by −lr (m + weightDecay · theta). m takes the memory of theta;
 * z is swept into it as into theta, and never stored. `leanMomentum` computes m again at each step instead.
 */
export const mezoMomentum: (options: MezoMomentumOptions) => Tuner = defineTuner(
  NAME,
  (options) => {
    const settings = zerothOptions(NAME, options, ["beta"]);
    const { beta = 0.9 } = options;
    refuseUnless(NAME, [decayRate("beta", beta)]);
    const begin: Tuner["begin"] = (theta) => {
      const moments = zerosLike(theta);
      return {
        step: momentumSteps({ ...settings, beta }, moments)(theta).step,
        dispose: () => {
          for (const { value } of moments) value.dispose();
        },
      };
    };
    const resident = { gradients: 0, optimizer: 1 };
    return { options: { ...describeZeroth(settings), beta }, begin, resident };
  },
  { byEstimate: true },
);

function momentumSteps(
  settings: Required<MezoMomentumOptions> & { readonly noise: Perturb },
  moments: readonly Parameter[],
): Tuner["begin"] {
  const { eps, weightDecay, noise, beta } = settings;
  return zerothOrder(settings, (theta, along) => async ({ objective, z, lr }) => {
    const found = await estimate(along(theta, objective, z), eps);
    noise(moments, found.projectedGrad, z, beta);
    for (const [i, weight] of theta.entries()) {
      const keep = 1 - (decays(weight.name) ? lr * weightDecay : 0);
      await update(weight, moments[i]!.value, (values, m) => subtract(values, m, keep, lr));
    }
    return summarizeEstimate(found);
  });
}

/** theta = keep · theta − lr · m. */
export function subtract(theta: Float32Array, m: Float32Array, keep: number, lr: number): void {
  for (let i = 0; i < theta.length; i++) theta[i] = keep * theta[i]! - lr * m[i]!;
}
