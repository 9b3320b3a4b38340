import * as tf from "@tensorflow/tfjs";
import type { Parameter } from "../tensor/parameter.ts";
import type { TokenBatch } from "./batch.ts";
import { features } from "./features.ts";
import type { Network } from "./network.ts";

/** A loss and its gradient: one tensor a weight, in theta's order and the caller's to dispose of; zeros where the loss does not depend on it. */
export interface LossGradient {
  readonly loss: number;
  readonly gradients: tf.Tensor[];
}

/** The gradient of tail(features of `rows`) in theta, by backpropagation through the whole network at once. */
export async function plainGradient(
  network: Network,
  batch: TokenBatch,
  rows: ArrayLike<number>,
  tail: (features: tf.Tensor2D) => tf.Scalar,
  theta: readonly Parameter[],
): Promise<LossGradient> {
  const { value, grads } = gradientsOf(
    () => tail(features(network, batch, rows)),
    theta.map((weight) => weight.value),
  );
  return { loss: await scalarOf(value), gradients: withZeros(grads, theta) };
}

/** A function's value and its gradients in xs, of a result whose own gradient is dy (1 where left out); undefined for those it does not depend on. */
export function gradientsOf<T extends tf.Tensor>(
  f: () => T,
  xs: readonly tf.Tensor[],
  dy?: T,
): { value: T; grads: (tf.Tensor | undefined)[] } {
  if (xs.length === 0) return { value: tf.tidy(f), grads: [] };
  return tf.engine().gradients(f, [...xs], dy, true);
}

/** The number in a scalar, which is disposed of. */
export async function scalarOf(value: tf.Scalar): Promise<number> {
  const [number] = await value.data();
  value.dispose();
  return number!;
}

/** Gradients in theta's order, with zeros for weights that were not reached. */
export function withZeros(grads: readonly (tf.Tensor | undefined)[], theta: readonly Parameter[]): tf.Tensor[] {
  return theta.map(({ value }, i) => grads[i] ?? tf.zeros(value.shape));
}
