import { KitError } from "../error.ts";
import { type Draw, norm, type Parameter, type Perturb } from "../tensor/parameter.ts";
import { descend } from "./descend.ts";
import { type LayerGroup, layerGradientNorms, layerGroups } from "./layers.ts";
import {
  describe,
  oneOf,
  refuseUnless,
  wholeFromOne,
  type Zeroth,
  type ZerothOptions,
  zerothOptions,
} from "./options.ts";
import { scheduled } from "./schedule.ts";
import { estimate, meanLoss } from "./spsa.ts";
import type { Objective, Training, Tuner } from "./tuner.ts";

/** Settings of MeZO with perturbations scaled by layer. */
export interface ModifiedOptions extends ZerothOptions {
  /** What d is, one number for each group of `layerGroups`: the norm of its weights, or that of its gradient, estimated without backpropagation. */
  readonly scaledBy: "parameter norm" | "gradient norm";
  /** After how many steps d is measured again; where it is left out, only before the first. */
  readonly every?: number;
}

/** The variance-modified estimate (Tables 8 and 9): perturbs by z / d and estimates with d z, so that the expectation stays. */
export function varianceModified(options: ModifiedOptions): Tuner {
  return modified("MeZO-variance-modified", options, (noise, d) => scaled(noise, (name) => d.get(name)!));
}

/** The expectation-modified estimate (Table 10): perturbs by z / d and estimates with z, a gradient normalised by layer. */
export function expectationModified(options: ModifiedOptions): Tuner {
  return modified("MeZO-expectation-modified", options, (noise) => noise);
}

/** d by the weight's name. */
type Scales = ReadonlyMap<string, number>;

function modified(name: string, options: ModifiedOptions, along: (noise: Perturb, d: Scales) => Perturb): Tuner {
  const settings = zerothOptions(name, options, ["scaledBy", "every"]);
  const { lr: peak, eps, schedule, weightDecay, noise } = settings;
  const { scaledBy, every = Number.MAX_SAFE_INTEGER } = options;
  refuseUnless(name, [oneOf("scaledBy", scaledBy, Object.keys(MEASURES)), wholeFromOne("every", every)]);
  const begin: Tuner["begin"] = (theta) => {
    const groups = layerGroups(theta);
    let d: Scales | undefined;
    let age = 0;
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const lr = peak * scheduled(schedule, step, total);
      if (!d || age >= every) {
        d = scalesOf(groups, await MEASURES[scaledBy](groups, objective, settings, { ...z, index: 1 }));
        age = 0;
      }
      age++;
      const perDivided = scaled(noise, (weight) => 1 / d!.get(weight)!);
      const found = await estimate(theta, objective, { noise: perDivided, eps, z });
      descend(theta, along(noise, d), z, { by: lr * found.projectedGrad, decay: lr * weightDecay });
      return { lr, loss: meanLoss(found), ...found };
    };
    return { step, dispose: () => {} };
  };
  const again = options.every === undefined ? {} : { every };
  return { name, options: { ...describe(settings), scaledBy, ...again }, begin };
}

/** How each group's d is measured. The gradient's estimate has a z of its own, that of index 1. */
const MEASURES = {
  "parameter norm": async (groups: readonly LayerGroup[]): Promise<number[]> =>
    Promise.all(groups.map(({ parameters }) => norm(parameters.map(({ value }) => value)))),
  "gradient norm": (groups: readonly LayerGroup[], objective: Objective, { noise, eps }: Zeroth, z: Draw) =>
    layerGradientNorms(groups, objective, { noise, eps, z }),
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
