import { type AdamSettings, adamRule, adamSettings } from "./adamRule.ts";
import { decays } from "./descend.ts";
import { estimated } from "./estimated.ts";
import { describe, type ZerothOptions, zerothOptions } from "./options.ts";
import type { Tuner } from "./tuner.ts";

/** Settings of MeZO-Adam; the paper's grid is in Table 15. */
export type MezoAdamOptions = ZerothOptions & AdamSettings;

/**
 * MeZO-Adam (Table 18): Adam along MeZO's estimate. Its moments take twice the memory of theta. `leanAdam` makes them
 * anew instead. Weight decay is added to the gradient, as in Adam.
 */
export function mezoAdam(options: MezoAdamOptions): Tuner {
  const name = "MeZO-Adam";
  const settings = zerothOptions(name, options, ["beta1", "beta2", "epsilon"]);
  const adam = adamSettings(name, options);
  const toGradient = (weight: string): number => (decays(weight) ? settings.weightDecay : 0);
  const rule = adamRule(adam, { toGradient, fromWeight: () => 0 });
  const resident = { gradients: 0, optimizer: 2 };
  return { name, options: { ...describe(settings), ...adam }, begin: estimated(rule, settings), resident };
}
