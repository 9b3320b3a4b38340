import { KitError, NotFinite } from "../error.ts";
import { type Parameter, scaledNoise } from "../tensor/parameter.ts";
import { defineTuner } from "../tuners/define.ts";
import type { Derivative, Objective, Tuner } from "../tuners/tuner.ts";
import { describeZeroth, refuseUnknown, type ZerothOptions, zerothOptions, zerothOrder } from "../tuners/zeroth.ts";
import { forwardDerivative, type TangentOf } from "./forwardMode.ts";

/** Settings of the forward gradient: those of MeZO without eps. */
export type ForwardGradientOptions = Omit<ZerothOptions, "eps">;

const NAME = "forward-gradient";

/**
 * The forward gradient (Baydin et al. 2022; Table 12): MeZO with the exact derivative along z, by one pass in forward
 * mode, in place of the difference. Unlike the paper, which found that z must be stored, z is generated again for each use of a weight.
 */
export const forwardGradient: (options: ForwardGradientOptions) => Tuner = defineTuner(NAME, (options) => {
  refuseUnknown(NAME, options, ["lr", "schedule", "weightDecay", "noise"]);
  const { eps: _, ...settings } = zerothOptions(NAME, options);
  const { weightDecay } = settings;
  const begin = zerothOrder(settings, (theta, along, noise) => async ({ objective, z, lr, step }) => {
    const { loss, derivative } = derivativeOf(objective, theta, (weight) => scaledNoise(weight, noise, z));
    if (!Number.isFinite(loss) || !Number.isFinite(derivative))
      throw new NotFinite(
        `The forward gradient stopped at step ${step}: the loss is ${loss} and its derivative along z ${derivative}; ${step === 0 ? "take another model" : "try a learning rate ten times smaller"}.`,
      );
    const line = along(theta, objective, z);
    line.perturb(-lr * derivative);
    line.settle(lr * weightDecay);
    return { loss, projectedGrad: derivative };
  });
  return { options: describeZeroth(settings), begin };
});

function derivativeOf(objective: Objective, theta: readonly Parameter[], tangentOf: TangentOf): Derivative {
  if (!objective.derivative)
    throw new KitError(
      "Forward mode cannot be used with this objective, which has no derivative; use MeZO, which needs only the objective's value.",
    );
  return objective.derivative(theta, tangentOf, (body, tail) => forwardDerivative(body, tail, theta, tangentOf));
}
