import type * as tf from "@tensorflow/tfjs-core";
import type { TokenBatch } from "./batch.ts";

/** The output matrix [vocabulary, width], and its bias [vocabulary] where the model has one. */
export interface Head {
  readonly weight: tf.Tensor;
  readonly bias?: tf.Tensor;
}

/** Keys and values of one layer for the tokens before a batch's own, packed like it: `lengths[i]` rows [·, keyWidth] for sequence i. */
export interface KeysValues {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
  readonly lengths: readonly number[];
}

/** What is added to a projection's result, [rows, out], for its x [rows, in]. */
export type Correction = (x: tf.Tensor) => tf.Tensor;

/** What is added to the result of the projection of that checkpoint name, if anything. */
export type Corrections = (projection: string) => Correction | undefined;

/** What an adapter changes in a network, itself untouched: absent parts change nothing. */
export interface Adaptation {
  readonly correction?: Corrections;
  /** Keys and values [length, keyWidth] that every sequence sees before its own in that layer (counted from 0). */
  readonly prefix?: (layer: number) => { readonly keys: tf.Tensor; readonly values: tf.Tensor };
  /** Position of every sequence's first token: 0 where left out; the prefix's length for one that PEFT trained. */
  readonly firstPosition?: number;
}

/** What one layer needs beside its input. */
export interface LayerContext {
  readonly batch: TokenBatch;
  /** The tokens whose results are wanted: of each sequence the last ones, or all. */
  readonly queries: TokenBatch;
  /** The rows of those tokens. */
  readonly wanted: (x: tf.Tensor) => tf.Tensor;
  readonly correction: Corrections;
  readonly past?: KeysValues;
  /** Receives all the keys and values that this layer's tokens saw, past ones included. */
  readonly keep?: (present: KeysValues) => void;
}

/** One block of a transformer: [tokens, width] in, [queries, width] out. */
export interface Layer {
  /** Checkpoint names of its weights. */
  readonly parameters: readonly string[];
  /**
   * Checkpoint names, without ".weight", of the two projections that LoRA adapts unless told otherwise (Section 4 of Hu et al. 2021; Appendix
   * E.5); twice the same where they are one.
   */
  readonly query: string;
  readonly value: string;
  readonly run: (x: tf.Tensor, context: LayerContext) => tf.Tensor2D;
}

/** A transformer in the order in which it runs. `nn/run.ts` runs it. */
export interface Network {
  readonly embedding: (batch: TokenBatch, correction: Corrections) => tf.Tensor2D;
  /** Checkpoint names of the weights that make what the first layer sees of tokens and positions: no linear map is among them. */
  readonly embeddings: readonly string[];
  /** Checkpoint names of the norms' gains, which are 1 before all training. */
  readonly gains: readonly string[];
  readonly layers: readonly Layer[];
  /** What the output matrix sees, from rows of the last layer's result: [rows, width of the head]. */
  readonly output: (x: tf.Tensor, correction: Corrections) => tf.Tensor2D;
  readonly head: Head;
  /** Width of a layer's keys and of its values. */
  readonly keyWidth: number;
  /** Among how many heads that width is divided: fewer than the queries have where heads share keys. */
  readonly keyHeads: number;
  /** Whether the activation of its feed-forward part is a smooth function, such as GELU, which takes more room to compute than a ReLU. */
  readonly isSmooth?: boolean;
  /** How prompts are put to it: text that it continues, or text with one <mask>. */
  readonly prompts: "autoregressive" | "masked";
  readonly adaptation?: Adaptation;
}
