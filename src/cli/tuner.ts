import { gaussian, rademacher } from "../tensor/perturb.ts";
import { mezo } from "../tuners/mezo.ts";
import type { Tuner } from "../tuners/tuner.ts";
import type { CliOptions } from "./options.ts";

/** Returns the tuner that the options describe. Throws a KitError for settings that it cannot take. */
export function tunerOf({ lr, eps, weightDecay, schedule, noise }: CliOptions): Tuner {
  return mezo({ lr, eps, weightDecay, schedule, noise: { gaussian, rademacher }[noise] });
}
