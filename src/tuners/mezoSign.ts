import { update } from "../tensor/parameter.ts";
import { decays } from "./descend.ts";
import { estimated } from "./estimated.ts";
import { describe, type ZerothOptions, zerothOptions } from "./options.ts";
import type { Rule } from "./rule.ts";
import type { Tuner } from "./tuner.ts";

/** Sign MeZO (ZO-SGD-Sign of Zhang et al. 2024, after Liu et al. 2019): every weight moves by lr against the sign of its own estimate g z. */
export function mezoSign(options: ZerothOptions): Tuner {
  const name = "MeZO-sign";
  const settings = zerothOptions(name, options);
  return { name, options: describe(settings), begin: estimated(signRule(settings.weightDecay), settings) };
}

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
