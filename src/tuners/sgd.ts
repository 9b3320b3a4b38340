import { update } from "../tensor/parameter.ts";
import { type FineTuningOptions, fineTuning, fineTuningConditions, fineTuningKeys, type Rule } from "./fineTuning.ts";
import { decays } from "./line.ts";
import type { Tuner } from "./tuner.ts";
import { decayRate, refuseRate, refuseUnknown, refuseUnless } from "./zeroth.ts";

/** Settings of FT with SGD. */
export interface SgdOptions extends FineTuningOptions {
  readonly momentum?: number;
}

/** FT with stochastic gradient descent, with momentum as PyTorch has it (m = momentum · m + g); weight decay is added to the gradient. */
export function sgd(options: SgdOptions): Tuner {
  const { lr, momentum = 0, schedule = "linear", weightDecay = 0, clipNorm = 1 } = options;
  refuseUnknown("sgd", options, [...fineTuningKeys, "momentum"]);
  refuseRate("sgd", lr, schedule);
  refuseUnless("sgd", [
    decayRate("momentum", momentum),
    ...fineTuningConditions({ lr, schedule, weightDecay, clipNorm }),
  ]);
  const rule = sgdRule(momentum, (name) => (decays(name.toLowerCase()) ? weightDecay : 0));
  return {
    name: "FT",
    options: { optimizer: "sgd", lr, momentum, schedule, weightDecay, clipNorm },
    begin: fineTuning(rule, { lr, schedule, clipNorm }),
    resident: { gradients: 1, optimizer: momentum === 0 ? 0 : 1 },
  };
}

/** Without momentum there is no state. */
function sgdRule(momentum: number, decayOf: (name: string) => number): Rule {
  return (theta) => {
    const moments = theta.map(({ value }) => new Float32Array(momentum === 0 ? 0 : value.size));
    return {
      apply: (i, gradient, { lr, scale }) => {
        const [weight, m] = [theta[i]!, moments[i]!];
        const l2 = decayOf(weight.name);
        return update(weight, gradient, (values, gradients) => {
          for (let j = 0; j < values.length; j++) {
            let g = scale * gradients[j]! + l2 * values[j]!;
            if (momentum !== 0) g = m[j] = momentum * m[j]! + g;
            values[j] = values[j]! - lr * g;
          }
        });
      },
    };
  };
}
