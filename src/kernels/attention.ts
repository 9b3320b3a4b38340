import * as tf from "@tensorflow/tfjs";
import { fused, fusedGradient } from "../tensor/fused.ts";
import { filledTensor, nativeKernel, viewOf } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { runGraph, type View } from "../tensor/native/session.ts";

/**
 * Causal self-attention of several sequences that lie one after another, without padding: q, k and v are [tokens, width], and
 * `lengths` are the sequences' lengths, in order. Gives [tokens, width]. Neighbours of equal length are computed together, so
 * batches are best sorted by length. Differentiable in q, k and v.
 */
export function attention(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  lengths: readonly number[],
  heads: number,
): tf.Tensor2D {
  return fused("CausalAttention", { q, k, v }, { lengths, heads }, () => {
    const parts = groupsOf(lengths).map((group) => {
      const [qs, ks, vs] = [q, k, v].map((t) => split(t, group, heads));
      return merge(tf.matMul(weightsOf(qs!, ks!), vs!));
    });
    return tf.concat(parts, 0) as tf.Tensor2D;
  });
}

/** Sequences of one length that stand together: where they start (in tokens), how many there are, and their length. */
interface Group {
  readonly start: number;
  readonly count: number;
  readonly length: number;
}

function groupsOf(lengths: readonly number[]): Group[] {
  const groups: Group[] = [];
  let start = 0;
  for (let i = 0; i < lengths.length; ) {
    const length = lengths[i]!;
    let count = 1;
    while (lengths[i + count] === length) count++;
    groups.push({ start, count, length });
    start += count * length;
    i += count;
  }
  return groups;
}

/** A group's rows as [count, heads, length, width / heads]. */
function split(t: tf.Tensor, { start, count, length }: Group, heads: number): tf.Tensor {
  const width = t.shape[1]!;
  const rows = tf.slice(t, [start, 0], [count * length, width]);
  return tf.transpose(tf.reshape(rows, [count, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** The inverse of `split`: rows [count * length, width]. */
function merge(t: tf.Tensor): tf.Tensor {
  const [count, heads, length, width] = t.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(t, [0, 2, 1, 3]), [count * length, heads * width]);
}

/** Softmax of the scaled scores over the positions not in the future: [count, heads, length, length]. */
function weightsOf(q: tf.Tensor, k: tf.Tensor): tf.Tensor {
  const length = q.shape[2]!;
  const future = tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0));
  const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(q.shape[3]!));
  return tf.softmax(tf.add(scores, tf.mul(future, -1e9)));
}

/** Gradients of one group: with P the weights, dV = Pᵀ dO, dS = P ∘ (dO Vᵀ − rowsum(dO Vᵀ ∘ P)), dQ = dS K, dK = dSᵀ Q, scaled. */
function groupGradient(dy: tf.Tensor, q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const p = weightsOf(q, k);
  const dp = tf.matMul(dy, v, false, true);
  const ds = tf.mul(tf.mul(p, tf.sub(dp, tf.sum(tf.mul(dp, p), -1, true))), 1 / Math.sqrt(q.shape[3]!));
  return [merge(tf.matMul(ds, k)), merge(tf.matMul(ds, q, true, false)), merge(tf.matMul(p, dy, true, false))];
}

fusedGradient("CausalAttention", ["q", "k", "v"], (dy, saved, attrs) => {
  const { lengths, heads } = attrs as { lengths: readonly number[]; heads: number };
  const parts = groupsOf(lengths).map((group) => {
    const [d, q, k, v] = [dy, ...saved].map((t) => split(t, group, heads));
    return groupGradient(d!, q!, k!, v!);
  });
  const joined = (i: 0 | 1 | 2) => () =>
    tf.concat(
      parts.map((part) => part[i]),
      0,
    );
  return { q: joined(0), k: joined(1), v: joined(2) };
});

const graph = (heads: number): Graph => ({
  nodes: [node("com.microsoft.MultiHeadAttention", ["q", "k", "v"], "y", { num_heads: heads, unidirectional: 1 })],
  inputs: ["q", "k", "v"].map((name) => floats(name, "b", "s", "d")),
  outputs: [floats("y", "b", "s", "d")],
});

nativeKernel("CausalAttention", ({ inputs, attrs }) => {
  const { lengths, heads } = attrs as { lengths: readonly number[]; heads: number };
  const [q, k, v] = [viewOf(inputs.q!), viewOf(inputs.k!), viewOf(inputs.v!)];
  return filledTensor(inputs.q!.shape, (y) => {
    for (const group of groupsOf(lengths)) {
      const feeds = { q: rowsOf(q, group), k: rowsOf(k, group), v: rowsOf(v, group) };
      runGraph(`attention ${heads}`, () => graph(heads), feeds, { y: rowsOf(y, group) });
    }
  });
});

function rowsOf({ values, shape }: View, { start, count, length }: Group): View {
  const width = shape[1]!;
  return { values: values.subarray(start * width, (start + count * length) * width), shape: [count, length, width] };
}
