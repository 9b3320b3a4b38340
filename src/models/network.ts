import * as tf from "@tensorflow/tfjs-core";
import type { Checkpoint } from "../checkpoints/folder.ts";
import type { Network } from "../nn/network.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Progress } from "../tensor/progress.ts";
import type { HalfKind } from "../tensor/source.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Limits } from "./family.ts";
import { fillFrom, planNetwork, type WeightOptions, weightMaker } from "./weights.ts";

/** A network with the weights of a checkpoint in it. */
export interface LoadedNetwork extends Network, Limits {
  /** All weights, a tied output matrix once; tuners change their values in place. */
  readonly parameters: readonly Parameter[];
  /** Names of the matrices that checkpoints hold as [in, out]; here all are [out, in]. */
  readonly transposed?: readonly string[];
  /** Reads the weights from the checkpoint again, in place: undoes all tuning without ever keeping a second copy. */
  restore(): void;
  /** Frees the weights. */
  dispose(): void;
}

/**
 * Builds the network of a checkpoint, reading tensor by tensor, so that the checkpoint is never held twice. Throws a KitError for
 * an architecture that is not known, and one that names every missing, misshapen and unknown tensor.
 */
export function loadNetwork(checkpoint: Checkpoint, options: WeightOptions = {}, onProgress?: Progress): LoadedNetwork {
  const make = weightMaker(options);
  const { family, shapes, stored, limits } = planNetwork(checkpoint);
  const parameters: Parameter[] = [];
  const dispose = (): void => tf.dispose(parameters.map(({ value }) => value));
  try {
    for (const [name, shape] of shapes) {
      parameters.push({ name, ...make(stored.get(name)!, shape, name) });
      onProgress?.({ label: "loading weights", done: parameters.length, total: shapes.size });
    }
  } catch (error) {
    dispose();
    throw error;
  }
  const byName = new Map(parameters.map(({ name, value }) => [name, value]));
  return {
    parameters,
    transposed: [...shapes.keys()].filter((name) => family.isTransposed?.(name)),
    ...limits,
    ...family.build(checkpoint.config, (name) => byName.get(name)!),
    restore: () => {
      noteMeant(parameters);
      for (const { name, value } of parameters) fillFrom(value, stored.get(name)!);
    },
    dispose,
  };
}

/** A language model, ready to run: its weights, its forward pass and its tokenizer. */
export interface LanguageModel extends LoadedNetwork {
  /** The hub id that was asked for, or the folder's last name. */
  readonly id: string;
  /** Where its files lie on this machine: a folder, or one file that stands for it. */
  readonly folder: string;
  /** Reads the JSON files of such a folder, by their names, where one file stands for it. */
  readonly companions?: Checkpoint["companions"];
  /** The hub's commit, where the model came from there. */
  readonly revision?: string;
  /** First 16 hexadecimal digits of the SHA-256 over the weight files. */
  readonly weightsHash: string;
  readonly tokenizer: Tokenizer;
  /** Whether the output matrix was given weights of its own, where the checkpoint has it tied to the embedding. */
  readonly untied?: boolean;
  /** How matrices are kept where not in float32. */
  readonly kept?: HalfKind;
  /** How many answers its head tells apart by their places, where a classifier stands in for the output matrix. */
  readonly classes?: number;
  /** Which of `begin` texts began with while these weights, or the adapter, were tuned: new texts begin with it too. */
  readonly tunedBegin?: "mezo" | "config";
}

/** A model whose weights runs tune. */
interface Tunable {
  readonly parameters: readonly Parameter[];
  restore(): void;
}

/**
 * Why a model's weights are not the ones that its last run tuned, by its list of weights. Who saves such a model would expect the tuned
 * weights, so saving is refused until the model's own `restore`, or a change of its weights, says that the present ones are meant.
 */
const gone = new WeakMap<readonly Parameter[], string>();

/** Notes that the weights that a run has tuned are no longer in a model. */
export function noteGone({ parameters }: Pick<Tunable, "parameters">, method: string): void {
  gone.set(
    parameters,
    `the weights that ${method} tuned are not in it: replay the run and save that model, or tune with keepWeights: true`,
  );
}

/** Notes that an adapter was trained beside a model's weights and is gone. */
export function noteAdapterGone({ parameters }: Pick<Tunable, "parameters">, method: string): void {
  gone.set(
    parameters,
    `the adapter that ${method} tuned is no part of it: save that with saveAdapter where tune gives it to onAdapted, or of the replayed run`,
  );
}

/** Brings a model's base weights back after a run. */
export function bringBaseBack(model: Tunable, method: string): void {
  model.restore();
  noteGone(model, method);
}

/** Brings a model's base weights back after they were changed for a moment; what was noted of them stays. */
export function restoreQuietly(model: Tunable): void {
  const why = whyGone(model);
  model.restore();
  if (why !== undefined) gone.set(model.parameters, why);
}

/** Notes that a model's present weights are the ones that are meant. */
export function noteMeant(parameters: readonly Parameter[]): void {
  gone.delete(parameters);
}

/** Why a model's weights are not the ones that its last run tuned, and what to do; undefined where the present ones are meant. */
export function whyGone({ parameters }: Pick<Tunable, "parameters">): string | undefined {
  return gone.get(parameters);
}
