import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { give, take } from "../tensor/native/pool.ts";
import { runGraph } from "../tensor/native/session.ts";

/** Rows of the output matrix that are used at once: 6 MiB of a matrix 768 wide, which stay in the caches. A tile begins where a group of z does. */
export const TILE = 2048;

/** Feature rows whose logits are held at once: 2 MiB of them for a tile. */
const BLOCK = 256;

/** What log-probabilities are wanted of: token ids[i] after feature row i, [rows, width], of a vocabulary's size. */
export interface Wanted {
  readonly ids: Int32Array;
  readonly width: number;
  readonly vocabulary: number;
}

/** Features [rows, width] and the bias [vocabulary] of the output matrix that they meet. */
export interface TileSide {
  readonly features: Float32Array;
  readonly bias: Float32Array;
}

/** The running logarithm of a row's sum of exponentials, as a maximum and a sum, and the logit of the row's token. */
interface Row {
  top: number;
  sum: number;
  logit: number;
}

/**
 * Log-probabilities [rows] for each side, the output matrix being used a tile of its rows at a time: `tileOf` gives those from `from`
 * up to `to`, [to − from, width], of each side's matrix, valid until the next call. The vocabulary's logits are never held together.
 */
export function logProbsByTiles(
  { ids, width, vocabulary }: Wanted,
  sides: readonly TileSide[],
  tileOf: (from: number, to: number) => readonly Float32Array[],
): Float32Array[] {
  const rows = sides.map(() => Array.from(ids, (): Row => ({ top: Number.NEGATIVE_INFINITY, sum: 0, logit: 0 })));
  for (let from = 0; from < vocabulary; from += TILE) {
    const to = Math.min(vocabulary, from + TILE);
    const tiles = tileOf(from, to);
    sides.forEach(({ features, bias }, side) => {
      const tile = { weights: tiles[side]!, bias: bias.subarray(from, to), from };
      for (let row = 0; row < ids.length; row += BLOCK) {
        const some = rows[side]!.slice(row, row + BLOCK);
        addTile(some, ids.subarray(row, row + BLOCK), features.subarray(row * width, (row + BLOCK) * width), tile);
      }
    });
  }
  return rows.map((side) => Float32Array.from(side, ({ top, sum, logit }) => logit - top - Math.log(sum)));
}

interface Tile {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly from: number;
}

/** Adds a tile's logits to the rows' sums. */
function addTile(rows: readonly Row[], ids: Int32Array, features: Float32Array, { weights, bias, from }: Tile): void {
  const [n, size] = [ids.length, bias.length];
  const logits = take(n * size);
  const sums = take(n);
  const [width, tile] = [features.length / n, weights.length / size];
  runGraph(
    "vocabularyTile",
    graph,
    {
      features: { values: features, shape: [n, width] },
      weights: { values: weights, shape: [size, tile] },
      bias: { values: bias, shape: [size] },
    },
    { logits: { values: logits, shape: [n, size] }, sums: { values: sums, shape: [n] } },
  );
  rows.forEach((row, i) => {
    addSum(row, sums[i]!);
    const at = ids[i]! - from;
    if (at >= 0 && at < size) row.logit = logits[i * size + at]!;
  });
  give(logits);
  give(sums);
}

/** Adds exp(logSum) to a row's sum of exponentials. */
function addSum(row: Row, logSum: number): void {
  const top = Math.max(row.top, logSum);
  row.sum = row.sum * Math.exp(row.top - top) + Math.exp(logSum - top);
  row.top = top;
}

const graph = (): Graph => ({
  nodes: [
    node("Gemm", ["features", "weights", "bias"], "logits", { transB: 1 }),
    node("ReduceLogSumExp", ["logits"], "sums", { axes: [1], keepdims: 0 }),
  ],
  inputs: [floats("features", "n", "d"), floats("weights", "v", "d"), floats("bias", "v")],
  outputs: [floats("logits", "n", "v"), floats("sums", "n")],
});
