import * as tf from "@tensorflow/tfjs-core";
import { areFloats, filledTensor, type KernelCall, nativeKernel, runKernel, runOnCpu, viewTensor } from "./backend.ts";
import { floats, type Graph, node } from "./onnx.ts";

// Those of TensorFlow.js's own operations that gradients move and add up elements with: its cpu backend takes nanoseconds for each element.

const axesOf = (rank: number): string[] => Array.from({ length: rank }, (_, i) => `d${i}`);

const REDUCTIONS = {
  // The one takes its axes as an input, the other as an attribute.
  Sum: (axis: number) => [
    node("Constant", [], "axes", { value_ints: [axis] }),
    node("ReduceSum", ["x", "axes"], "y", { keepdims: 0 }),
  ],
  Mean: (axis: number) => [node("ReduceMean", ["x"], "y", { axes: [axis], keepdims: 0 })],
} as const;

function reductionGraph(kernelName: keyof typeof REDUCTIONS, rank: number, axis: number): Graph {
  const axes = axesOf(rank);
  return {
    nodes: REDUCTIONS[kernelName](axis),
    inputs: [floats("x", ...axes)],
    outputs: [floats("y", ...axes.toSpliced(axis, 1))],
  };
}

/** A sum or mean over neighbouring axes, as over one axis, the others joined to one before it and one after it. */
function registerReduction(kernelName: keyof typeof REDUCTIONS): void {
  nativeKernel(kernelName, (call) => {
    const x = call.inputs.x!;
    const axes = tf.util.parseAxisParam(call.attrs.axis as number[], x.shape).toSorted((a, b) => a - b);
    const areNeighbours = axes.length > 0 && axes.every((axis, i) => axis === axes[0]! + i);
    if (!areFloats(x) || !areNeighbours) return runOnCpu(kernelName, call);
    const size = (from: number, to?: number): number => tf.util.sizeFromShape(x.shape.slice(from, to));
    const [before, after] = [size(0, axes[0]), size(axes.at(-1)! + 1)];
    const shape = [...(before > 1 ? [before] : []), size(axes[0]!, axes.at(-1)! + 1), ...(after > 1 ? [after] : [])];
    const axis = before > 1 ? 1 : 0;
    const graph = (): Graph => reductionGraph(kernelName, shape.length, axis);
    const y = runKernel(`${kernelName}${shape.length}${axis}`, graph, { x: { ...x, shape } }, shape.toSpliced(axis, 1));
    const [left] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
    return { ...y, shape: call.attrs.keepDims ? tf.backend_util.expandShapeToKeepDim(left, axes) : left };
  });
}

function transpose(call: KernelCall): tf.TensorInfo {
  const x = call.inputs.x!;
  const perm = call.attrs.perm as number[];
  if (!areFloats(x) || perm.length === 0) return runOnCpu("Transpose", call);
  const axes = axesOf(perm.length);
  const graph = (): Graph => ({
    nodes: [node("Transpose", ["x"], "y", { perm })],
    inputs: [floats("x", ...axes)],
    outputs: [floats("y", ...perm.map((axis) => axes[axis]!))],
  });
  const shape = perm.map((axis) => x.shape[axis]!);
  return runKernel(`Transpose${perm.join("")}`, graph, { x }, shape);
}

/** 1 where an element is above 0, else 0: the slope of a ReLU. */
function step(call: KernelCall): tf.TensorInfo {
  const x = call.inputs.x!;
  if (!areFloats(x) || call.attrs.alpha !== 0) return runOnCpu("Step", call);
  const flat = { ...x, shape: [tf.util.sizeFromShape(x.shape)] };
  const graph = (): Graph => ({
    nodes: [node("Relu", ["x"], "above"), node("Sign", ["above"], "y")],
    inputs: [floats("x", "n")],
    outputs: [floats("y", "n")],
  });
  return { ...runKernel("Step", graph, { x: flat }, flat.shape), shape: x.shape };
}

/** Sums of rows by segment, as the gradient of a table's lookup wants them: the cpu backend's own kernel makes a product per segment. */
function unsortedSegmentSum(call: KernelCall): tf.TensorInfo {
  const { x, segmentIds } = call.inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
  if (!areFloats(x)) return runOnCpu("UnsortedSegmentSum", call);
  const [rows, ids] = [viewTensor(x).values, viewTensor(segmentIds).values];
  const rest = x.shape.slice(1);
  const width = tf.util.sizeFromShape(rest);
  return filledTensor([call.attrs.numSegments as number, ...rest], ({ values }) => {
    values.fill(0);
    ids.forEach((id, row) => {
      for (let j = 0; j < width; j++) values[id * width + j]! += rows[row * width + j]!;
    });
  });
}

/** Registers them. */
export function registerReductions(): void {
  registerReduction("Sum");
  registerReduction("Mean");
  nativeKernel("Transpose", transpose);
  nativeKernel("Step", step);
  nativeKernel("UnsortedSegmentSum", unsortedSegmentSum);
}
