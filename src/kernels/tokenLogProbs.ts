import * as tf from "@tensorflow/tfjs";
import { constant, fused, fusedGradient } from "../tensor/fused.ts";
import { isHalves, type Source } from "../tensor/halves/format.ts";
import { widen } from "../tensor/halves/halves.ts";
import { filledTensor, NATIVE, nativeKernel, sourceOf, viewOf } from "../tensor/native/backend.ts";
import { give, take } from "../tensor/native/pool.ts";
import { type FormRows, pairRule } from "../tensor/pair.ts";
import { logProbsByTiles, TILE, type Wanted } from "./vocabularyTiles.ts";

/**
 * Log-probability of one token after each row: features [rows, width], the output matrix `table` [vocabulary, width], the tokens'
 * ids [rows] (int32) and the bias [vocabulary] of models that have one give [rows]. On the native backend the logits of the whole
 * vocabulary are never held. Differentiable in features, table and bias.
 */
export function tokenLogProbs(features: tf.Tensor, table: tf.Tensor, ids: tf.Tensor, given?: tf.Tensor): tf.Tensor1D {
  const bias = given ?? constant(tf.zeros([table.shape[0]!]));
  const y = fused("TokenLogProbs", { features, table, ids, bias }, {}, ({ features, table, ids, bias }) => {
    const chosen = tf.oneHot(ids as tf.Tensor1D, table.shape[0]!);
    return tf.sum(tf.mul(tf.logSoftmax(logitsOf(features, table, bias)), chosen), -1) as tf.Tensor1D;
  });
  if (!given) bias.dispose();
  return y;
}

const logitsOf = (features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
  tf.add(tf.matMul(features, table, false, true), bias);

fusedGradient("TokenLogProbs", ["features", "table", "ids", "bias"], (dy, [features, table, ids, bias]) => {
  const chosen = tf.oneHot(ids as tf.Tensor1D, table!.shape[0]!);
  const weights = tf.softmax(logitsOf(features!, table!, bias!));
  const dLogits = tf.mul(tf.sub(chosen, weights), tf.expandDims(dy, -1));
  return {
    features: () => tf.matMul(dLogits, table!),
    table: () => tf.matMul(dLogits, features!, true, false),
    bias: () => tf.sum(dLogits, 0),
  };
});

nativeKernel("TokenLogProbs", ({ inputs }) => {
  const side = { features: floatsOf(inputs.features!), bias: floatsOf(inputs.bias!) };
  const wanted = wantedOf(inputs);
  return filledTensor([wanted.ids.length], ({ values: y }) =>
    withTiles(sourceOf(inputs.table!), wanted, (tileOf) => y.set(logProbsByTiles(wanted, [side], tileOf)[0]!)),
  );
});

type TileOf = Parameters<typeof logProbsByTiles>[2];

/** Lets `use` have tiles of an output matrix, which are widened one at a time where it is kept in 16 bits. */
function withTiles(table: Source, { width, vocabulary }: Wanted, use: (tileOf: TileOf) => void): void {
  if (!isHalves(table)) {
    use((from, to) => [table.subarray(from * width, to * width)]);
    return;
  }
  const buffer = take(Math.min(TILE, vocabulary) * width);
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

/** Of an output matrix in theta, a tile is formed at a time. */
pairRule("TokenLogProbs", NATIVE, ({ plus, minus }, formed) => {
  const form = formed(plus.table!);
  if (!form) return undefined;
  const wanted = wantedOf(plus);
  const biases = biasesOf(plus.bias!, formed);
  const buffers = [plus, minus].map(() => take(Math.min(TILE, wanted.vocabulary) * wanted.width));
  const tileOf = (from: number, to: number): Float32Array[] => {
    const [above, below] = buffers.map((buffer) => buffer.subarray(0, (to - from) * wanted.width));
    form([{ from: from * wanted.width, to: to * wanted.width, plus: above!, minus: below! }]);
    return [above!, below!];
  };
  const sides = [plus, minus].map(({ features }, i) => ({ features: floatsOf(features!), bias: biases[i]! }));
  const values = logProbsByTiles(wanted, sides, tileOf);
  for (const buffer of buffers) give(buffer);
  const [above, below] = values.map((side) => tf.tensor1d(side));
  return { plus: above!, minus: below! };
});

/** Both sides of the bias, which are the same where it is not in theta. */
function biasesOf(bias: tf.Tensor, formed: FormRows): Float32Array[] {
  const form = formed(bias);
  if (!form) return [floatsOf(bias), floatsOf(bias)];
  const [plus, minus] = [new Float32Array(bias.size), new Float32Array(bias.size)];
  form([{ from: 0, to: bias.size, plus, minus }]);
  return [plus, minus];
}

const floatsOf = (tensor: tf.TensorInfo): Float32Array => viewOf(tensor).values as Float32Array;

const wantedOf = ({ ids, table }: Readonly<Record<string, tf.TensorInfo>>): Wanted => ({
  ids: viewOf(ids!).values as Int32Array,
  vocabulary: table!.shape[0]!,
  width: table!.shape[1]!,
});
