import type * as tf from "@tensorflow/tfjs-core";
import { filledTensor, viewTensor } from "../tensor/native/backend.ts";
import { timeOperation, type View } from "../tensor/native/session.ts";
import { processorLevel } from "../tensor/x86/library.ts";

/** Whether the kit's own library computes on this processor, where it can; ONNX Runtime does elsewhere. */
export const hasLibrary = (): boolean => processorLevel() !== "none";

type ByName<T> = Readonly<Record<string, T>>;

/**
 * A new tensor of a shape, written by `work` of the kit's own library from the values of float32 inputs. In profiles the operation has that
 * `name`, and the shapes in `noted` beside those of its inputs.
 */
export function runInLibrary(
  name: string,
  inputs: ByName<tf.TensorInfo>,
  shape: number[],
  work: (values: ByName<Float32Array>, y: Float32Array) => void,
  noted: ByName<readonly number[]> = {},
): tf.TensorInfo {
  const views = Object.entries(inputs).map(([key, tensor]) => [key, viewTensor(tensor)] as const);
  const values = Object.fromEntries(views.map(([key, view]) => [key, view.values as Float32Array]));
  return filledTensor(shape, (y) =>
    timeOperation(name, { ...Object.fromEntries(views), ...shapesAlone(noted), y }, () =>
      work(values, y.values as Float32Array),
    ),
  );
}

const NONE = new Float32Array(0);

/** Views that tell profiles a shape, and show no values. */
export function shapesAlone(shapes: ByName<readonly number[]>): ByName<View> {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { values: NONE, shape }]));
}
