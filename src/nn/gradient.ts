import * as tf from "@tensorflow/tfjs-core";
import { gradients } from "../tensor/gradients.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { findTail, type Tail, type TokenBatch } from "./batch.ts";
import type { Network } from "./network.ts";
import { features, placeTokens, runEmbedding, runLayer, runOutput } from "./run.ts";

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
  const { value, grads } = differentiate(
    () => tail(features(network, batch, rows)),
    theta.map((weight) => weight.value),
  );
  return { loss: await readScalar(value), gradients: withZeros(grads, theta) };
}

/** A function's value and its gradients in xs, of a result whose own gradient is dy (1 where left out); undefined for those it does not depend on. */
export function differentiate<T extends tf.Tensor>(
  f: () => T,
  xs: readonly tf.Tensor[],
  dy?: T,
): { value: T; grads: (tf.Tensor | undefined)[] } {
  if (xs.length === 0) return { value: tf.tidy(f), grads: [] };
  return gradients(f, xs, dy);
}

/** The number in a scalar, which is disposed of. */
export async function readScalar(value: tf.Scalar): Promise<number> {
  const [number] = await value.data();
  value.dispose();
  return number!;
}

/** Gradients in theta's order, with zeros for weights that were not reached. */
export function withZeros(grads: readonly (tf.Tensor | undefined)[], theta: readonly Parameter[]): tf.Tensor[] {
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
): Promise<LossGradient> {
  const batch = placeTokens(network, tokens);
  const values = theta.map((weight) => weight.value);
  const sums: (tf.Tensor | undefined)[] = theta.map(() => undefined);
  const tail = findTail(batch, rows);
  const run = layerRunner(network, batch, tail);
  const inputs = layerInputs(network, batch, run);
  const last = inputs.pop()!;
  const top = differentiate(() => loss(runOutput(network, last, tail.at)), [last, ...values]);
  let dx = settle(last, top.grads, sums);
  for (let i = inputs.length - 1; i >= 0; i--) {
    const x = inputs[i]!;
    const { value, grads } = differentiate(() => run(i, x), [x, ...values], dx as tf.Tensor2D);
    tf.dispose([value, dx]);
    dx = settle(x, grads, sums);
  }
  const bottom = differentiate(() => runEmbedding(network, batch), values, dx as tf.Tensor2D);
  tf.dispose([bottom.value, dx]);
  add(sums, bottom.grads);
  return { loss: await readScalar(top.value), gradients: withZeros(sums, theta) };
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

/** Adds a stage's gradients in the weights, disposes of its input, and gives the gradient in that. */
function settle(x: tf.Tensor, [dx, ...own]: (tf.Tensor | undefined)[], sums: (tf.Tensor | undefined)[]): tf.Tensor {
  add(sums, own);
  const result = dx ?? tf.zeros(x.shape);
  x.dispose();
  return result;
}

function add(sums: (tf.Tensor | undefined)[], more: readonly (tf.Tensor | undefined)[]): void {
  more.forEach((part, i) => {
    const sum = sums[i];
    if (!part) return;
    sums[i] = sum ? tf.add(sum, part) : part;
    if (sum) tf.dispose([sum, part]);
  });
}
