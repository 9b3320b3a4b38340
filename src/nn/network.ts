import type * as tf from "@tensorflow/tfjs";
import type { TokenBatch } from "./batch.ts";

/** A transformer as the objectives see it: the features of every token, and the matrix that turns features into logits. */
export interface Network {
  /** Features before the output matrix: [tokens, width of the head]. The caller disposes of them. */
  features(batch: TokenBatch): tf.Tensor2D;
  /** The output matrix, [vocabulary, width of the head]. */
  readonly head: tf.Tensor;
}
