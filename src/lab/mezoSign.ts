import { update } from "../tensor/parameter.ts";
import { defineTuner } from "../tuners/define.ts";
import type { Rule } from "../tuners/fineTuning.ts";
import { decays } from "../tuners/line.ts";
import { byRule } from "../tuners/rule.ts";
import type { Tuner } from "../tuners/tuner.ts";
import { describeZeroth, type ZerothOptions, zerothOptions } from "../tuners/zeroth.ts";

/** Sign MeZO (ZO-SGD-Sign of Zhang et al. 2024, after Liu et al. 2019): every weight moves by lr against the sign of its own estimate g z. */
export const mezoSign: (options: ZerothOptions) => Tuner = defineTuner(
  "MeZO-sign",
  (options) => {
    const settings = zerothOptions("MeZO-sign", options);
    const begin = byRule(signRule(settings.weightDecay), settings);
    return { options: describeZeroth(settings), begin };
  },
  { byEstimate: true },
);

function signRule(weightDecay: number): Rule {
  return (theta) => ({
    apply: (i, gradient, { lr }) => {
      const weight = theta[i]!;
      const keep = 1 - (decays(weight.name) ? lr * weightDecay : 0);
      return update(weight, gradient, (values, g) => {
        for (let j = 0; j < values.length; j++) values[j] = keep * values[j]! - lr * Math.sign(g[j]!);
      });
    },
  });
}
