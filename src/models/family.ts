import type * as tf from "@tensorflow/tfjs";
import type { Network } from "../nn/network.ts";
import type { Projection } from "../nn/project.ts";

/** The weights of a model, by the names that its checkpoints give them. */
export type Weights = (name: string) => tf.Tensor;

/** A checkpoint's config.json. */
export type Config = Readonly<Record<string, unknown>>;

/** What a model asks of its input. */
export interface Limits {
  /** Longest sequence, in tokens. */
  readonly maxLength: number;
  /** Id of the begin token: as the paper's code sets it (`mezo`), and as the model's own config has it (`config`). */
  readonly begin: { readonly mezo: number; readonly config: number };
  /** Id of the token that ends a text, where the config names one. */
  readonly end?: number;
}

/** A model family: one architecture as config.json's `model_type` names it. Adding one is a file, and a line in families.ts. */
export interface ModelFamily {
  /** Every weight and its shape. Throws a KitError where the config lacks a field or asks for what is not built. */
  shapes(config: Config): ReadonlyMap<string, readonly number[]>;
  /** The name a weight has in `shapes`, for a name found in a checkpoint; undefined for what the network does not use. */
  canonicalName(found: string, config: Config): string | undefined;
  build(config: Config, weights: Weights): Network;
  limits(config: Config): Limits;
  /** How prompts are put to its models. */
  readonly prompts: Network["prompts"];
  /** Names of the output matrix and of the embedding that it is tied to in most checkpoints, where the network can have it untied. */
  readonly tie?: { readonly output: string; readonly embedding: string };
}

/** A projection with weight and bias, under its name without ".weight". */
export function projection(weights: Weights, name: string): Projection {
  return { name, weight: weights(`${name}.weight`), bias: weights(`${name}.bias`) };
}
