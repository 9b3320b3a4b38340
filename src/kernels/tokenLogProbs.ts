import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, hasLibrary, NATIVE, nativeKernel, viewTensor } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { give, type Scratch, take, withScratch } from "../tensor/native/pool.ts";
import { runGraph, type View } from "../tensor/native/session.ts";
import { pair } from "../tensor/pair.ts";
import { constant, defineRule, fused, fusedGradient } from "../tensor/trace.ts";
import { addToLogSums, emptyLogSums, type LogSums } from "../tensor/x86/rows.ts";
import { type FoundWeight, filledSides, findWeight, viewInputs, viewSides } from "./sides.ts";
import { eachLogitBlock, type OutputSide } from "./vocabularyTiles.ts";

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

/** What a side reads beside the output matrix. */
const BESIDE = ["features", "bias"] as const;

const viewIds = (ids: tf.TensorInfo): Int32Array => viewTensor(ids).values as Int32Array;

nativeKernel("TokenLogProbs", ({ inputs }) =>
  filledTensor([inputs.ids!.shape[0]!], (y) =>
    withScratch((scratch) => {
      const side = { ...viewInputs(inputs, BESIDE), y };
      fillLogProbs({ tensor: inputs.table! }, viewIds(inputs.ids!), [side], scratch);
    }),
  ),
);

defineRule(pair, "TokenLogProbs", NATIVE, (inputs, inTheta) => {
  const { table, ids } = inputs[0]!;
  return filledSides(inputs.length, [ids!.shape[0]!], (y, scratch) => {
    const sides = viewSides(inputs, BESIDE, inTheta, scratch).map((side, i) => ({ ...side, y: y[i]! }));
    fillLogProbs(findWeight(table!, inTheta), viewIds(ids!), sides, scratch);
  });
});

/** Writes to each side's y [rows] the log-probabilities of ids [rows]. */
function fillLogProbs(
  table: FoundWeight,
  ids: Int32Array,
  sides: readonly (OutputSide & { readonly y: View })[],
  scratch: Scratch,
): void {
  const logSums = sides.map(() => emptyLogSums(ids.length));
  eachLogitBlock(table, sides, scratch, ({ first, from, sides: blocks }) => {
    blocks.forEach((logits, side) => {
      const last = first + logits.shape[0]!;
      addBlock(cut(logSums[side]!, first, last), logits);
      pickLogits(sides[side]!.y.values.subarray(first, last), ids.subarray(first, last), logits, from);
    });
  });
  sides.forEach(({ y: { values } }, side) => {
    const { tops, sums } = logSums[side]!;
    for (let i = 0; i < values.length; i++) values[i] = values[i]! - tops[i]! - Math.log(sums[i]!);
  });
}

const cut = ({ tops, sums }: LogSums, first: number, last: number): LogSums => ({
  tops: tops.subarray(first, last),
  sums: sums.subarray(first, last),
});

/** Keeps the logits of the rows' own tokens, where they are among those from `from` on. */
function pickLogits(picked: View["values"], ids: Int32Array, { values, shape }: View, from: number): void {
  const tokens = shape[1]!;
  ids.forEach((id, i) => {
    if (id >= from && id < from + tokens) picked[i] = values[i * tokens + id - from]!;
  });
}

/** Adds logits [rows, tokens] to the rows' log-sums. */
function addBlock(logSums: LogSums, logits: View): void {
  if (hasLibrary()) {
    addToLogSums(logSums, logits.values as Float32Array, logits.shape[1]!);
    return;
  }
  const n = logits.shape[0]!;
  const added = take(n);
  runGraph("logSums", logSumsGraph, { logits }, { added: { values: added, shape: [n] } });
  for (let i = 0; i < n; i++) addSum(logSums, i, added[i]!);
  give(added);
}

/** Adds exp(logSum) to a row's sum of exponentials. */
function addSum({ tops, sums }: LogSums, row: number, logSum: number): void {
  const [old, top] = [tops[row]!, Math.max(tops[row]!, logSum)];
  sums[row] = sums[row]! * Math.exp(old - top) + Math.exp(logSum - top);
  tops[row] = top;
}

const logSumsGraph = (): Graph => ({
  nodes: [node("ReduceLogSumExp", ["logits"], "added", { axes: [1], keepdims: 0 })],
  inputs: [floats("logits", "n", "v")],
  outputs: [floats("added", "n")],
});
