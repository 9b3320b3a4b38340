import * as tf from "@tensorflow/tfjs-core";
import { isChangeable } from "../tensor/addInto.ts";
import { widen } from "../tensor/halves.ts";
import { filledTensor, findSource, NATIVE, nativeKernel, runKernel, viewTensor } from "../tensor/native/backend.ts";
import { floats, type Graph, INT32, node, value } from "../tensor/native/onnx.ts";
import { pair } from "../tensor/pair.ts";
import { type Halves, isHalves } from "../tensor/source.ts";
import { defineRule, fused, fusedGradient } from "../tensor/trace.ts";
import { filledSides } from "./sides.ts";

/** Rows of a table: ids [n] (int32) of table [rows, width] give [n, width], and of table [rows] give [n]. Differentiable in the table. */
export function embed(ids: tf.Tensor, table: tf.Tensor): tf.Tensor2D {
  return fused("Embed", { ids, table }, {}, (given) => tf.gather(given.table, given.ids as tf.Tensor1D) as tf.Tensor2D);
}

fusedGradient("Embed", ["ids", "table"], (dy, [ids, table]) => ({
  table: (sum) => {
    if (sum && isChangeable(sum)) return addRows(sum, ids!, dy);
    return tf.unsortedSegmentSum(dy, ids as tf.Tensor1D, table!.shape[0]!);
  },
}));

/** Adds rows to those of a table that they were looked up from, in place: most of a large table is never seen. */
function addRows(table: tf.Tensor, ids: tf.Tensor, rows: tf.Tensor): tf.Tensor {
  const [into, from] = [table, rows].map((tensor) => viewTensor(tensor).values as Float32Array);
  const width = rows.size / ids.size;
  viewTensor(ids).values.forEach((id, row) => {
    for (let j = 0; j < width; j++) into![id * width + j]! += from![row * width + j]!;
  });
  return table;
}

const graph = (width: readonly string[]): Graph => ({
  nodes: [node("Gather", ["table", "ids"], "y")],
  inputs: [value("ids", INT32, ["n"]), floats("table", "v", ...width)],
  outputs: [floats("y", "n", ...width)],
});

/** The shape of the result. */
const outputShape = (ids: tf.TensorInfo, table: tf.TensorInfo): number[] => [ids.shape[0]!, ...table.shape.slice(1)];

nativeKernel("Embed", ({ inputs: { ids, table } }) => {
  const source = findSource(table!);
  if (isHalves(source)) return widenRows(viewTensor(ids!).values, source, outputShape(ids!, table!));
  const width = table!.shape.length > 1 ? ["d"] : [];
  return runKernel(`embed ${width}`, () => graph(width), { ids: ids!, table: table! }, outputShape(ids!, table!));
});

/** Rows of a table that is kept in 16 bits. */
function widenRows(ids: ArrayLike<number>, table: Halves, shape: number[]): tf.TensorInfo {
  const width = shape[1] ?? 1;
  return filledTensor(shape, ({ values }) => {
    const rows = values as Float32Array;
    for (let i = 0; i < ids.length; i++) widen(table, ids[i]! * width, rows.subarray(i * width, (i + 1) * width));
  });
}

/** Of a table in theta only the rows that are looked up are formed. */
defineRule(pair, "Embed", NATIVE, ([inputs], inTheta) => {
  const { ids, table } = inputs!;
  const weight = inTheta(table!);
  if (!weight) return undefined;
  const shape = outputShape(ids!, table!);
  const width = shape[1] ?? 1;
  return filledSides(weight.sides, shape, (y, scratch) => {
    const [plus, minus = scratch(plus!.length)] = y.map(({ values }) => values as Float32Array);
    const rows = Array.from(viewTensor(ids!).values, (id, i) => ({
      ...{ from: id * width, to: (id + 1) * width },
      sides: {
        plus: plus!.subarray(i * width, (i + 1) * width),
        minus: minus.subarray(i * width, (i + 1) * width),
      },
    }));
    weight.form(rows);
  });
});
