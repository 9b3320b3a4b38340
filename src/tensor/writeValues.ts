import type * as tf from "@tensorflow/tfjs";
import { storage } from "./backend.ts";

/** Writes values into a float32 tensor of that many elements, in place, on whatever backend it lies. */
export function writeValues(tensor: tf.Tensor, values: ArrayLike<number>): void {
  fillValues(tensor, (into) => into.set(values));
}

/** Has `write` fill all values of a float32 tensor, in place: a weight that is read from a file again, say, without a copy where it can. */
export function fillValues(tensor: tf.Tensor, write: (into: Float32Array) => void): void {
  storage().fill(tensor, write);
}
