import * as tf from "@tensorflow/tfjs-core";

/** Sequences of one size that stand together: how many, and where they start (in rows) and how long each is, queries and keys. */
export interface Group {
  readonly count: number;
  readonly queries: Rows;
  readonly keys: Rows;
}

/** Rows of sequences that stand together: where the first starts, and how long each is. */
export interface Rows {
  readonly start: number;
  readonly length: number;
}

/** Queries, keys and values of a group, each [count, heads, length, width of a head]. */
export type Heads = readonly [q: tf.Tensor, k: tf.Tensor, v: tf.Tensor];

/** Added to a score whose key is not to be seen. */
const UNSEEN = -1e9;

const MASKS_KEPT = 64;
const masks = new Map<string, Float32Array>();

/** What is added to the scores of causal attention, [queries, keys]: 0 for keys up to the query's own, which are the last ones. */
export function causalMask(queries: number, keys: number): Float32Array {
  const name = `${queries} ${keys}`;
  const known = masks.get(name);
  if (known) return known;
  const mask = new Float32Array(queries * keys);
  for (let i = 0; i < queries; i++) mask.fill(UNSEEN, i * keys + keys - queries + i + 1, (i + 1) * keys);
  if (masks.size >= MASKS_KEPT) masks.clear();
  masks.set(name, mask);
  return mask;
}

/** A group's rows of q, k and v apart by heads, shared heads repeated. */
export function splitHeads([q, k, v]: readonly tf.Tensor[], { count, queries, keys }: Group, heads: number): Heads {
  const width = q!.shape[1]! / heads;
  const [qs, ks, vs] = [
    split(q!, count, queries, heads),
    ...[k!, v!].map((t) => split(t, count, keys, t.shape[1]! / width)),
  ];
  return [qs!, repeat(ks!, heads), repeat(vs!, heads)];
}

/** Rows as [count, heads, length, width / heads]. */
function split(t: tf.Tensor, count: number, { start, length }: Rows, heads: number): tf.Tensor {
  const width = t.shape[1]!;
  const rows = tf.slice(t, [start, 0], [count * length, width]);
  return tf.transpose(tf.reshape(rows, [count, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** Each head as often as makes `heads` of them. */
function repeat(t: tf.Tensor, heads: number): tf.Tensor {
  const [count, own, length, width] = t.shape as [number, number, number, number];
  if (own === heads) return t;
  const repeated = tf.tile(tf.reshape(t, [count, own, 1, length * width]), [1, 1, heads / own, 1]);
  return tf.reshape(repeated, [count, heads, length, width]);
}

/** What `repeat` does to gradients: the sum over the heads that share one. */
function sumShared(t: tf.Tensor, own: number): tf.Tensor {
  const [count, heads, length, width] = t.shape as [number, number, number, number];
  if (own === heads) return t;
  return tf.reshape(tf.sum(tf.reshape(t, [count, own, heads / own, length * width]), 2), [count, own, length, width]);
}

/** The inverse of splitting: rows [count * length, width]. */
export function mergeHeads(t: tf.Tensor): tf.Tensor {
  const [count, heads, length, width] = t.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(t, [0, 2, 1, 3]), [count * length, heads * width]);
}

/** Softmax of the scaled scores over the keys that are seen: [count, heads, queries, keys]. */
export function weighKeys(q: tf.Tensor, k: tf.Tensor, causal: boolean): tf.Tensor {
  const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(q.shape[3]!));
  if (!causal) return tf.softmax(scores);
  const [queries, keys] = [q.shape[2]!, k.shape[2]!];
  return tf.softmax(tf.add(scores, tf.tensor2d(causalMask(queries, keys), [queries, keys])));
}

/** Attention of one group, in TensorFlow.js's own operations: rows [count * queries, width]. */
export function groupAttention([q, k, v]: Heads, causal: boolean): tf.Tensor {
  return mergeHeads(tf.matMul(weighKeys(q, k, causal), v));
}

/** Gradients of one group: with P the weights, dV = Pᵀ dO, dS = P ∘ (dO Vᵀ − rowsum(dO Vᵀ ∘ P)), dQ = dS K, dK = dSᵀ Q, scaled. */
export function groupGradient(
  dRows: tf.Tensor,
  [q, k, v]: Heads,
  { count, queries }: Group,
  keyHeads: number,
  causal: boolean,
): tf.Tensor[] {
  const dy = split(dRows, count, queries, q.shape[1]!);
  const p = weighKeys(q, k, causal);
  const dp = tf.matMul(dy, v, false, true);
  const ds = tf.mul(tf.mul(p, tf.sub(dp, tf.sum(tf.mul(dp, p), -1, true))), 1 / Math.sqrt(q.shape[3]!));
  const [dk, dv] = [tf.matMul(ds, q, true, false), tf.matMul(p, dy, true, false)];
  return [mergeHeads(tf.matMul(ds, k)), mergeHeads(sumShared(dk, keyHeads)), mergeHeads(sumShared(dv, keyHeads))];
}
