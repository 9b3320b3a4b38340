import * as tf from "@tensorflow/tfjs-core";
import { NATIVE, viewTensor } from "./native/backend.ts";
import { processorLevel } from "./x86/library.ts";
import { combine } from "./x86/rows.ts";

/** Whether a tensor's values may be changed: no other tensor has the same ones. */
export function isChangeable({ dataId }: tf.Tensor): boolean {
  return tf.getBackend() === NATIVE && tf.engine().backend.refCount(dataId) === 1;
}

/** The sum of two tensors of one shape, which are given up: in place where that can be. */
export function addInto(sum: tf.Tensor, more: tf.Tensor): tf.Tensor {
  if (processorLevel() !== "none" && isChangeable(sum)) {
    const [into, values] = [sum, more].map((tensor) => viewTensor(tensor).values as Float32Array);
    combine("add", into!, values!, into!);
    more.dispose();
    return sum;
  }
  const total = tf.add(sum, more);
  tf.dispose([sum, more]);
  return total;
}
