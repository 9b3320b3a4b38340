import { defineTuner } from "../tuners/define.ts";
import { type LayerGroup, layerGroups } from "../tuners/layers.ts";
import { type Estimate, estimate, reportAll } from "../tuners/mezo.ts";
import type { Tuner } from "../tuners/tuner.ts";
import {
  describeZeroth,
  oneOf,
  refuseUnless,
  type ZerothOptions,
  zerothOptions,
  zerothOrder,
} from "../tuners/zeroth.ts";

/** Settings of MeZO by layers. */
export interface MezoLayersOptions extends ZerothOptions {
  /** The groups of `layerGroups` that a step moves: one after the other, or all. */
  readonly groups?: "cycle" | "all";
}

const CHOICES = {
  cycle: (groups: readonly LayerGroup[], step: number): readonly LayerGroup[] => [groups[step % groups.length]!],
  all: (groups: readonly LayerGroup[]): readonly LayerGroup[] => groups,
} as const;

const NAME = "MeZO-layers";

/** MeZO by layers, as the authors' code offers it: a pair of forward passes for each group, perturbing that group alone, all from the same weights. */
export const mezoLayers: (options: MezoLayersOptions) => Tuner = defineTuner(NAME, (options) => {
  const settings = zerothOptions(NAME, options, ["groups"]);
  const { eps, weightDecay } = settings;
  const { groups = "all" } = options;
  refuseUnless(NAME, [oneOf("groups", groups, Object.keys(CHOICES))]);
  const begin = zerothOrder(settings, (theta, along) => {
    const all = layerGroups(theta);
    return async ({ objective, z, lr, step }) => {
      const lines = CHOICES[groups](all, step).map(({ parameters }) => along(parameters, objective, z));
      const found: Estimate[] = [];
      for (const line of lines) found.push(await estimate(line, eps));
      lines.forEach((line, i) => {
        line.perturb(-lr * found[i]!.projectedGrad);
        line.settle(lr * weightDecay);
      });
      return reportAll(found);
    };
  });
  return { options: { ...describeZeroth(settings), groups }, begin };
});
