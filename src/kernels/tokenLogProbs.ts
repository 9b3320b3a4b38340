import * as tf from "@tensorflow/tfjs";
import { fused, fusedGradient } from "../tensor/fused.ts";
import { filledTensor, nativeKernel, viewOf } from "../tensor/native/backend.ts";
import { floats, type Graph, INT32, node, value } from "../tensor/native/onnx.ts";
import { runGraph, type View } from "../tensor/native/session.ts";

/** Logits held at once, so that the [rows, vocabulary] block stays near the caches: 16 MiB of float32. */
const BLOCK_ELEMENTS = 4 * 2 ** 20;

/**
 * Log-probability of one token after each row: features [rows, width], the output matrix `table` [vocabulary, width], the tokens'
 * ids [rows] (int32) and the bias [vocabulary] of models that have one give [rows]. The logits are formed a block of rows at a
 * time. Differentiable in features, table and bias.
 */
export function tokenLogProbs(features: tf.Tensor, table: tf.Tensor, ids: tf.Tensor, given?: tf.Tensor): tf.Tensor1D {
  const bias = given ?? tf.zeros([table.shape[0]!]);
  const y = fused("TokenLogProbs", { features, table, ids, bias }, {}, () => {
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

const graph = (): Graph => ({
  nodes: [
    node("Gemm", ["features", "table", "bias"], "logits", { transB: 1 }),
    node("LogSoftmax", ["logits"], "all", { axis: -1 }),
    node("GatherElements", ["all", "ids"], "y", { axis: 1 }),
  ],
  inputs: [floats("features", "n", "d"), floats("table", "v", "d"), floats("bias", "v"), value("ids", INT32, ["n", 1])],
  outputs: [floats("y", "n", 1)],
});

nativeKernel("TokenLogProbs", ({ inputs }) => {
  const [features, ids] = [viewOf(inputs.features!), viewOf(inputs.ids!)];
  const [table, bias] = [viewOf(inputs.table!), viewOf(inputs.bias!)];
  const count = features.shape[0]!;
  const block = Math.max(1, Math.floor(BLOCK_ELEMENTS / table.shape[0]!));
  return filledTensor([count], (y) => {
    for (let from = 0; from < count; from += block) {
      const part = (view: View): View => rowsOf(view, from, Math.min(count, from + block));
      const column = ({ values }: View): View => part({ values, shape: [count, 1] });
      const feeds = { features: part(features), ids: column(ids), table, bias };
      runGraph("tokenLogProbs", graph, feeds, { y: column(y) });
    }
  });
});

function rowsOf({ values, shape }: View, from: number, to: number): View {
  const width = shape[1]!;
  return { values: values.subarray(from * width, to * width), shape: [to - from, width] };
}
