import * as tf from "@tensorflow/tfjs-core";
import { hasLibrary, nativeKernel, runInLibrary, runKernel } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { fused, fusedGradient } from "../tensor/trace.ts";
import * as rows from "../tensor/x86/rows.ts";
import "./gradients.ts";

/** The mean of each row, [rows, 1]. */
export const rowMean = (t: tf.Tensor): tf.Tensor => tf.mean(t, -1, true);

/** Layer normalization of each row of x [rows, width] with gain `weight` [width] and shift `bias` [width]. Differentiable in every input. */
export function layerNorm(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor, epsilon = 1e-5): tf.Tensor2D {
  return fused("LayerNorm", { x, weight, bias }, { epsilon }, ({ x, weight, bias }) => {
    const { normal } = standardize(x, epsilon);
    return tf.add(tf.mul(normal, weight), bias) as tf.Tensor2D;
  });
}

/** Rows less their mean, over their standard deviation; and one over that. */
export function standardize(x: tf.Tensor, epsilon: number): { normal: tf.Tensor; scale: tf.Tensor } {
  const centred = tf.sub(x, rowMean(x));
  const scale = tf.rsqrt(tf.add(rowMean(tf.square(centred)), epsilon));
  return { normal: tf.mul(centred, scale), scale };
}

fusedGradient("LayerNorm", ["x", "weight"], (dy, [x, weight], { epsilon }) => {
  const { normal, scale } = standardize(x!, epsilon as number);
  const dNormal = tf.mul(dy, weight!);
  return {
    x: () => tf.mul(scale, tf.sub(tf.sub(dNormal, rowMean(dNormal)), tf.mul(normal, rowMean(tf.mul(dNormal, normal))))),
    weight: () => tf.sum(tf.mul(dy, normal), 0),
    bias: () => tf.sum(dy, 0),
  };
});

const layerNormGraph = (epsilon: number): Graph => ({
  nodes: [node("LayerNormalization", ["x", "weight", "bias"], "y", { axis: -1, epsilon: { float: epsilon } })],
  inputs: [floats("x", "n", "d"), floats("weight", "d"), floats("bias", "d")],
  outputs: [floats("y", "n", "d")],
});

nativeKernel("LayerNorm", ({ inputs, attrs }) => {
  const epsilon = attrs.epsilon as number;
  if (hasLibrary())
    return runInLibrary(inputs, inputs.x!.shape, ({ x, weight, bias }, y) =>
      rows.layerNorm({ x: x!, weight: weight!, epsilon, y }, bias!),
    );
  return runKernel(`layerNorm ${epsilon}`, () => layerNormGraph(epsilon), inputs, inputs.x!.shape);
});

/**
 * Each row of x [rows, width] over its root mean square, times the gain `weight` [width]. Where the gain is as wide as a head of x, each
 * head is normalized by itself. Differentiable in both.
 */
export function rmsNorm(x: tf.Tensor, weight: tf.Tensor, epsilon: number): tf.Tensor2D {
  return fused("RmsNorm", { x, weight }, { epsilon }, ({ x, weight }) => {
    const heads = splitRows(x, weight);
    return tf.reshape(tf.mul(tf.mul(heads, inverseRms(heads, epsilon)), weight), x.shape as [number, number]);
  });
}

/** x in rows as wide as the gain. */
export const splitRows = (x: tf.Tensor, weight: tf.Tensor): tf.Tensor => tf.reshape(x, [-1, weight.size]);

/** One over the root mean square of each row. */
export const inverseRms = (x: tf.Tensor, epsilon: number): tf.Tensor =>
  tf.rsqrt(tf.add(rowMean(tf.square(x)), epsilon));

fusedGradient("RmsNorm", ["x", "weight"], (dy, [x, weight], { epsilon }) => {
  const [heads, dHeads] = [splitRows(x!, weight!), splitRows(dy, weight!)];
  const scale = inverseRms(heads, epsilon as number);
  const normal = tf.mul(heads, scale);
  const dNormal = tf.mul(dHeads, weight!);
  const dx = (): tf.Tensor => tf.mul(scale, tf.sub(dNormal, tf.mul(normal, rowMean(tf.mul(dNormal, normal)))));
  return {
    x: () => tf.reshape(dx(), x!.shape),
    weight: () => tf.sum(tf.mul(dHeads, normal), 0),
  };
});

const rmsNormGraph = (epsilon: number): Graph => ({
  nodes: [node("SimplifiedLayerNormalization", ["x", "weight"], "y", { axis: -1, epsilon: { float: epsilon } })],
  inputs: [floats("x", "n", "d"), floats("weight", "d")],
  outputs: [floats("y", "n", "d")],
});

nativeKernel("RmsNorm", ({ inputs, attrs }) => {
  const epsilon = attrs.epsilon as number;
  if (hasLibrary())
    return runInLibrary(inputs, inputs.x!.shape, ({ x, weight }, y) =>
      rows.rmsNorm({ x: x!, weight: weight!, epsilon, y }),
    );
  const [x, width] = [inputs.x!, inputs.weight!.shape[0]!];
  const heads = { ...x, shape: [tf.util.sizeFromShape(x.shape) / width, width] };
  const y = runKernel(`rmsNorm ${epsilon}`, () => rmsNormGraph(epsilon), { ...inputs, x: heads }, heads.shape);
  return { ...y, shape: x.shape };
});
