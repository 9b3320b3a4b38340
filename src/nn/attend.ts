import * as tf from "@tensorflow/tfjs";
import { attention } from "../kernels/attention.ts";
import { joinRows } from "../kernels/elementwise.ts";
import { embed } from "../kernels/embed.ts";
import type { LayerContext, Past } from "./network.ts";

/**
 * A layer's attention over its own keys and values after those that came before: q [queries, width], k and v [tokens, key width] give
 * [queries, width]. Tells the context what was seen.
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
function append(past: Past, own: Past): Past {
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
