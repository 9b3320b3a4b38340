import { descend } from "./descend.ts";
import { type LayerGroup, layerGroups } from "./layers.ts";
import { summary } from "./nSpsa.ts";
import { describe, oneOf, refuseUnless, type ZerothOptions, zerothOptions } from "./options.ts";
import { scheduled } from "./schedule.ts";
import { type Estimate, estimate } from "./spsa.ts";
import type { Training, Tuner } from "./tuner.ts";

/** Settings of MeZO by layers. */
export interface MezoLayersOptions extends ZerothOptions {
  /** The groups of `layerGroups` that a step moves: one after the other, or all. */
  readonly groups?: "cycle" | "all";
}

const CHOICES = {
  cycle: (groups: readonly LayerGroup[], step: number): readonly LayerGroup[] => [groups[step % groups.length]!],
  all: (groups: readonly LayerGroup[]): readonly LayerGroup[] => groups,
} as const;

/** MeZO by layers, as the authors' code offers it: a pair of forward passes for each group, perturbing that group alone, all from the same weights. */
export function mezoLayers(options: MezoLayersOptions): Tuner {
  const name = "MeZO-layers";
  const settings = zerothOptions(name, options, ["groups"]);
  const { lr: peak, eps, schedule, weightDecay, noise } = settings;
  const { groups: choice = "all" } = options;
  refuseUnless(name, [oneOf("groups", choice, Object.keys(CHOICES))]);
  const begin: Tuner["begin"] = (theta) => {
    const all = layerGroups(theta);
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const lr = peak * scheduled(schedule, step, total);
      const chosen = CHOICES[choice](all, step);
      const found: Estimate[] = [];
      for (const { parameters } of chosen) found.push(await estimate(parameters, objective, { noise, eps, z }));
      chosen.forEach(({ parameters }, i) => {
        descend(parameters, noise, z, { by: lr * found[i]!.projectedGrad, decay: lr * weightDecay });
      });
      return { lr, ...summary(found) };
    };
    return { step, dispose: () => {} };
  };
  return { name, options: { ...describe(settings), groups: choice }, begin };
}
