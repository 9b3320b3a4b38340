import * as tf from "@tensorflow/tfjs";
import { type Inputs, onBothSides, sameOnBothSides } from "./pair.ts";
import { constantAlong, follow } from "./tangent.ts";

/** The gradients of a fused operation: for each input that has one, a function that makes it from dy, what was saved and the attributes. */
export type FusedGradient = (
  dy: tf.Tensor,
  saved: readonly tf.Tensor[],
  attrs: Readonly<Record<string, unknown>>,
) => Record<string, () => tf.Tensor>;

/**
 * Runs the kernel that the current backend has for a fused operation, or the reference composition where it has none.
 * Inputs go by name; optional ones are left out, never undefined.
 */
export function fused<Given extends Inputs, T extends tf.Tensor>(
  name: string,
  inputs: Given,
  attrs: Readonly<Record<string, unknown>>,
  reference: (inputs: Given) => T,
): T {
  const kernel = tf.getKernel(name, tf.getBackend());
  const output = onBothSides(
    name,
    inputs,
    attrs,
    (given): T =>
      kernel
        ? (tf.engine().runKernel(name, given, attrs as tf.NamedAttrMap) as unknown as T)
        : tf.tidy(() => reference(given)),
  );
  follow(name, { inputs, attrs, output });
  return output;
}

/** Says that a tensor made just now, by no fused operation, depends on no weight. */
export function constant<T extends tf.Tensor>(tensor: T): T {
  sameOnBothSides(tensor);
  constantAlong(tensor);
  return tensor;
}

/** Registers the gradient of a fused operation, which needs some of the inputs again, and last, where it says so, the result. */
export function fusedGradient(
  kernelName: string,
  inputsToSave: string[],
  gradFunc: FusedGradient,
  saveResult = false,
): void {
  tf.registerGradient({
    kernelName,
    inputsToSave,
    outputsToSave: [saveResult],
    gradFunc: (dy, saved, attrs) => gradFunc(dy as tf.Tensor, saved, attrs as Record<string, unknown>),
  });
}
