import { tensorflowKernel, upload, type Value, within } from "../../tensor/tensorflow/operations.ts";
import { type AttentionShape, groupSequences } from "../attention.ts";
import { causalMask, type Group, type Rows } from "../attentionHeads.ts";
import { evenBlocks } from "../linear.ts";
import {
  consume,
  cut,
  elementwise,
  join,
  multiplyMatrices,
  reshape,
  SCRATCH_BYTES,
  scalar,
  transpose,
} from "./arithmetic.ts";
import { keptFor } from "./kept.ts";

tensorflowKernel("Attention", ({ inputs, attrs }) => {
  const shape = attrs as unknown as AttentionShape;
  const { q, k, v } = inputs as Record<"q" | "k" | "v", Value>;
  return join(groupSequences(shape).map((group) => within(() => attendGroup([q, k, v], group, shape))));
});

/** Attention of sequences of one size: rows [count * queries, width]. Queries whose heads share keys stand beside each other. */
function attendGroup(
  [q, k, v]: readonly [Value, Value, Value],
  group: Group,
  { heads, causal }: AttentionShape,
): Value {
  const { count, queries, keys } = group;
  const width = q.shape[1]! / heads;
  const own = k.shape[1]! / width;
  const scaled = elementwise("Mul", takeRows(q, queries, count), scalar(1 / Math.sqrt(width)));
  const split = consume(scaled, (q) => apart(q, count, queries.length, own, heads / own, width));
  const [ks, vs] = [k, v].map((t) => apart(takeRows(t, keys, count), count, keys.length, own, 1, width));
  const y = attendHeads(split, [ks!, vs!], causal);
  const sorted = transpose(reshape(y, count, own, heads / own, queries.length, width), 0, 3, 1, 2, 4);
  return reshape(sorted, count * queries.length, heads * width);
}

const takeRows = (x: Value, { start, length }: Rows, count: number): Value => cut(x, [start, start + count * length]);

/** Rows of heads as [count * own, shared, length, width]: of each sequence, each head of its keys, each head that shares it. */
function apart(x: Value, count: number, length: number, own: number, shared: number, width: number): Value {
  const split = reshape(x, count, length, own, shared, width);
  return reshape(transpose(split, 0, 2, 3, 1, 4), count * own, shared, length, width);
}

/**
 * Attention of q [heads, shared, queries, width] to keys and values [heads, 1, keys, width], in q's shape. Some heads at a time, or where one
 * head's scores are too many, some of its queries.
 */
function attendHeads(q: Value, [k, v]: readonly [Value, Value], causal: boolean): Value {
  const [heads, shared, queries] = q.shape as [number, number, number, number];
  const keys = k.shape[2]!;
  const most = SCRATCH_BYTES / 2 / (4 * shared * keys); // the scores, and what becomes of them
  const atOnce = Math.max(1, Math.floor(most / queries));
  const rows = evenBlocks(queries, Math.max(1, Math.floor(most)));
  const parts = evenBlocks(heads, atOnce).map((some) =>
    within(() => {
      const [ownQ, ownK, ownV] = [cut(q, some), cut(k, some), cut(v, some)];
      const all = rows.map((block) => {
        const seen: [number, number] = [0, causal ? keys - queries + block[1] : keys];
        return attendBlock(part(ownQ, block), [part(ownK, seen), part(ownV, seen)], causal);
      });
      return join(all, 2);
    }),
  );
  return join(parts);
}

/** Some tokens of some heads; without a copy where it is all of them. */
const part = (x: Value, block: readonly [number, number]): Value =>
  block[0] === 0 && block[1] === x.shape[2] ? x : cut(x, block, 2);

const attendBlock = (q: Value, [k, v]: readonly [Value, Value], causal: boolean): Value =>
  within(() => {
    const [heads, shared, queries, width] = q.shape as [number, number, number, number];
    const keys = k.shape[2]!;
    const flat = (x: Value): Value => reshape(x, heads, -1, width);
    const scores = multiplyMatrices(flat(q), flat(k), true);
    const weights = consume(masked(scores, queries, causal), (scores) => elementwise("Softmax", scores));
    return reshape(multiplyMatrices(reshape(weights, heads, shared * queries, keys), flat(v), false), ...q.shape);
  });

/** Scores [·, keys] of queries that stand together, [·, queries, keys], those of keys after the query's own out of sight. */
function masked(scores: Value, queries: number, causal: boolean): Value {
  const keys = scores.shape[2]!;
  if (!causal || queries === 1) return scores;
  const [mask] = keptFor(`mask ${queries} ${keys}`, () => [
    upload(causalMask(queries, keys), [queries, keys], "float32"),
  ]);
  return consume(
    consume(scores, (scores) => reshape(scores, -1, queries, keys)),
    (apart) => elementwise("AddV2", apart, mask!),
  );
}
