import * as tf from "@tensorflow/tfjs";
import { fused, fusedGradient } from "../tensor/fused.ts";
import { nativeKernel, runKernel } from "../tensor/native/backend.ts";
import { floats, type Graph, INT32, node, value } from "../tensor/native/onnx.ts";
import { fusedTangent } from "../tensor/tangent.ts";

/** Rows of a table: ids [n] (int32) of table [rows, width] give [n, width]. Differentiable in the table. */
export function embed(ids: tf.Tensor, table: tf.Tensor): tf.Tensor2D {
  return fused("Embed", { ids, table }, {}, () => tf.gather(table, ids as tf.Tensor1D) as tf.Tensor2D);
}

fusedGradient("Embed", ["ids", "table"], (dy, [ids, table]) => ({
  table: () => tf.unsortedSegmentSum(dy, ids as tf.Tensor1D, table!.shape[0]!),
}));

const graph = (): Graph => ({
  nodes: [node("Gather", ["table", "ids"], "y")],
  inputs: [value("ids", INT32, ["n"]), floats("table", "v", "d")],
  outputs: [floats("y", "n", "d")],
});

nativeKernel("Embed", ({ inputs }) =>
  runKernel("embed", graph, inputs, [inputs.ids!.shape[0]!, inputs.table!.shape[1]!]),
);

fusedTangent("Embed", ({ inputs, tangents }) => embed(inputs.ids!, tangents.table!));
