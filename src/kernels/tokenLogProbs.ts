import * as tf from "@tensorflow/tfjs";
import { fused, fusedGradient } from "../tensor/fused.ts";
import { filledTensor, nativeKernel, viewOf } from "../tensor/native/backend.ts";
import { floats, type Graph, INT32, node, value } from "../tensor/native/onnx.ts";
import { runGraph, type View } from "../tensor/native/session.ts";

/** Logits held at once, so that the [rows, vocabulary] block stays near the caches: 16 MiB of float32. */
const BLOCK_ELEMENTS = 4 * 2 ** 20;

/**
 * Log-probability of one token after each row: features [rows, width], the output matrix `table` [vocabulary, width] and the
 * tokens' ids [rows] (int32) give [rows]. The logits are formed a block of rows at a time. Differentiable in features and table.
 */
export function tokenLogProbs(features: tf.Tensor, table: tf.Tensor, ids: tf.Tensor): tf.Tensor1D {
  return fused("TokenLogProbs", { features, table, ids }, {}, () => {
    const chosen = tf.oneHot(ids as tf.Tensor1D, table.shape[0]!);
    return tf.sum(tf.mul(tf.logSoftmax(tf.matMul(features, table, false, true)), chosen), -1) as tf.Tensor1D;
  });
}

fusedGradient("TokenLogProbs", ["features", "table", "ids"], (dy, [features, table, ids]) => {
  const chosen = tf.oneHot(ids as tf.Tensor1D, table!.shape[0]!);
  const dLogits = tf.mul(tf.sub(chosen, tf.softmax(tf.matMul(features!, table!, false, true))), tf.expandDims(dy, -1));
  return { features: () => tf.matMul(dLogits, table!), table: () => tf.matMul(dLogits, features!, true, false) };
});

const graph = (): Graph => ({
  nodes: [
    node("Gemm", ["features", "table"], "logits", { transB: 1 }),
    node("LogSoftmax", ["logits"], "all", { axis: -1 }),
    node("GatherElements", ["all", "ids"], "y", { axis: 1 }),
  ],
  inputs: [floats("features", "n", "d"), floats("table", "v", "d"), value("ids", INT32, ["n", 1])],
  outputs: [floats("y", "n", 1)],
});

nativeKernel("TokenLogProbs", ({ inputs }) => {
  const [features, table, ids] = [viewOf(inputs.features!), viewOf(inputs.table!), viewOf(inputs.ids!)];
  const [rows] = features.shape as [number];
  const block = Math.max(1, Math.floor(BLOCK_ELEMENTS / table.shape[0]!));
  return filledTensor([rows], (y) => {
    for (let from = 0; from < rows; from += block) {
      const part = (view: View): View => rowsOf(view, from, Math.min(rows, from + block));
      const feeds = { features: part(features), table, ids: part({ ...ids, shape: [rows, 1] }) };
      runGraph("tokenLogProbs", graph, feeds, { y: part({ ...y, shape: [rows, 1] }) });
    }
  });
});

function rowsOf({ values, shape }: View, from: number, to: number): View {
  const width = shape[1]!;
  return { values: values.subarray(from * width, to * width), shape: [to - from, width] };
}
