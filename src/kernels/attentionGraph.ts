import { floats, type Graph, node } from "../tensor/native/onnx.ts";

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
