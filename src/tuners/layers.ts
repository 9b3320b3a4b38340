import { KitError } from "../error.ts";
import { type Draw, norm, type Parameter, type Perturb } from "../tensor/parameter.ts";
import { defineTuner, type TunerBody } from "./define.ts";
import { lineAlong } from "./line.ts";
import { estimate, summarizeEstimate } from "./mezo.ts";
import type { Objective, Tuner } from "./tuner.ts";
import {
  describeZeroth,
  oneOf,
  refuseUnless,
  wholeFromOne,
  type Zeroth,
  type ZerothOptions,
  zerothOptions,
  zerothOrder,
} from "./zeroth.ts";

/** Weights that belong together: the embeddings, one transformer layer, or the rest. */
export interface LayerGroup {
  readonly name: string;
  readonly parameters: readonly Parameter[];
}

/** The weights by layer, in the order of their first ones: "embedding", "layer 0", …, and "rest" (final norms, heads). */
export function layerGroups(theta: readonly Parameter[]): LayerGroup[] {
  const groups = new Map<string, Parameter[]>();
  for (const weight of theta) {
    const name = groupOf(weight.name);
    groups.set(name, [...(groups.get(name) ?? []), weight]);
  }
  return [...groups].map(([name, parameters]) => ({ name, parameters }));
}

function groupOf(weight: string): string {
  const layer = /(?:^|\.)layers?\.(\d+)\./.exec(weight);
  if (layer) return `layer ${layer[1]}`;
  return weight.includes("embed") ? "embedding" : "rest";
}

/**
 * How large each group's gradient is, without backpropagation (as Tables 8 to 10 need it): |L(theta + eps z) − L(theta − eps z)| / (2 eps),
 * with z zero outside the group. Two forward passes a group; theta ends where it was, up to rounding.
 */
export async function layerGradientNorms(
  groups: readonly LayerGroup[],
  objective: Objective,
  {
    noise,
    eps,
    z,
    tuner,
  }: { readonly noise: Perturb; readonly eps: number; readonly z: Draw; readonly tuner?: string },
): Promise<number[]> {
  const norms: number[] = [];
  for (const { parameters } of groups) {
    const { projectedGrad } = await estimate(lineAlong(parameters, objective, noise, z, tuner), eps);
    norms.push(Math.abs(projectedGrad));
  }
  return norms;
}

/** Settings of MeZO with perturbations scaled by layer. */
export interface ModifiedOptions extends ZerothOptions {
  /**
   * What d is, one number for each group of `layerGroups`: the norm of its weights, or that of its gradient, estimated without
   * backpropagation or exact by it, which takes fine-tuning's memory for the steps that measure.
   */
  readonly scaledBy: "parameter norm" | "gradient norm" | "exact gradient norm";
  /** After how many steps d is measured again; where it is left out, only before the first. */
  readonly every?: number;
}

/** The variance-modified estimate (Tables 8 and 9): perturbs by z / d and estimates with d z, so that the expectation stays. */
export const varianceModified: (options: ModifiedOptions) => Tuner = defineModified(
  "MeZO-variance-modified",
  (noise, d) => scaled(noise, (name) => d.get(name)!),
);

/** The expectation-modified estimate (Table 10): perturbs by z / d and estimates with z, a gradient normalised by layer. */
export const expectationModified: (options: ModifiedOptions) => Tuner = defineModified(
  "MeZO-expectation-modified",
  (noise) => noise,
);

/** d by the weight's name. */
type Scales = ReadonlyMap<string, number>;

/** MeZO along two noises: z / d to estimate, and another to descend by. */
function defineModified(
  name: string,
  toDescend: (noise: Perturb, d: Scales) => Perturb,
): (options: ModifiedOptions) => Tuner {
  return defineTuner(name, (options): TunerBody => {
    const settings = zerothOptions(name, options, ["scaledBy", "every"]);
    const { eps, weightDecay, noise } = settings;
    const { scaledBy, every = Number.MAX_SAFE_INTEGER } = options;
    refuseUnless(name, [oneOf("scaledBy", scaledBy, Object.keys(MEASURES)), wholeFromOne("every", every)]);
    const start = zerothOrder(settings, (theta) => {
      const groups = layerGroups(theta);
      let d: Scales | undefined;
      let age = 0;
      return async ({ objective, z, lr }) => {
        if (!d || age >= every) {
          d = scalesOf(groups, await MEASURES[scaledBy](groups, objective, settings, { ...z, index: 1 }));
          age = 0;
        }
        age++;
        const divided = scaled(noise, (weight) => 1 / d!.get(weight)!);
        const found = await estimate(lineAlong(theta, objective, divided, z, name), eps);
        const descent = lineAlong(theta, objective, toDescend(noise, d), z);
        descent.perturb(-lr * found.projectedGrad);
        descent.settle(lr * weightDecay);
        return summarizeEstimate(found);
      };
    });
    const again = options.every === undefined ? {} : { every };
    const begin: Tuner["begin"] = (theta) => start(theta); // norms are read between the sweeps
    const resident = { gradients: scaledBy === "exact gradient norm" ? 1 : 0, optimizer: 0 };
    return { options: { ...describeZeroth(settings), scaledBy, ...again }, begin, resident };
  });
}

/** How each group's d is measured. The gradient's estimate has a z of its own, that of index 1. */
const MEASURES = {
  "parameter norm": async (groups: readonly LayerGroup[]): Promise<number[]> =>
    Promise.all(groups.map(({ parameters }) => norm(parameters.map(({ value }) => value)))),
  "gradient norm": (groups: readonly LayerGroup[], objective: Objective, settings: Zeroth, z: Draw) =>
    layerGradientNorms(groups, objective, { ...settings, z }),
  "exact gradient norm": async (groups: readonly LayerGroup[], { gradientNorms }: Objective) => {
    if (gradientNorms) return gradientNorms(groups.map(({ parameters }) => parameters));
    throw new KitError(
      'The perturbations were to be divided by the exact norm of the gradient, but the objective has none: scale by the "gradient norm", which forward passes estimate.',
    );
  },
} as const;

function scalesOf(groups: readonly LayerGroup[], norms: readonly number[]): Scales {
  const zero = groups.find((_, i) => !(norms[i]! > 0));
  if (zero)
    throw new KitError(
      `The perturbations were to be divided by a norm for each layer, but that of "${zero.name}" is 0; scale by the other norm, or use mezo.`,
    );
  return new Map(groups.flatMap(({ parameters }, i) => parameters.map(({ name }) => [name, norms[i]!] as const)));
}

/** The noise with z multiplied by a factor for each weight; weights with the same factor are swept together. */
function scaled(noise: Perturb, factorOf: (weight: string) => number): Perturb {
  return (theta, scale, z, keep) => {
    const byFactor = new Map<number, Parameter[]>();
    for (const weight of theta) {
      const factor = factorOf(weight.name);
      byFactor.set(factor, [...(byFactor.get(factor) ?? []), weight]);
    }
    for (const [factor, weights] of byFactor) noise(weights, scale * factor, z, keep);
  };
}
