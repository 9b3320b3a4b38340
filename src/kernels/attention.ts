import * as tf from "@tensorflow/tfjs";
import { fused, fusedGradient } from "../tensor/fused.ts";
import { filledTensor, nativeKernel, viewOf } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { runGraph, type View } from "../tensor/native/session.ts";
import { fusedTangent } from "../tensor/tangent.ts";

/** What decides an attention's graph: q's heads, those of the keys, a head's width, and how future keys are left out. */
export interface AttentionGraph {
  readonly heads: number;
  readonly keyHeads: number;
  readonly width: number;
  /** "causal" where queries and keys are the same tokens; "mask" where a mask [1, 1, queries, keys] is fed. */
  readonly masking: "none" | "causal" | "mask";
}

/** ONNX Runtime's attention over q [count, queries, width] and k, v [count, keys, key width]. */
export function attentionGraph({ heads, keyHeads, width, masking }: AttentionGraph): Graph {
  const grouped = keyHeads !== heads;
  const [keys, values] = grouped ? ["allKeys", "allValues"] : ["k", "v"];
  const masks = masking === "mask" ? ["", "", "mask"] : [];
  const attributes = { num_heads: heads, unidirectional: masking === "causal" ? 1 : 0 };
  return {
    nodes: [
      ...(grouped ? repeatNodes({ k: "allKeys", v: "allValues" }, keyHeads, heads / keyHeads, width) : []),
      node("com.microsoft.MultiHeadAttention", ["q", keys!, values!, ...masks], "y", attributes),
    ],
    inputs: [
      floats("q", "b", "s", "d"),
      floats("k", "b", "t", "e"),
      floats("v", "b", "t", "e"),
      ...(masking === "mask" ? [floats("mask", 1, 1, "s", "t")] : []),
    ],
    outputs: [floats("y", "b", "s", "d")],
  };
}

/** Each head of the inputs named on the left `times` times, under the names on the right. */
function repeatNodes(names: Readonly<Record<string, string>>, heads: number, times: number, width: number): Buffer[] {
  const constant = (name: string, value: readonly number[]): Buffer =>
    node("Constant", [], name, { value_ints: value });
  return [
    constant("apart", [0, 0, heads, 1, width]),
    constant("times", [1, 1, 1, times, 1]),
    constant("together", [0, 0, heads * times * width]),
    ...Object.entries(names).flatMap(([from, to]) => [
      node("Reshape", [from, "apart"], `${from}Apart`),
      node("Expand", [`${from}Apart`, "times"], `${from}Times`),
      node("Reshape", [`${from}Times`, "together"], to),
    ]),
  ];
}

/** Added to a score whose key is not to be seen. */
const UNSEEN = -1e9;

const MASKS_KEPT = 64;
const masks = new Map<string, Float32Array>();

/** What is added to the scores of causal attention, [queries, keys]: 0 for keys up to the query's own, which are the last ones. */
export function maskOf(queries: number, keys: number): Float32Array {
  const name = `${queries} ${keys}`;
  const known = masks.get(name);
  if (known) return known;
  const mask = new Float32Array(queries * keys);
  for (let i = 0; i < queries; i++) mask.fill(UNSEEN, i * keys + keys - queries + i + 1, (i + 1) * keys);
  if (masks.size >= MASKS_KEPT) masks.clear();
  masks.set(name, mask);
  return mask;
}

/** How the rows of queries and keys are divided. */
export interface AttentionShape {
  /** Queries of each sequence, in order. */
  readonly lengths: readonly number[];
  /** Keys of each sequence, at least as many: its queries are the last of them. */
  readonly keyLengths: readonly number[];
  readonly heads: number;
  /** Whether a query sees the keys up to its own only, or all of its sequence's. */
  readonly causal: boolean;
}

/**
 * Attention of several sequences that lie one after another, without padding: q [queries, width], k and v [keys, key width], whose
 * heads are as wide as q's and may be fewer (grouped queries: neighbours among q's heads share one). Gives [queries, width].
 * Neighbours of equal length are computed together, so batches are best sorted by length. Differentiable in q, k and v.
 */
export function attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, shape: AttentionShape): tf.Tensor2D {
  return fused("Attention", { q, k, v }, { ...shape }, ({ q, k, v }) => {
    const parts = groupsOf(shape).map((group) => {
      const [qs, ks, vs] = splitAll([q, k, v], group, shape.heads);
      return merge(tf.matMul(weightsOf(qs, ks, shape.causal), vs));
    });
    return tf.concat(parts, 0) as tf.Tensor2D;
  });
}

/** Sequences of one size that stand together: how many, and where they start (in rows) and how long each is, queries and keys. */
interface Group {
  readonly count: number;
  readonly queries: Rows;
  readonly keys: Rows;
}

interface Rows {
  readonly start: number;
  readonly length: number;
}

function groupsOf({ lengths, keyLengths }: AttentionShape): Group[] {
  const groups: Group[] = [];
  let [start, keyStart] = [0, 0];
  for (let i = 0; i < lengths.length; ) {
    const [length, keyLength] = [lengths[i]!, keyLengths[i]!];
    let count = 1;
    while (lengths[i + count] === length && keyLengths[i + count] === keyLength) count++;
    groups.push({ count, queries: { start, length }, keys: { start: keyStart, length: keyLength } });
    start += count * length;
    keyStart += count * keyLength;
    i += count;
  }
  return groups;
}

/** A group's queries, keys and values as [count, heads, length, width of a head], shared heads repeated. */
function splitAll(
  [q, k, v]: readonly tf.Tensor[],
  { count, queries, keys }: Group,
  heads: number,
): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const [qs, ks, vs] = [
    split(q!, count, queries, heads),
    ...[k!, v!].map((t) => split(t, count, keys, keyHeads(q!, t, heads))),
  ];
  return [qs!, repeat(ks!, heads), repeat(vs!, heads)];
}

const keyHeads = (q: tf.TensorInfo, k: tf.TensorInfo, heads: number): number => (heads * k.shape[1]!) / q.shape[1]!;

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
function gather(t: tf.Tensor, own: number): tf.Tensor {
  const [count, heads, length, width] = t.shape as [number, number, number, number];
  if (own === heads) return t;
  return tf.reshape(tf.sum(tf.reshape(t, [count, own, heads / own, length * width]), 2), [count, own, length, width]);
}

/** The inverse of `split`: rows [count * length, width]. */
function merge(t: tf.Tensor): tf.Tensor {
  const [count, heads, length, width] = t.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(t, [0, 2, 1, 3]), [count * length, heads * width]);
}

/** Softmax of the scaled scores over the keys that are seen: [count, heads, queries, keys]. */
function weightsOf(q: tf.Tensor, k: tf.Tensor, causal: boolean): tf.Tensor {
  const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(q.shape[3]!));
  if (!causal) return tf.softmax(scores);
  const [queries, keys] = [q.shape[2]!, k.shape[2]!];
  return tf.softmax(tf.add(scores, tf.tensor2d(maskOf(queries, keys), [queries, keys])));
}

/** Gradients of one group: with P the weights, dV = Pᵀ dO, dS = P ∘ (dO Vᵀ − rowsum(dO Vᵀ ∘ P)), dQ = dS K, dK = dSᵀ Q, scaled. */
function groupGradient(
  dy: tf.Tensor,
  [q, k, v]: readonly [tf.Tensor, tf.Tensor, tf.Tensor],
  own: number,
  causal: boolean,
): tf.Tensor[] {
  const p = weightsOf(q, k, causal);
  const dp = tf.matMul(dy, v, false, true);
  const ds = tf.mul(tf.mul(p, tf.sub(dp, tf.sum(tf.mul(dp, p), -1, true))), 1 / Math.sqrt(q.shape[3]!));
  const [dk, dv] = [tf.matMul(ds, q, true, false), tf.matMul(p, dy, true, false)];
  return [merge(tf.matMul(ds, k)), merge(gather(dk, own)), merge(gather(dv, own))];
}

fusedGradient("Attention", ["q", "k", "v"], (dy, saved, attrs) => {
  const shape = attrs as unknown as AttentionShape;
  const own = keyHeads(saved[0]!, saved[1]!, shape.heads);
  const parts = groupsOf(shape).map((group) => {
    const d = split(dy, group.count, group.queries, shape.heads);
    return groupGradient(d, splitAll(saved, group, shape.heads), own, shape.causal);
  });
  const joined = (i: number) => (): tf.Tensor =>
    tf.concat(
      parts.map((part) => part[i]!),
      0,
    );
  return { q: joined(0), k: joined(1), v: joined(2) };
});

nativeKernel("Attention", ({ inputs, attrs }) => {
  const shape = attrs as unknown as AttentionShape;
  const [q, k, v] = [viewOf(inputs.q!), viewOf(inputs.k!), viewOf(inputs.v!)];
  const own = keyHeads(inputs.q!, inputs.k!, shape.heads);
  return filledTensor(inputs.q!.shape, (y) => {
    for (const group of groupsOf(shape)) runGroup({ q, k, v, y }, group, shape, own);
  });
});

/** One call of ONNX Runtime. A mask is fed only where its own causal mode does not serve: with keys before the queries'. */
function runGroup(views: Record<"q" | "k" | "v" | "y", View>, group: Group, shape: AttentionShape, own: number): void {
  const { count, queries, keys } = group;
  const [length, keyLength] = [queries.length, keys.length];
  const square = length === keyLength;
  const masking = !shape.causal || length === 1 ? "none" : square ? "causal" : "mask";
  const of = { q: queries, k: keys, v: keys, y: queries };
  const { y, ...feeds } = mapViews(views, (view, name) => rowsOf(view, count, of[name]));
  const mask = masking === "mask" && { mask: { values: maskOf(length, keyLength), shape: [1, 1, length, keyLength] } };
  const width = views.q.shape[1]! / shape.heads;
  runGraph(
    `attention ${shape.heads} ${own} ${width} ${masking}`,
    () => attentionGraph({ heads: shape.heads, keyHeads: own, width, masking }),
    { ...feeds, ...mask },
    { y },
  );
}

function mapViews<Name extends string>(
  views: Readonly<Record<Name, View>>,
  change: (view: View, name: Name) => View,
): Record<Name, View> {
  const entries = (Object.entries(views) as [Name, View][]).map(([name, view]) => [name, change(view, name)]);
  return Object.fromEntries(entries) as Record<Name, View>;
}

function rowsOf({ values, shape }: View, count: number, { start, length }: Rows): View {
  const width = shape[1]!;
  return { values: values.subarray(start * width, (start + count * length) * width), shape: [count, length, width] };
}

fusedTangent("Attention", ({ inputs, tangents, attrs }) => {
  const shape = attrs as unknown as AttentionShape;
  const values = [inputs.q!, inputs.k!, inputs.v!];
  const changes = ["q", "k", "v"].map((name) => tangents[name] ?? tf.zerosLike(inputs[name]!));
  const parts = groupsOf(shape).map((group) =>
    groupTangent(splitAll(values, group, shape.heads), splitAll(changes, group, shape.heads), shape.causal),
  );
  return tf.concat(parts, 0);
});

/** Tangent of one group: with P the weights, dS = (dQ Kᵀ + Q dKᵀ) scaled, dP = P ∘ (dS − rowsum(P ∘ dS)), dO = dP V + P dV. */
function groupTangent([q, k, v]: tf.Tensor[], [dq, dk, dv]: tf.Tensor[], causal: boolean): tf.Tensor {
  const p = weightsOf(q!, k!, causal);
  const products = tf.add(tf.matMul(dq!, k!, false, true), tf.matMul(q!, dk!, false, true));
  const ds = tf.mul(products, 1 / Math.sqrt(q!.shape[3]!));
  const dp = tf.mul(p, tf.sub(ds, tf.sum(tf.mul(p, ds), -1, true)));
  return merge(tf.add(tf.matMul(dp, v!), tf.matMul(p, dv!)));
}
