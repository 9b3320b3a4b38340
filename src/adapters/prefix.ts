import * as tf from "@tensorflow/tfjs-core";
import seedrandom from "seedrandom";
import { checkOptions, KitError } from "../error.ts";
import { packBatch } from "../nn/batch.ts";
import { featuresWithCache } from "../nn/run.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { type AdaptableNetwork, type Adapted, type Adapter, checkCount, defineAdapter, drawNormal } from "./adapter.ts";

/** Where a prefix's keys and values start: those of real tokens, or random numbers (Table 17 compares them). */
export type PrefixInit = "activations" | "random";

/** Settings of prefix tuning; the paper's are the defaults (Appendix E.5). */
export interface PrefixOptions {
  /** Keys and values per layer. */
  readonly length?: number;
  readonly init?: PrefixInit;
}

/**
 * Prefix tuning (Li and Liang 2021; Appendix E.5): in every layer each sequence attends to `length` tuned keys and values before its
 * own, while its tokens keep their positions. They start as the keys and values of `length` random vocabulary ids run through the model as
 * one sequence, which the paper found crucial under MeZO (Table 17), or as small random numbers. Throws a KitError for an
 * unknown option and an invalid value.
 */
export const prefix: (options?: PrefixOptions) => Adapter = defineAdapter("prefix", (options: PrefixOptions) => {
  const { length = 5, init = "activations", ...unknown } = options;
  checkOptions("Prefix tuning", unknown, ["length", "init"]);
  checkCount("Prefix tuning", "length", length);
  if (!Object.hasOwn(STARTS, init))
    throw new KitError(`Prefix tuning has no init "${init}": choose one of ${Object.keys(STARTS).join(", ")}.`);
  return {
    options: { length, init },
    begin: (network, at) => makePrefix(STARTS[init](network, length, at)),
  };
});

/** Keys and values [length, keyWidth] of one layer. */
export interface PrefixLayer {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
}

/** A prefix with the given tensors, one pair per layer, which become its weights. Tokens count from `firstPosition`. */
export function makePrefix(layers: readonly PrefixLayer[], firstPosition = 0): Adapted {
  const parameters = layers.flatMap(({ keys, values }, i): Parameter[] => [
    { name: `prompt_embeddings.layers.${i}.keys`, value: keys },
    { name: `prompt_embeddings.layers.${i}.values`, value: values },
  ]);
  return {
    parameters,
    embeddings: parameters.map(({ name }) => name),
    adaptation: { prefix: (layer) => layers[layer]!, ...(firstPosition > 0 && { firstPosition }) },
    dispose: () => tf.dispose(parameters.map(({ value }) => value)),
  };
}

/** The vocabulary ids, uniformly drawn, whose keys and values a prefix starts from. */
export function drawPrefixIds(length: number, { seed, vocabulary }: Parameters<Adapter["begin"]>[1]): Int32Array {
  const random = seedrandom.alea(`${seed} prefix ids`);
  return Int32Array.from({ length }, () => Math.floor(random() * vocabulary));
}

type Start = (network: AdaptableNetwork, length: number, at: Parameters<Adapter["begin"]>[1]) => PrefixLayer[];

const STARTS: Readonly<Record<PrefixInit, Start>> = {
  activations: (network, length, at) => {
    if (length > network.maxLength)
      throw new KitError(
        `A prefix of ${length} was to start from activations, but the model reads ${network.maxLength} tokens: make it shorter, or take init "random".`,
      );
    const { features, present } = featuresWithCache(network, packBatch([drawPrefixIds(length, at)]), [length - 1]);
    const layers = present.map(({ keys, values }) => ({ keys: copy(keys), values: copy(values) }));
    tf.dispose([features, ...present.flatMap(({ keys, values }) => [keys, values])]);
    return layers;
  },
  random: ({ layers, keyWidth }, length, { seed }) =>
    layers.map((_, i) => ({
      keys: drawNormal(`${seed} keys ${i}`, [length, keyWidth]),
      values: drawNormal(`${seed} values ${i}`, [length, keyWidth]),
    })),
};

/** A copy: tuners write in place, so weights must not share memory with other tensors. */
const copy = (tensor: tf.Tensor): tf.Tensor => tf.mul(tensor, 1);
