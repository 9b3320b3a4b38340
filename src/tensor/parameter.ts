import type * as tf from "@tensorflow/tfjs";

/** A weight under its checkpoint name; its values are changed in place. */
export interface Parameter {
  readonly name: string;
  readonly value: tf.Tensor;
  /** Bytes an element is kept in, where not 4. */
  readonly bytes?: 2;
}
