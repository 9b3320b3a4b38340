import type * as tf from "@tensorflow/tfjs-core";
import { filledTensor, viewTensor } from "../tensor/native/backend.ts";
import { processorLevel } from "../tensor/x86/library.ts";

/** Whether the kit's own library computes on this processor; ONNX Runtime does elsewhere. */
export const hasLibrary = (): boolean => processorLevel() !== "none";

type ByName<T> = Readonly<Record<string, T>>;

/** A new tensor of a shape, written by `work` of the kit's own library from the values of float32 inputs. */
export function runInLibrary(
  inputs: ByName<tf.TensorInfo>,
  shape: number[],
  work: (values: ByName<Float32Array>, y: Float32Array) => void,
): tf.TensorInfo {
  const values = Object.entries(inputs).map(([key, tensor]) => [key, viewTensor(tensor).values as Float32Array]);
  return filledTensor(shape, (y) => work(Object.fromEntries(values), y.values as Float32Array));
}
