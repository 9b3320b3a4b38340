import type * as tf from "@tensorflow/tfjs-core";
import { filledTensor, viewTensor } from "../tensor/native/backend.ts";
import { timeOperation } from "../tensor/native/session.ts";
import { processorLevel } from "../tensor/x86/library.ts";

/** Whether the kit's own library computes on this processor, where it can; ONNX Runtime does elsewhere. */
export const hasLibrary = (): boolean => processorLevel() !== "none";

type ByName<T> = Readonly<Record<string, T>>;

/** A new tensor of a shape, written by `work` of the kit's own library from the values of float32 inputs; `name` is the operation's in profiles. */
export function runInLibrary(
  name: string,
  inputs: ByName<tf.TensorInfo>,
  shape: number[],
  work: (values: ByName<Float32Array>, y: Float32Array) => void,
): tf.TensorInfo {
  const views = Object.entries(inputs).map(([key, tensor]) => [key, viewTensor(tensor)] as const);
  const values = Object.fromEntries(views.map(([key, view]) => [key, view.values as Float32Array]));
  return filledTensor(shape, (y) =>
    timeOperation(name, { ...Object.fromEntries(views), y }, () => work(values, y.values as Float32Array)),
  );
}
