import * as tf from "@tensorflow/tfjs-core";
import { widen } from "../tensor/halves.ts";
import { filledTensor, findSource, NATIVE, nativeKernel, viewTensor } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { give, take } from "../tensor/native/pool.ts";
import { runGraph } from "../tensor/native/session.ts";
import { type FormRows, pair } from "../tensor/pair.ts";
import { isHalves, type Source } from "../tensor/source.ts";
import { constant, defineRule, fused, fusedGradient } from "../tensor/trace.ts";

/** Rows of the output matrix that are used at once: 6 MiB of a matrix 768 wide, which stay in the caches. A tile begins where a group of z does. */
export const TILE_ROWS = 2048;

/** Feature rows whose logits are held at once: 2 MiB of them for a tile. */
const FEATURES_AT_ONCE = 256;

/** The tokens whose log-probabilities are computed: ids[i] follows feature row i; width of the rows, and size of the vocabulary. */
export interface Targets {
  readonly ids: Int32Array;
  readonly width: number;
  readonly vocabulary: number;
}

/** One side's features [rows, width], and the bias [vocabulary] of its output matrix. */
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
 * Log-probabilities [rows] for each side, the output matrix being used a tile of its rows at a time: `readTiles` gives those from `from`
 * up to `to`, [to − from, width], of each side's matrix, valid until the next call. The vocabulary's logits are never held together.
 */
export function logProbsByTiles(
  { ids, width, vocabulary }: Targets,
  sides: readonly TileSide[],
  readTiles: (from: number, to: number) => readonly Float32Array[],
): Float32Array[] {
  const rows = sides.map(() => Array.from(ids, (): Row => ({ top: Number.NEGATIVE_INFINITY, sum: 0, logit: 0 })));
  for (let from = 0; from < vocabulary; from += TILE_ROWS) {
    const to = Math.min(vocabulary, from + TILE_ROWS);
    const tiles = readTiles(from, to);
    sides.forEach(({ features, bias }, side) => {
      const tile = { weights: tiles[side]!, bias: bias.subarray(from, to), from };
      for (let row = 0; row < ids.length; row += FEATURES_AT_ONCE) {
        const some = rows[side]!.slice(row, row + FEATURES_AT_ONCE);
        addTile(
          some,
          ids.subarray(row, row + FEATURES_AT_ONCE),
          features.subarray(row * width, (row + FEATURES_AT_ONCE) * width),
          tile,
        );
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

/**
 * Log-probability of one token after each row: features [rows, width], the output matrix `table` [vocabulary, width], the tokens'
 * ids [rows] (int32) and the bias [vocabulary] of models that have one give [rows]. On the native backend the logits of the whole
 * vocabulary are never held. Differentiable in features, table and bias.
 */
export function tokenLogProbs(features: tf.Tensor, table: tf.Tensor, ids: tf.Tensor, given?: tf.Tensor): tf.Tensor1D {
  const bias = given ?? constant(tf.zeros([table.shape[0]!]));
  const y = fused("TokenLogProbs", { features, table, ids, bias }, {}, ({ features, table, ids, bias }) => {
    const chosen = tf.oneHot(ids as tf.Tensor1D, table.shape[0]!);
    return tf.sum(tf.mul(tf.logSoftmax(computeLogits(features, table, bias)), chosen), -1) as tf.Tensor1D;
  });
  if (!given) bias.dispose();
  return y;
}

const computeLogits = (features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
  tf.add(tf.matMul(features, table, false, true), bias);

fusedGradient("TokenLogProbs", ["features", "table", "ids", "bias"], (dy, [features, table, ids, bias]) => {
  const chosen = tf.oneHot(ids as tf.Tensor1D, table!.shape[0]!);
  const weights = tf.softmax(computeLogits(features!, table!, bias!));
  const dLogits = tf.mul(tf.sub(chosen, weights), tf.expandDims(dy, -1));
  return {
    features: () => tf.matMul(dLogits, table!),
    table: () => tf.matMul(dLogits, features!, true, false),
    bias: () => tf.sum(dLogits, 0),
  };
});

nativeKernel("TokenLogProbs", ({ inputs }) => {
  const side = { features: viewFloats(inputs.features!), bias: viewFloats(inputs.bias!) };
  const targets = findTargets(inputs);
  return filledTensor([targets.ids.length], ({ values: y }) =>
    withTiles(findSource(inputs.table!), targets, (readTiles) =>
      y.set(logProbsByTiles(targets, [side], readTiles)[0]!),
    ),
  );
});

type ReadTiles = Parameters<typeof logProbsByTiles>[2];

/** Calls `use` with a reader of an output matrix's tiles, widened one at a time where it is kept in 16 bits. */
export function withTiles(
  table: Source,
  { width, vocabulary }: Pick<Targets, "width" | "vocabulary">,
  use: (readTiles: ReadTiles) => void,
): void {
  if (!isHalves(table)) {
    use((from, to) => [table.subarray(from * width, to * width)]);
    return;
  }
  const buffer = take(Math.min(TILE_ROWS, vocabulary) * width);
  try {
    use((from, to) => {
      const tile = buffer.subarray(0, (to - from) * width);
      widen(table, from * width, tile);
      return [tile];
    });
  } finally {
    give(buffer);
  }
}

/** An output matrix in theta is formed a tile at a time. */
defineRule(pair, "TokenLogProbs", NATIVE, ({ plus, minus }, formed) => {
  const form = formed(plus.table!);
  if (!form) return undefined;
  const targets = findTargets(plus);
  const biases = formBias(plus.bias!, formed);
  const buffers = [plus, minus].map(() => take(Math.min(TILE_ROWS, targets.vocabulary) * targets.width));
  const readTiles = (from: number, to: number): Float32Array[] => {
    const [above, below] = buffers.map((buffer) => buffer.subarray(0, (to - from) * targets.width));
    form([{ from: from * targets.width, to: to * targets.width, sides: { plus: above!, minus: below! } }]);
    return [above!, below!];
  };
  const sides = [plus, minus].map(({ features }, i) => ({ features: viewFloats(features!), bias: biases[i]! }));
  const values = logProbsByTiles(targets, sides, readTiles);
  for (const buffer of buffers) give(buffer);
  const [above, below] = values.map((side) => tf.tensor1d(side));
  return { plus: above!, minus: below! };
});

/** Both sides of the bias, which are the same where it is not in theta. */
function formBias(bias: tf.Tensor, formed: FormRows): Float32Array[] {
  const form = formed(bias);
  if (!form) return [viewFloats(bias), viewFloats(bias)];
  const [plus, minus] = [new Float32Array(bias.size), new Float32Array(bias.size)];
  form([{ from: 0, to: bias.size, sides: { plus, minus } }]);
  return [plus, minus];
}

const viewFloats = (tensor: tf.TensorInfo): Float32Array => viewTensor(tensor).values as Float32Array;

const findTargets = ({ ids, table }: Readonly<Record<string, tf.TensorInfo>>): Targets => ({
  ids: viewTensor(ids!).values as Int32Array,
  vocabulary: table!.shape[0]!,
  width: table!.shape[1]!,
});
