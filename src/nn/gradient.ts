import * as tf from "@tensorflow/tfjs-core";
import { gradients, type Sum } from "../tensor/gradients.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { findTail, type Tail, type TokenBatch } from "./batch.ts";
import type { Network } from "./network.ts";
import { features, placeTokens, runEmbedding, runLayer, runOutput } from "./run.ts";

/**
 * A loss and its gradient: one tensor a weight, in theta's order and the caller's to dispose of; zeros where the loss does not depend on it.
 * Where gradients of other losses were given, which are given up, it is added to them.
 */
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
  others: readonly Sum[] = [],
): Promise<LossGradient> {
  const { value, grads } = differentiate(
    () => tail(features(network, batch, rows)),
    theta.map((weight) => weight.value),
    undefined,
    others,
  );
  return { loss: await readScalar(value), gradients: withZeros(grads, theta) };
}

/** As `gradients`, also of no xs. */
function differentiate<T extends tf.Tensor>(
  f: () => T,
  xs: readonly tf.Tensor[],
  dy?: T,
  others: readonly Sum[] = [],
): { value: T; grads: Sum[] } {
  if (xs.length === 0) return { value: tf.tidy(f), grads: [] };
  return gradients(f, xs, dy, others);
}

/** The number in a scalar, which is disposed of. */
export async function readScalar(value: tf.Scalar): Promise<number> {
  const [number] = await value.data();
  value.dispose();
  return number!;
}

/** Gradients in theta's order, with zeros for weights that were not reached. */
export function withZeros(grads: readonly Sum[], theta: readonly Parameter[]): tf.Tensor[] {
  return theta.map(({ value }, i) => grads[i] ?? tf.zeros(value.shape));
}

/**
 * The gradient of loss(features of `rows`) in theta with activation checkpointing (Chen et al. 2016): the forward pass keeps each
 * layer's input alone, and the backward pass runs each layer again. The same gradient as `plainGradient`.
 */
export async function checkpointedGradient(
  network: Network,
  tokens: TokenBatch,
  rows: ArrayLike<number>,
  loss: (features: tf.Tensor2D) => tf.Scalar,
  theta: readonly Parameter[],
  others: readonly Sum[] = [],
): Promise<LossGradient> {
  const batch = placeTokens(network, tokens);
  const values = theta.map((weight) => weight.value);
  const tail = findTail(batch, rows);
  const run = layerRunner(network, batch, tail);
  const inputs = layerInputs(network, batch, run);
  const last = inputs.pop()!;
  const top = differentiate(() => loss(runOutput(network, last, tail.at)), [last, ...values], undefined, [
    undefined,
    ...others,
  ]);
  let [dx, ...sums] = settle(last, top.grads);
  for (let i = inputs.length - 1; i >= 0; i--) {
    const x = inputs[i]!;
    const { value, grads } = differentiate(() => run(i, x), [x, ...values], dx as tf.Tensor2D, [undefined, ...sums]);
    tf.dispose([value, dx!]);
    [dx, ...sums] = settle(x, grads);
  }
  const bottom = differentiate(() => runEmbedding(network, batch), values, dx as tf.Tensor2D, sums);
  tf.dispose([bottom.value, dx!]);
  return { loss: await readScalar(top.value), gradients: withZeros(bottom.grads, theta) };
}

/** Runs one layer: the last for the tail alone. */
type LayerRunner = (layer: number, x: tf.Tensor) => tf.Tensor2D;

function layerRunner(network: Network, batch: TokenBatch, tail: Tail): LayerRunner {
  const last = network.layers.length - 1;
  return (layer, x) => runLayer(network, layer, x, batch, { tail: layer === last ? tail : undefined });
}

/** Every layer's input, and last the last layer's result. */
function layerInputs(network: Network, batch: TokenBatch, run: LayerRunner): tf.Tensor2D[] {
  const inputs = [tf.tidy(() => runEmbedding(network, batch))];
  for (let i = 0; i < network.layers.length; i++) inputs.push(tf.tidy(() => run(i, inputs[i]!)));
  return inputs;
}

/** Disposes of a stage's input; zeros are the gradient in it where there is none. */
function settle(x: tf.Tensor, [dx, ...sums]: Sum[]): Sum[] {
  const result = dx ?? tf.zeros(x.shape);
  x.dispose();
  return [result, ...sums];
}
