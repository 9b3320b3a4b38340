import * as tf from "@tensorflow/tfjs";
import type { Checkpoint, TensorPlace } from "../checkpoints/folder.ts";
import { readTensor } from "../checkpoints/safetensors.ts";
import { KitError, listed, shown } from "../error.ts";
import type { Network } from "../nn/network.ts";
import type { HalfKind } from "../tensor/halves.ts";
import { fillValues, type Parameter } from "../tensor/parameter.ts";
import type { Progress } from "../tensor/progress.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { families } from "./families.ts";
import type { Config, Limits, ModelFamily } from "./family.ts";
import { noteMeant } from "./goneWeights.ts";
import { type WeightOptions, weightMaker } from "./weights.ts";

/** A network with the weights of a checkpoint in it. */
export interface LoadedNetwork extends Network, Limits {
  /** All weights, a tied output matrix once; tuners change their values in place. */
  readonly parameters: readonly Parameter[];
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
  const { family, shapes, places } = planNetwork(checkpoint);
  const parameters: Parameter[] = [];
  const dispose = (): void => tf.dispose(parameters.map(({ value }) => value));
  try {
    for (const [name, shape] of shapes) {
      parameters.push({ name, ...make(read(places.get(name)!), shape, name) });
      onProgress?.({ label: "loading weights", done: parameters.length, total: shapes.size });
    }
  } catch (error) {
    dispose();
    throw error;
  }
  const byName = new Map(parameters.map(({ name, value }) => [name, value]));
  return {
    parameters,
    ...family.limits(checkpoint.config),
    ...family.build(checkpoint.config, (name) => byName.get(name)!),
    restore: () => {
      noteMeant(parameters);
      for (const { name, value } of parameters) fillValues(value, (into) => read(places.get(name)!, into));
    },
    dispose,
  };
}

const read = ({ file, entry }: TensorPlace, into?: Float32Array): Float32Array => readTensor(file, entry.name, into);

/** What a checkpoint holds for a network: its family, every weight's shape and where it lies. Throws as `loadNetwork` does, reading no weight. */
export function planNetwork(checkpoint: Checkpoint): NetworkPlan {
  const family = familyOf(checkpoint.folder, checkpoint.config);
  const shapes = family.shapes(checkpoint.config);
  const places = matchTensors(checkpoint, family, shapes);
  return { family, shapes, places, vocabulary: Number(checkpoint.config.vocab_size), prompts: family.prompts };
}

/**
 * The checkpoint of a tied model as one whose output matrix is a weight of its own, which begins as a copy of the embedding. Throws a
 * KitError for a family that has no such matrix.
 */
export function untie(checkpoint: Checkpoint): Checkpoint {
  const { folder, config, tensors } = checkpoint;
  const { tie, canonicalName } = familyOf(folder, config);
  if (!tie)
    throw new KitError(
      `${folder} was to be loaded with an output matrix of its own, which a model of type "${String(config.model_type)}" cannot have: leave out untied.`,
    );
  const words = [...tensors].find(([name]) => canonicalName(name, config) === tie.embedding);
  return {
    ...checkpoint,
    config: { ...config, tie_word_embeddings: false },
    tensors: new Map([...(words ? [[tie.output, words[1]] as const] : []), ...tensors]),
  };
}

interface NetworkPlan {
  readonly family: ModelFamily;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly places: ReadonlyMap<string, TensorPlace>;
  readonly prompts: Network["prompts"];
  /** How many token ids the embedding has rows for. */
  readonly vocabulary: number;
}

/** Throws a KitError, which names the model, for a config.json that the kit cannot build a network of. */
export function checkConfig(model: string, config: Config): void {
  familyOf(model, config).shapes(config);
}

function familyOf(model: string, config: Config): ModelFamily {
  const { model_type: type } = config;
  if (typeof type === "string" && Object.hasOwn(families, type)) return families[type]!;
  throw new KitError(
    `${model} holds a model of type ${shown(type)}, which the kit cannot build: it knows ${Object.keys(families).join(", ")}.`,
  );
}

/** Where each weight of the architecture lies in the checkpoint. */
function matchTensors(
  checkpoint: Checkpoint,
  family: ModelFamily,
  shapes: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, TensorPlace> {
  const found = new Map<string, TensorPlace>();
  for (const [name, place] of checkpoint.tensors) {
    const canonical = family.canonicalName(name, checkpoint.config);
    if (canonical !== undefined && (canonical === name || !found.has(canonical))) found.set(canonical, place);
  }
  const missing = [...shapes.keys()].filter((name) => !found.has(name));
  const unknown = [...found.keys()].filter((name) => !shapes.has(name));
  const misshapen = [...shapes].flatMap(([name, shape]) => {
    const is = found.get(name)?.entry.shape;
    return is && is.join() !== shape.join() ? [`${name} is [${is}] instead of [${shape}]`] : [];
  });
  if (missing.length + unknown.length + misshapen.length > 0)
    throw new KitError(mismatch(checkpoint.folder, { missing, misshapen, unknown }));
  return found;
}

/** "folder: 2 weights missing (a, b); 1 misshapen (c is [768] instead of [3072]); …" */
function mismatch(folder: string, kinds: Readonly<Record<string, readonly string[]>>): string {
  const parts = Object.entries(kinds).flatMap(([kind, names]) =>
    names.length > 0 ? [`${names.length} ${kind} (${listed(names)})`] : [],
  );
  return `${folder}: the weights do not fit its config.json: ${parts.join("; ")}; get a complete checkpoint of the model that the config describes.`;
}

/** A language model, ready to run: its weights, its forward pass and its tokenizer. */
export interface LanguageModel extends LoadedNetwork {
  /** The hub id that was asked for, or the folder's last name. */
  readonly id: string;
  /** Where its files lie on this machine. */
  readonly folder: string;
  /** The hub's commit, where the model came from there. */
  readonly revision?: string;
  /** First 16 hexadecimal digits of the SHA-256 over the weight files. */
  readonly weightsHash: string;
  readonly tokenizer: Tokenizer;
  /** Whether the output matrix was given weights of its own, where the checkpoint has it tied to the embedding. */
  readonly untied?: boolean;
  /** How matrices are kept where not in float32. */
  readonly kept?: HalfKind;
}
