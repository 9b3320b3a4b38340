import type * as tf from "@tensorflow/tfjs-core";
import type { Checkpoint } from "../checkpoints/folder.ts";
import { findQuantization } from "../checkpoints/quantized.ts";
import type { StoredTensor } from "../checkpoints/safetensors.ts";
import { transposeStored } from "../checkpoints/transpose.ts";
import { KitError, listNames } from "../error.ts";
import type { Network } from "../nn/network.ts";
import { storage } from "../tensor/backend.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { HalfFormat, HalfKind, Rounding } from "../tensor/source.ts";
import type { ReadValues } from "../tensor/storage.ts";
import type { Config } from "./config.ts";
import { findFamily, type Limits, type ModelFamily } from "./family.ts";
import "./index.ts";
import { readLimits } from "./limits.ts";

/** What weights are kept in. */
export type WeightFormat = "float32" | HalfFormat;

/** How weights are kept: float32, or matrices in 16 bits, half the memory, everything being computed in float32 all the same. */
export interface WeightOptions {
  readonly weights?: WeightFormat;
  /**
   * How a step's change of a weight in 16 bits is rounded. "stochastic", the default, keeps small changes in the
   * mean; "nearest" loses those below half of the last place.
   */
  readonly rounding?: Rounding;
}

/** Makes a weight [rows, columns] or [size] from what a checkpoint holds; `name` is what errors call it. */
export type MakeWeight = (stored: StoredTensor, shape: readonly number[], name: string) => Omit<Parameter, "name">;

/** The formats of weights, and the roundings of changes in 16 bits; the first of each is the default. */
export const weightFormats: readonly WeightFormat[] = ["float32", "float16", "bfloat16"];
export const roundings: readonly Rounding[] = ["stochastic", "nearest"];

/** Makes the function that makes such weights. Biases and norms stay in float32. Throws a KitError for an unknown format or rounding. */
export function weightMaker({ weights = "float32", rounding = "stochastic" }: WeightOptions): MakeWeight {
  if (!weightFormats.includes(weights) || !roundings.includes(rounding))
    throw new KitError(
      `Weights cannot be kept in ${weights}, rounding ${rounding}: choose one of ${weightFormats.join(", ")}, and of ${roundings.join(", ")}.`,
    );
  const full: MakeWeight = (stored, shape) => ({ value: storage().weight(shape, stored.read) });
  if (weights === "float32") return full;
  return (stored, shape, name) =>
    shape.length < 2 ? full(stored, shape, name) : makeHalf(stored, shape, name, { format: weights, rounding });
}

/** How matrices are kept in 16 bits under these options; undefined for float32. */
export function halfKind({ weights = "float32", rounding = "stochastic" }: WeightOptions): HalfKind | undefined {
  return weights === "float32" ? undefined : { format: weights, rounding };
}

/** Beyond this a number is rounded to infinity. */
const LARGEST: Readonly<Record<HalfFormat, number>> = { float16: 65_520, bfloat16: 3.3961775e38 };

/** A weight in 16 bits. Throws a KitError for numbers that are NaN or too large, which the conversion would turn into arbitrary ones. */
function makeHalf(
  stored: StoredTensor,
  shape: readonly number[],
  name: string,
  kind: HalfKind,
): Omit<Parameter, "name"> {
  const most = LARGEST[kind.format];
  let wrong = 0;
  const readChecked: ReadValues = (into, from) => {
    stored.read(into, from);
    for (let i = 0; i < into.length; i++) if (!(Math.abs(into[i]!) < most)) wrong++;
  };
  const value = storage().weight(shape, readChecked, kind);
  if (wrong === 0) return { value, bytes: 2 };
  const { size } = value;
  value.dispose();
  throw new KitError(
    `The weight ${name} cannot be kept in ${kind.format}, since ${wrong} of its ${size} numbers are NaN, infinite or ${most} and more; load the model in float32, or get a sound checkpoint.`,
  );
}

/** Gives a weight the values that a checkpoint holds, in place. */
export function fillFrom(tensor: tf.Tensor, stored: StoredTensor): void {
  storage().refill(tensor, stored.read);
}

/** What a checkpoint holds for a network: its family, every weight's shape and where it lies. Throws as `loadNetwork` does, reading no weight. */
export function planNetwork(checkpoint: Checkpoint): NetworkPlan {
  refuseQuantized(checkpoint.folder, findQuantization(checkpoint.config, checkpoint.tensors));
  const family = findFamily(checkpoint.folder, checkpoint.config);
  const shapes = family.shapes(checkpoint.config);
  const stored = matchTensors(checkpoint, family, shapes);
  const { vocab_size: vocabulary } = checkpoint.config;
  const limits = readLimits(checkpoint, family);
  return { family, shapes, stored, limits, vocabulary: Number(vocabulary), prompts: family.prompts };
}

/**
 * The checkpoint of a tied model as one whose output matrix is a weight of its own, which begins as a copy of the embedding. Throws a
 * KitError for a family that has no such matrix.
 */
export function untie(checkpoint: Checkpoint): Checkpoint {
  const { folder, config, tensors } = checkpoint;
  const { tie, canonicalName } = findFamily(folder, config);
  if (!tie)
    throw new KitError(
      `${folder} cannot be loaded with an output matrix of its own, which a model of type "${String(config.model_type)}" does not have: leave out untied.`,
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
  /** What the checkpoint holds for each weight. */
  readonly stored: ReadonlyMap<string, StoredTensor>;
  readonly limits: Limits;
  readonly prompts: Network["prompts"];
  /** How many token ids the embedding has rows for. */
  readonly vocabulary: number;
}

/** Throws a KitError, which names the model, for a config.json that the kit cannot build a network of. */
export function checkConfig(model: string, config: Config): void {
  refuseQuantized(model, findQuantization(config));
  findFamily(model, config).shapes(config);
}

function refuseQuantized(model: string, way: string | undefined): void {
  if (way === undefined) return;
  throw new KitError(
    `${model} has quantized weights (${way}), which the kit does not read: take the model that they were made from, or a GGUF file of it.`,
  );
}

/** Where each weight of the architecture lies in the checkpoint. */
function matchTensors(
  checkpoint: Checkpoint,
  family: ModelFamily,
  shapes: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, StoredTensor> {
  const found = new Map<string, StoredTensor>();
  const isTurned = (name: string, { shape }: StoredTensor): boolean =>
    shape.length === 2 && family.isTransposed?.(name) === true;
  const aliases = family.aliases?.(checkpoint.config) ?? {};
  const first = (name: string): string => aliases[name] ?? name;
  for (const [name, tensor] of checkpoint.tensors) {
    const canonical = family.canonicalName(name, checkpoint.config);
    if (canonical === undefined || (found.has(canonical) && name !== first(canonical))) continue;
    found.set(canonical, isTurned(canonical, tensor) ? transposeStored(tensor) : tensor);
  }
  const missing = [...shapes.keys()].filter((name) => !found.has(name));
  const unknown = [...found.keys()].filter((name) => !shapes.has(name));
  const misshapen = [...shapes].flatMap(([name, shape]) => {
    const is = found.get(name)?.shape;
    return is && is.join() !== shape.join() ? [`${name} is [${is}] instead of [${shape}]`] : [];
  });
  if (missing.length + unknown.length + misshapen.length > 0)
    throw new KitError(mismatch(checkpoint.folder, { missing, misshapen, unknown }));
  return found;
}

/** "folder: 2 weights missing (a, b); 1 misshapen (c is [768] instead of [3072]); …" */
function mismatch(folder: string, kinds: Readonly<Record<string, readonly string[]>>): string {
  const parts = Object.entries(kinds).flatMap(([kind, names]) =>
    names.length > 0 ? [`${names.length} ${kind} (${listNames(names)})`] : [],
  );
  return `${folder}: the weights do not fit its config.json: ${parts.join("; ")}; get a complete checkpoint of the model that the config describes.`;
}
