import type * as tf from "@tensorflow/tfjs";
import { storage } from "./backend.ts";
import type { Parameter } from "./parameter.ts";

/** Writes the values of a tensor of the same size into a weight, in place. */
export function assign({ value }: Parameter, from: tf.Tensor): void {
  storage().copy(from, value);
}

/**
 * Changes a weight in place: `change` sees its values and those of another tensor of the same size, and writes to the first.
 * Where tensors live in the host's memory nothing is copied.
 */
export async function update(
  weight: Parameter,
  other: tf.Tensor,
  change: (theta: Float32Array, other: Float32Array) => void,
): Promise<void> {
  const { view, fill } = storage();
  if (view) return fill(weight.value, (theta) => change(theta, view(other)));
  const [theta, values] = (await Promise.all([weight.value, other].map((tensor) => tensor.data()))) as Float32Array[];
  const changed = theta!.slice(); // what was read may be a copy that TensorFlow.js keeps
  change(changed, values!);
  fill(weight.value, (into) => into.set(changed));
}

/** Changes a weight in place by its own values. Where tensors live in the host's memory nothing is copied. */
export async function rewrite({ value }: Parameter, change: (theta: Float32Array) => void): Promise<void> {
  const { view, fill } = storage();
  if (view) return fill(value, change);
  const changed = (await value.data<"float32">()).slice(); // what was read may be a copy that TensorFlow.js keeps
  change(changed);
  fill(value, (into) => into.set(changed));
}

/** Euclidean norm of all elements of some tensors together, summed in double precision. */
export async function norm(tensors: readonly tf.Tensor[]): Promise<number> {
  const { view } = storage();
  let sum = 0;
  for (const tensor of tensors) {
    const values = view ? view(tensor) : await tensor.data();
    for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  }
  return Math.sqrt(sum);
}
