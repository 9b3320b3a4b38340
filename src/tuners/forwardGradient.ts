import { KitError, NotFinite } from "../error.ts";
import { forwardDerivative, type TangentOf } from "../lab/forwardMode.ts";
import { drawn, type Parameter } from "../tensor/parameter.ts";
import { descend } from "./descend.ts";
import { describe, refuseUnknown, type ZerothOptions, zerothOptions } from "./options.ts";
import { scheduled } from "./schedule.ts";
import type { Derivative, Objective, Training, Tuner } from "./tuner.ts";

/** Settings of the forward gradient: those of MeZO without eps. */
export type ForwardGradientOptions = Omit<ZerothOptions, "eps">;

/**
 * The forward gradient (Baydin et al. 2022; Table 12): MeZO with the exact derivative along z, by one pass in forward
 * mode, in place of the difference. Unlike the paper, which found that z must be stored, z is made anew for each use of a weight.
 */
export function forwardGradient(options: ForwardGradientOptions): Tuner {
  const name = "forward-gradient";
  refuseUnknown(name, options, ["lr", "schedule", "weightDecay", "noise"]);
  const { eps: _, ...settings } = zerothOptions(name, options);
  const { lr: peak, schedule, weightDecay, noise } = settings;
  const begin: Tuner["begin"] = (theta) => {
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const lr = peak * scheduled(schedule, step, total);
      const { loss, derivative } = derivativeOf(objective, theta, (weight) => drawn(weight, noise, z));
      if (!Number.isFinite(loss) || !Number.isFinite(derivative))
        throw new NotFinite(
          `The forward gradient stopped at step ${step}: the loss is ${loss} and its derivative along z ${derivative}; ${step === 0 ? "take another model" : "try a learning rate ten times smaller"}.`,
        );
      descend(theta, noise, z, { by: lr * derivative, decay: lr * weightDecay });
      return { lr, loss, projectedGrad: derivative };
    };
    return { step, dispose: () => {} };
  };
  return { name, options: describe(settings), begin };
}

function derivativeOf(objective: Objective, theta: readonly Parameter[], tangentOf: TangentOf): Derivative {
  if (!objective.derivative)
    throw new KitError(
      "Forward mode cannot be used with this objective, which has no derivative; use MeZO, which needs only the objective's value.",
    );
  return objective.derivative(theta, tangentOf, (body, tail) => forwardDerivative(body, tail, theta, tangentOf));
}
