import * as tf from "@tensorflow/tfjs-core";
import { attention } from "../kernels/attention.ts";
import "../kernels/backends.ts";
import { type Activation, activate, add, joinRows } from "../kernels/elementwise.ts";
import { embed } from "../kernels/embed.ts";
import { feedForward } from "../kernels/feedForward.ts";
import { linear } from "../kernels/linear.ts";
import type { Corrections, KeysValues, LayerContext } from "./network.ts";

/** Runs a part of a layer and frees what it made on its way before the next part begins; all stays where keys and values are kept. */
export function freeing({ keep }: LayerContext, part: () => tf.Tensor2D): tf.Tensor2D {
  return keep ? part() : tf.tidy(part);
}

/** A linear map, under its checkpoint name without ".weight". */
export interface Projection {
  readonly name: string;
  /** [out, in] */
  readonly weight: tf.Tensor;
  /** [out] */
  readonly bias?: tf.Tensor | undefined;
}

/** The weights of a model, by the names that its checkpoints give them. */
export type Weights = (name: string) => tf.Tensor;

/** A projection with weight and bias, under its name without ".weight". */
export function readProjection(weights: Weights, name: string): Projection {
  return { name, weight: weights(`${name}.weight`), bias: weights(`${name}.bias`) };
}

/** What may follow a projection: an activation, or a residual [rows, out] to add. */
export type ProjectionExtras =
  | { readonly activation?: Activation; readonly residual?: never }
  | { readonly activation?: never; readonly residual?: tf.Tensor };

/** x [rows, in] through a projection and what an adapter adds to it, then the activation or the residual: [rows, out]. */
export function project(
  x: tf.Tensor,
  { name, weight, bias }: Projection,
  { correction }: { readonly correction: Corrections },
  extras: ProjectionExtras = {},
): tf.Tensor2D {
  const { activation, residual } = extras;
  const change = correction(name)?.(x);
  const given = bias ? { bias } : {};
  if (!change) return linear(x, weight, { ...given, ...extras });
  const added = residual ? add(residual, change) : change;
  const y = linear(x, weight, { ...given, residual: added });
  return activation ? activate(y, activation) : y;
}

/** The two projections of a feed-forward part, both with a bias. */
export interface FeedForwardPart {
  readonly up: Projection;
  readonly down: Projection;
  readonly activation: Activation;
}

/** x [rows, in] through a feed-forward part and what an adapter adds to it, then the residual: [rows, out]. */
export function feedForwardPart(
  x: tf.Tensor,
  { up, down, activation }: FeedForwardPart,
  context: LayerContext,
  residual: tf.Tensor,
): tf.Tensor2D {
  if (context.correction(up.name) || context.correction(down.name)) {
    const wide = tf.tidy(() => project(x, up, context, { activation }));
    return project(wide, down, context, { residual });
  }
  const weights = { up: up.weight, upBias: up.bias!, down: down.weight, downBias: down.bias! };
  return feedForward(x, weights, activation, residual);
}

/**
 * A layer's attention over its own keys and values after those that came before: q [queries, width], k and v [tokens, key width] give
 * [queries, width]. Hands the context what was seen.
 */
export function attend(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  { batch, queries, past, keep }: LayerContext,
  { heads, causal }: { readonly heads: number; readonly causal: boolean },
): tf.Tensor2D {
  const { lengths } = batch;
  const seen = past ? append(past, { keys: k, values: v, lengths }) : { keys: k, values: v, lengths };
  keep?.(seen);
  return attention(q, seen.keys, seen.values, { lengths: queries.lengths, keyLengths: seen.lengths, heads, causal });
}

/** Every sequence's rows of `past`, then its rows of `own`. Differentiable. */
function append(past: KeysValues, own: KeysValues): KeysValues {
  const lengths = past.lengths.map((length, i) => length + own.lengths[i]!);
  const order = interleaved(past.lengths, own.lengths);
  const join = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => {
    const both = joinRows(a, b);
    return lengths.length === 1 ? both : embed(tf.tensor1d(order, "int32"), both);
  };
  return { keys: join(past.keys, own.keys), values: join(past.values, own.values), lengths };
}

/** Where the rows of the interleaved result lie when those of `second` follow all those of `first`. */
function interleaved(first: readonly number[], second: readonly number[]): Int32Array {
  let [a, b] = [0, first.reduce((sum, n) => sum + n, 0)];
  const order = new Int32Array(b + second.reduce((sum, n) => sum + n, 0));
  let at = 0;
  first.forEach((length, i) => {
    for (let j = 0; j < length; j++) order[at++] = a++;
    for (let j = 0; j < second[i]!; j++) order[at++] = b++;
  });
  return order;
}
