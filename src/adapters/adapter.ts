import * as tf from "@tensorflow/tfjs-core";
import seedrandom from "seedrandom";
import { KitError } from "../error.ts";
import type { LanguageModel, LoadedNetwork } from "../models/network.ts";
import type { Adaptation, Head } from "../nn/network.ts";
import type { Parameter } from "../tensor/parameter.ts";

/**
 * What adapters need to know of a model: how it runs, and its weights by checkpoint name. They change neither; one that trains these too
 * restores them when it is disposed of.
 */
export type AdaptableNetwork = Omit<LoadedNetwork, "restore" | "dispose"> & Partial<Pick<LoadedNetwork, "restore">>;

/** An adapter's options as a run's header has them. */
export type AdapterOptions = Readonly<Record<string, string | number | boolean>>;

/** An adapter: a value that says what to add to a network, and makes the weights for it. */
export interface Adapter {
  /** As the paper's tables print it. */
  readonly name: string;
  /** Everything that a run's header needs to repeat it. */
  readonly options: AdapterOptions;
  /** New weights for the network, drawn by the seed; the network itself is not touched. `vocabulary` counts the token ids in use. */
  begin(network: AdaptableNetwork, at: { readonly seed: number; readonly vocabulary: number }): Adapted;
}

/** What LoRA adds to one projection: B A x, times alpha and by the rank. */
export interface LoraPart {
  /** [rank, in] */
  readonly a: tf.Tensor;
  /** [out, rank] */
  readonly b: tf.Tensor;
  readonly alpha: number;
}

/** LoRA's parts, by the names of the projections that they belong to. */
export interface LoraParts {
  readonly parts: ReadonlyMap<string, LoraPart>;
  /** Whether B A x is multiplied by alpha / √rank (rsLoRA; Kalajdzievski 2023) instead of alpha / rank. */
  readonly rankStabilized: boolean;
}

/**
 * A network's adapter with its weights. `{ ...network, adaptation }` is the adapted network, with `head` in place of its own where
 * there is one. Only `parameters` are trained. Unlike the paper, whose code leaves RoBERTa's output head trainable beside LoRA: here
 * everything but the adapter stands still.
 */
export interface Adapted {
  readonly parameters: readonly Parameter[];
  readonly adaptation: Adaptation;
  readonly head?: Head;
  /** How many answers the head tells apart, by their places, where it has a row for each and none for words. */
  readonly classes?: number;
  /** What a LoRA consists of. */
  readonly lora?: LoraParts;
  /** Names of those of its weights that are looked up row by row instead of multiplied with. */
  readonly embeddings?: readonly string[];
  /** Frees the adapter's weights. */
  dispose(): void;
}

/** The model with an adapter beside its weights; it reads fewer tokens where the adapter takes positions. */
export function adaptedModel(model: LanguageModel, adapted: Adapted): LanguageModel {
  const { adaptation, head, classes, embeddings = [] } = adapted;
  const maxLength = model.maxLength - (adaptation.firstPosition ?? 0);
  const own = { maxLength, adaptation, embeddings: [...model.embeddings, ...embeddings] };
  return { ...model, ...own, ...(head && { head }), ...(classes !== undefined && { classes }) };
}

/** Throws a KitError unless an option is a whole number from 1 on. */
export function checkCount(adapter: string, option: string, value: number): void {
  if (!(Number.isInteger(value) && value >= 1))
    throw new KitError(`${adapter} needs a whole number from 1 on as ${option}, not ${value}.`);
}

/** Standard deviation of random starts: that of the models' own weights before pretraining. */
const RANDOM_DEVIATION = 0.02;

/** A matrix of new weights as models have them before pretraining: normal, by Box and Muller's transform of uniform numbers. */
export function drawNormal(seed: string, [rows, width]: readonly [number, number]): tf.Tensor2D {
  const random = seedrandom.alea(seed);
  const values = Float32Array.from(
    { length: rows * width },
    () => RANDOM_DEVIATION * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
  return tf.tensor2d(values, [rows, width]);
}

const makers = new Map<string, (options: never) => Adapter>();

/**
 * Defines an adapter: runs name it, and its options as `options` gives them make it again, so that runs can be resumed and replayed
 * wherever the file that defines it is imported. A later definition of a name replaces an earlier one.
 */
export function defineAdapter<Options extends object>(
  name: string,
  make: (options: Options) => Omit<Adapter, "name">,
): (options?: Options) => Adapter {
  const adapter = (options = {} as Options): Adapter => ({ name, ...make(options) });
  makers.set(name, adapter);
  return adapter;
}

/** The adapter of that name with the options that a run's header has. Throws a KitError where none is defined. */
export function adapterNamed(name: string, options: AdapterOptions): Adapter {
  const make = makers.get(name);
  if (make) return make(options as never);
  throw new KitError(
    `A run's adapter was to be replayed, but no adapter "${name}" is defined: import the file that defines it; defined are ${[...makers.keys()].join(", ")}.`,
  );
}
