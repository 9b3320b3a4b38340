import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, hasLibrary, nativeKernel, runInLibrary, viewTensor } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { runGraph, type View } from "../tensor/native/session.ts";
import { fused, fusedGradient } from "../tensor/trace.ts";
import { attend } from "../tensor/x86/rows.ts";
import { causalMask, type Group, groupAttention, groupGradient, type Rows, splitHeads } from "./attentionHeads.ts";
import "./gradients.ts";

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
function repeatNodes(
  names: Readonly<Record<string, string>>,
  heads: number,
  times: number,
  width: number,
): Uint8Array[] {
  const constant = (name: string, value: readonly number[]): Uint8Array =>
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
    const parts = groupSequences(shape).map((group) =>
      groupAttention(splitHeads([q, k, v], group, shape.heads), shape.causal),
    );
    return tf.concat(parts, 0) as tf.Tensor2D;
  });
}

/** Neighbours of one size together. */
export function groupSequences({ lengths, keyLengths }: AttentionShape): Group[] {
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

const countKeyHeads = (q: tf.TensorInfo, k: tf.TensorInfo, heads: number): number =>
  (heads * k.shape[1]!) / q.shape[1]!;

fusedGradient("Attention", ["q", "k", "v"], (dy, saved, attrs) => {
  const shape = attrs as unknown as AttentionShape;
  const own = countKeyHeads(saved[0]!, saved[1]!, shape.heads);
  const parts = groupSequences(shape).map((group) =>
    groupGradient(dy, splitHeads(saved, group, shape.heads), group, own, shape.causal),
  );
  const join = (i: number) => (): tf.Tensor =>
    tf.concat(
      parts.map((part) => part[i]!),
      0,
    );
  return { q: join(0), k: join(1), v: join(2) };
});

nativeKernel("Attention", ({ inputs, attrs }) => {
  const shape = attrs as unknown as AttentionShape;
  const own = countKeyHeads(inputs.q!, inputs.k!, shape.heads);
  if (hasLibrary()) {
    const sizes = { ...shape, keyHeads: own, width: inputs.q!.shape[1]! / shape.heads };
    return runInLibrary(inputs, inputs.q!.shape, ({ q, k, v }, y) => attend({ q: q!, k: k!, v: v!, y }, sizes));
  }
  const [q, k, v] = [viewTensor(inputs.q!), viewTensor(inputs.k!), viewTensor(inputs.v!)];
  return filledTensor(inputs.q!.shape, (y) => {
    for (const group of groupSequences(shape)) runGroup({ q, k, v, y }, group, shape, own);
  });
});

/** One call of ONNX Runtime. A mask is fed only where its own causal mode does not serve: with keys before the queries'. */
function runGroup(views: Record<"q" | "k" | "v" | "y", View>, group: Group, shape: AttentionShape, own: number): void {
  const { count, queries, keys } = group;
  const [length, keyLength] = [queries.length, keys.length];
  const square = length === keyLength;
  const masking = !shape.causal || length === 1 ? "none" : square ? "causal" : "mask";
  const of = { q: queries, k: keys, v: keys, y: queries };
  const { y, ...feeds } = mapViews(views, (view, name) => groupRows(view, count, of[name]));
  const mask = masking === "mask" && {
    mask: { values: causalMask(length, keyLength), shape: [1, 1, length, keyLength] },
  };
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

function groupRows({ values, shape }: View, count: number, { start, length }: Rows): View {
  const width = shape[1]!;
  return { values: values.subarray(start * width, (start + count * length) * width), shape: [count, length, width] };
}
