import type * as tf from "@tensorflow/tfjs";
import type { Network } from "../nn/network.ts";

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
}

/** A model family: one architecture as config.json's `model_type` names it. Adding one is a file, and a line in families.ts. */
export interface ModelFamily {
  /** Every weight and its shape. Throws a KitError where the config lacks a field or asks for what is not built. */
  shapes(config: Config): ReadonlyMap<string, readonly number[]>;
  /** The name a weight has in `shapes`, for a name found in a checkpoint; undefined for buffers that are not weights. */
  canonicalName(found: string): string | undefined;
  build(config: Config, weights: Weights): Network;
  limits(config: Config): Limits;
}
