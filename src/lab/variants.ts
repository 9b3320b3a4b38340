import { update } from "../tensor/parameter.ts";
import { defineTuner } from "../tuners/define.ts";
import { estimateAll } from "../tuners/estimates.ts";
import type { Rule } from "../tuners/fineTuning.ts";
import { type LayerGroup, layerGroups } from "../tuners/layers.ts";
import { decays, type Line } from "../tuners/line.ts";
import { estimate, finiteLoss, summarizeEstimate, summarizeEstimates } from "../tuners/mezo.ts";
import { byRule } from "../tuners/rules.ts";
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

const LAYERS = "MeZO-layers";

/** MeZO by layers, as the authors' code offers it: a pair of forward passes for each group, perturbing that group alone, all from the same weights. */
export const mezoLayers: (options: MezoLayersOptions) => Tuner = defineTuner(LAYERS, (options) => {
  const settings = zerothOptions(LAYERS, options, ["groups"]);
  const { eps, weightDecay } = settings;
  const { groups = "all" } = options;
  refuseUnless(LAYERS, [oneOf("groups", groups, Object.keys(CHOICES))]);
  const begin = zerothOrder(settings, (theta, along) => {
    const all = layerGroups(theta);
    return async ({ objective, z, lr, step }) => {
      const lines = CHOICES[groups](all, step).map(({ parameters }) => along(parameters, objective, z));
      const found = await estimateAll(lines, eps);
      lines.forEach((line, i) => {
        line.perturb(-lr * found[i]!.projectedGrad);
        line.settle(lr * weightDecay);
      });
      return summarizeEstimates(found);
    };
  });
  return { options: { ...describeZeroth(settings), groups }, begin };
});

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

/** Settings of conservative MeZO: those of MeZO without weight decay. */
export type MezoConservativeOptions = Omit<ZerothOptions, "weightDecay">;

const CONSERVATIVE = "MeZO-conservative";

/**
 * Conservative MeZO (ZO-SGD-Cons of Zhang et al. 2024): of theta, theta − lr g z and theta + lr g z, the one with the lowest loss on
 * the step's batch is kept. Five forward passes. `lr` of a step is the rate that was taken: 0 where theta stayed, negative where it went the other way.
 */
export const mezoConservative: (options: MezoConservativeOptions) => Tuner = defineTuner(CONSERVATIVE, (options) => {
  refuseUnless(CONSERVATIVE, [[!("weightDecay" in options), "has no option weightDecay, which no loss would judge"]]);
  const { weightDecay: _, ...settings } = zerothOptions(CONSERVATIVE, options);
  const begin = zerothOrder(settings, (theta, along) => async ({ objective, z, lr }) => {
    const found = await estimate(along(theta, objective, z), settings.eps);
    const line = along(theta, { value: () => objective.value() }, z); // each place has a loss of its own
    const loss = await finiteLoss(line);
    const way = await goBestWay(line, loss, lr * found.projectedGrad);
    return { ...summarizeEstimate(found), lr: way * lr, loss };
  });
  return { options: describeZeroth(settings), begin };
});

/** Moves theta, where the loss is `here`, to the best of the three places: 1 is down the estimate, −1 up, 0 where it was. */
async function goBestWay(line: Line, here: number, length: number): Promise<1 | 0 | -1> {
  line.perturb(-length);
  const down = await line.loss();
  line.perturb(2 * length);
  const up = await line.loss();
  if (up < here && !(down <= up)) return -1;
  const way = down < here ? 1 : 0;
  line.perturb(way === 1 ? -2 * length : -length);
  line.settle();
  return way;
}
