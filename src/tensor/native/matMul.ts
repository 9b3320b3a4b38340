import * as tf from "@tensorflow/tfjs-core";
import { oneSidedProducts } from "../products.ts";
import { fits, inputGradient, type Matrix, multiply, weightGradient } from "../x86/products.ts";
import { areFloats, filledTensor, findSource, type KernelCall, runKernel, runOnCpu, viewTensor } from "./backend.ts";
import { floats, type Graph, node } from "./onnx.ts";

/** Matrix products [..., m, k] x [..., k, n], the batch dimensions equal or 1: TensorFlow.js's BatchMatMul, by which gradients go back. */
export function matMul(call: KernelCall): tf.TensorInfo {
  const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  const [transA, transB] = [call.attrs.transposeA ? 1 : 0, call.attrs.transposeB ? 1 : 0];
  const [a3, b3] = [as3d(a), as3d(b)];
  if (!areFloats(a, b) || (a3.shape[0] !== b3.shape[0] && a3.shape[0] !== 1 && b3.shape[0] !== 1))
    return runOnCpu("BatchMatMul", call);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [rows, columns] = [a.shape.at(transA ? -1 : -2)!, b.shape.at(transB ? -2 : -1)!];
  const multiplyHere = batch.length === 0 ? findProduct(a, b, transA, transB) : undefined;
  if (multiplyHere) return filledTensor([rows, columns], ({ values }) => multiplyHere(values as Float32Array));
  const shape3 = [Math.max(a3.shape[0]!, b3.shape[0]!), rows, columns];
  const y = runKernel(`matMul${transA}${transB}`, () => matMulGraph(transA, transB), { a: a3, b: b3 }, shape3);
  return { ...y, shape: [...batch, rows, columns] };
}

/** What writes the product of two matrices by the kit's own kernels, where they apply. */
function findProduct(
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transA: number,
  transB: number,
): ((y: Float32Array) => void) | undefined {
  const [rows, columns] = b.shape as [number, number];
  const matrix: Matrix = { source: findSource(b), first: 0, rows, columns, stride: columns };
  if (!fits(matrix) || (transA && transB)) return undefined;
  const [products, x] = [oneSidedProducts(), viewTensor(a).values as Float32Array];
  const [length, width] = a.shape as [number, number];
  if (transB) return (y) => multiply(products, length, matrix, { x, y });
  if (!transA) return (y) => inputGradient(products, length, matrix, { dy: x, dx: y });
  const values = viewTensor(b).values as Float32Array;
  return (y) => weightGradient(products, rows, [width, columns], { dy: x, x: values, dWeight: y });
}

function matMulGraph(transA: number, transB: number): Graph {
  return {
    nodes: [node("com.microsoft.FusedMatMul", ["a", "b"], "y", { transA, transB })],
    inputs: [floats("a", "ba", "ma", "ka"), floats("b", "bb", "kb", "nb")],
    outputs: [floats("y", "by", "my", "ny")],
  };
}

const as3d = (t: tf.TensorInfo): tf.TensorInfo => ({
  ...t,
  shape: [tf.util.sizeFromShape(t.shape.slice(0, -2)), ...t.shape.slice(-2)],
});
