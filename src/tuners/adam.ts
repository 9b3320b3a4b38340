import { type AdamSettings, adamRule, adamSettings } from "./adamRule.ts";
import { decays } from "./descend.ts";
import { type FineTuningOptions, fineTuning, fineTuningConditions, fineTuningKeys } from "./fineTuning.ts";
import { refuseRate, refuseUnknown, refuseUnless } from "./options.ts";
import type { Tuner } from "./tuner.ts";

/** Settings of FT with Adam or AdamW. */
export type AdamOptions = FineTuningOptions & AdamSettings;

/** FT with Adam (Kingma and Ba 2015); weight decay is added to the gradient. Without it, the paper's setting, the same as `adamw`. */
export function adam(options: AdamOptions): Tuner {
  return adamTuner("adam", options, (share) => ({ toGradient: share, fromWeight: () => 0 }));
}

/** FT with AdamW (Loshchilov and Hutter 2019); weight decay acts on the weights alone. The optimizer of the authors' Trainer. */
export function adamw(options: AdamOptions): Tuner {
  return adamTuner("adamw", options, (share) => ({ toGradient: () => 0, fromWeight: share }));
}

function adamTuner(
  optimizer: string,
  options: AdamOptions,
  decayOf: (share: (name: string) => number) => NonNullable<Parameters<typeof adamRule>[1]>,
): Tuner {
  const { lr, schedule = "linear", weightDecay = 0, clipNorm = 1 } = options;
  refuseUnknown(optimizer, options, [...fineTuningKeys, "beta1", "beta2", "epsilon"]);
  refuseRate(optimizer, lr, schedule);
  refuseUnless(optimizer, fineTuningConditions({ lr, schedule, weightDecay, clipNorm }));
  const settings = adamSettings(optimizer, options);
  const rule = adamRule(
    settings,
    decayOf((name) => (decays(name.toLowerCase()) ? weightDecay : 0)),
  );
  return {
    name: "FT",
    options: { optimizer, lr, schedule, weightDecay, clipNorm, ...settings },
    begin: fineTuning(rule, { lr, schedule, clipNorm }),
    resident: { gradients: 1, optimizer: 2 },
  };
}
