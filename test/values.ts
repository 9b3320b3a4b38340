import type * as tf from "@tensorflow/tfjs-core";
import { storage } from "../src/tensor/backend.ts";

/** A copy of a tensor's values, on any backend: what `data` gives may be what the tensor holds. */
export async function valuesOf(tensor: tf.Tensor): Promise<Float32Array> {
  return (await tensor.data<"float32">()).slice();
}

/** The values of a tensor that is needed no more. */
export async function takeValues(tensor: tf.Tensor): Promise<number[]> {
  const values = [...(await tensor.data())];
  tensor.dispose();
  return values;
}

/** The values of several tensors, in their order. */
export const allValues = (tensors: readonly tf.Tensor[]): Promise<Float32Array[]> => Promise.all(tensors.map(valuesOf));

/** Gives a weight these values, in place. */
export function setValues(tensor: tf.Tensor, values: Float32Array): void {
  storage().refill(tensor, (into, from) => into.set(values.subarray(from, from + into.length)));
}
