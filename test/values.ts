import type * as tf from "@tensorflow/tfjs-core";
import { storage } from "../src/tensor/backend.ts";
import { copyValues } from "../src/tensor/parameter.ts";

/** A copy of a float32 tensor's values, on any backend and however it keeps them. */
export const valuesOf = (tensor: tf.Tensor): Promise<Float32Array> => copyValues(tensor, new Float32Array(tensor.size));

/** The values of a tensor that is needed no more. */
export async function takeValues(tensor: tf.Tensor): Promise<number[]> {
  const values = [...(await tensor.data())];
  tensor.dispose();
  return values;
}

/** The rows of a matrix that is needed no more. */
export async function takeRows(tensor: tf.Tensor2D): Promise<number[][]> {
  const rows = await tensor.array();
  tensor.dispose();
  return rows;
}

/** The values of several tensors, in their order. */
export const allValues = (tensors: readonly tf.Tensor[]): Promise<Float32Array[]> => Promise.all(tensors.map(valuesOf));

/** Gives a weight these values, in place. */
export function setValues(tensor: tf.Tensor, values: Float32Array): void {
  storage().refill(tensor, (into, from) => into.set(values.subarray(from, from + into.length)));
}
