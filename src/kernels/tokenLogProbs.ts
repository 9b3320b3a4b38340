import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, NATIVE, nativeKernel, viewTensor } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { give, type Scratch, take, withScratch } from "../tensor/native/pool.ts";
import { runGraph, type View } from "../tensor/native/session.ts";
import { pair } from "../tensor/pair.ts";
import { constant, defineRule, fused, fusedGradient } from "../tensor/trace.ts";
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
  const { table, ids } = inputs.plus;
  return filledSides([ids!.shape[0]!], (y, scratch) => {
    const sides = viewSides(inputs, BESIDE, inTheta, scratch).map((side, i) => ({ ...side, y: y[i]! }));
    fillLogProbs(findWeight(table!, inTheta), viewIds(ids!), sides, scratch);
  });
});

/** The running logarithm of a row's sum of exponentials, as a maximum and a sum, and the logit of the row's token. */
interface Row {
  top: number;
  sum: number;
  logit: number;
}

/** Writes to each side's y [rows] the log-probabilities of ids [rows]. */
function fillLogProbs(
  table: FoundWeight,
  ids: Int32Array,
  sides: readonly (OutputSide & { readonly y: View })[],
  scratch: Scratch,
): void {
  const rows = sides.map(() => Array.from(ids, (): Row => ({ top: Number.NEGATIVE_INFINITY, sum: 0, logit: 0 })));
  eachLogitBlock(table, sides, scratch, ({ first, from, sides: logits }) => {
    logits.forEach((block, side) => {
      const last = first + block.shape[0]!;
      addBlock(rows[side]!.slice(first, last), ids.subarray(first, last), block, from);
    });
  });
  sides.forEach(({ y }, side) => {
    y.values.set(rows[side]!.map(({ top, sum, logit }) => logit - top - Math.log(sum)));
  });
}

/** Adds the logits of the tokens from `from` on to the rows' sums. */
function addBlock(rows: readonly Row[], ids: Int32Array, logits: View, from: number): void {
  const [n, tokens] = logits.shape as [number, number];
  const sums = take(n);
  runGraph("logSums", logSumsGraph, { logits }, { sums: { values: sums, shape: [n] } });
  rows.forEach((row, i) => {
    addSum(row, sums[i]!);
    const at = ids[i]! - from;
    if (at >= 0 && at < tokens) row.logit = logits.values[i * tokens + at]!;
  });
  give(sums);
}

/** Adds exp(logSum) to a row's sum of exponentials. */
function addSum(row: Row, logSum: number): void {
  const top = Math.max(row.top, logSum);
  row.sum = row.sum * Math.exp(row.top - top) + Math.exp(logSum - top);
  row.top = top;
}

const logSumsGraph = (): Graph => ({
  nodes: [node("ReduceLogSumExp", ["logits"], "sums", { axes: [1], keepdims: 0 })],
  inputs: [floats("logits", "n", "v")],
  outputs: [floats("sums", "n")],
});
