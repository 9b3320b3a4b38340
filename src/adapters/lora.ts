import * as tf from "@tensorflow/tfjs";
import seedrandom from "seedrandom";
import { checkOptions, KitError } from "../error.ts";
import { multiply } from "../kernels/elementwise.ts";
import { linear } from "../kernels/linear.ts";
import type { Correction } from "../nn/network.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { AdaptableNetwork, Adapted, Adapter } from "./adapter.ts";
import { checkCount } from "./options.ts";

/** Settings of LoRA; the paper's are the defaults (Appendix E.5). */
export interface LoraOptions {
  /** Rows of A, columns of B. */
  readonly rank?: number;
  /** The correction is multiplied by alpha / rank. */
  readonly alpha?: number;
}

/**
 * LoRA (Hu et al. 2021; Appendix E.5): the query and value projections of every layer give W x + (alpha / rank) B A x, where A
 * [rank, in] is drawn uniformly from ±1/√in and B [out, rank] is 0, so that the adapted network starts as the network itself.
 * At the start only B has a gradient, yet MeZO perturbs both, as in the authors' code. The paper's equation 6 names A and B the
 * other way round. Throws a KitError for an option that it does not have, and for a rank or alpha that makes no sense.
 */
export function lora(options: LoraOptions = {}): Adapter {
  const { rank = 8, alpha = 16, ...unknown } = options;
  checkOptions("LoRA", unknown, ["rank", "alpha"]);
  checkCount("LoRA", "rank", rank);
  if (!(alpha > 0 && Number.isFinite(alpha))) throw new KitError(`LoRA needs an alpha above 0, not ${alpha}.`);
  return {
    name: "LoRA",
    options: { rank, alpha },
    begin: (network, { seed }) =>
      loraWith(alpha / rank, projectionsOf(network), ({ name, out, from }) => ({
        a: tf.tensor2d(kaimingUniform(`${seed} ${name}`, rank * from, from), [rank, from]),
        b: tf.zeros([out, rank]),
      })),
  };
}

/** A projection that LoRA adapts, by the name of its weight [out, from] without ".weight". */
export interface Projection {
  readonly name: string;
  readonly out: number;
  readonly from: number;
}

/** The query and value projections of every layer, in order. */
export function projectionsOf({ layers, parameters }: AdaptableNetwork): Projection[] {
  const shapes = new Map(parameters.map(({ name, value }) => [name, value.shape]));
  return layers.flatMap(({ query, value }) =>
    [query, value].map((name) => {
      const [out, from] = shapes.get(`${name}.weight`)! as [number, number];
      return { name, out, from };
    }),
  );
}

/** Names of a projection's weights, as Python's PEFT has them. */
export function loraNames(projection: string): { readonly a: string; readonly b: string } {
  const base = `base_model.model.${projection}`;
  return { a: `${base}.lora_A.weight`, b: `${base}.lora_B.weight` };
}

/** The pairs among an adapter's weights by their projections' names: none where it is no LoRA. */
export function loraPairs(parameters: readonly Parameter[]): Map<string, LoraPair> {
  const values = new Map(parameters.map(({ name, value }) => [name, value]));
  const projections = parameters.flatMap(
    ({ name }) => /^base_model\.model\.(.+)\.lora_A\.weight$/.exec(name)?.[1] ?? [],
  );
  return new Map(
    projections.map((projection) => {
      const { a, b } = loraNames(projection);
      return [projection, { a: values.get(a)!, b: values.get(b)! }];
    }),
  );
}

/** A [rank, in] and B [out, rank] of one projection. */
export interface LoraPair {
  readonly a: tf.Tensor;
  readonly b: tf.Tensor;
}

/** LoRA with the weights that `pairOf` makes; `scale` is alpha / rank. */
export function loraWith(
  scale: number,
  projections: readonly Projection[],
  pairOf: (projection: Projection) => LoraPair,
): Adapted {
  const pairs = new Map(projections.map((projection) => [projection.name, pairOf(projection)]));
  const correction = (projection: string): Correction | undefined => {
    const pair = pairs.get(projection);
    return pair && ((x) => tf.tidy(() => linear(multiply(linear(x, pair.a), scale), pair.b)));
  };
  const parameters = [...pairs].flatMap(([name, { a, b }]): Parameter[] => {
    const names = loraNames(name);
    return [
      { name: names.a, value: a },
      { name: names.b, value: b },
    ];
  });
  return { parameters, adaptation: { correction }, dispose: () => tf.dispose(parameters.map(({ value }) => value)) };
}

/** PyTorch's kaiming_uniform_ with a = √5: uniform between ±1/√from. */
function kaimingUniform(seed: string, size: number, from: number): Float32Array {
  const random = seedrandom.alea(seed);
  return Float32Array.from({ length: size }, () => (2 * random() - 1) / Math.sqrt(from));
}
