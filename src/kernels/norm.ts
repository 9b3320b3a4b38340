import * as tf from "@tensorflow/tfjs";
import { fused, fusedGradient } from "../tensor/fused.ts";
import { nativeKernel, runKernel } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { fusedTangent, total } from "../tensor/tangent.ts";

/** Layer normalization of each row of x [rows, width] with gain `weight` [width] and shift `bias` [width]. Differentiable in every input. */
export function layerNorm(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor, epsilon = 1e-5): tf.Tensor2D {
  return fused("LayerNorm", { x, weight, bias }, { epsilon }, ({ x, weight, bias }) => {
    const { normal } = standardize(x, epsilon);
    return tf.add(tf.mul(normal, weight), bias) as tf.Tensor2D;
  });
}

function standardize(x: tf.Tensor, epsilon: number): { normal: tf.Tensor; scale: tf.Tensor } {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
  return { normal: tf.mul(centred, scale), scale };
}

fusedGradient("LayerNorm", ["x", "weight"], (dy, [x, weight], { epsilon }) => {
  const { normal, scale } = standardize(x!, epsilon as number);
  const dNormal = tf.mul(dy, weight!);
  const mean = (t: tf.Tensor): tf.Tensor => tf.mean(t, -1, true);
  return {
    x: () => tf.mul(scale, tf.sub(tf.sub(dNormal, mean(dNormal)), tf.mul(normal, mean(tf.mul(dNormal, normal))))),
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
  return runKernel(`layerNorm ${epsilon}`, () => layerNormGraph(epsilon), inputs, inputs.x!.shape);
});

fusedTangent("LayerNorm", ({ inputs, tangents: { x, weight, bias }, attrs, output }) => {
  const { normal, scale } = standardize(inputs.x!, attrs.epsilon as number);
  const change = (dx: tf.Tensor): tf.Tensor => {
    const centred = tf.sub(dx, tf.mean(dx, -1, true));
    const along = tf.mean(tf.mul(centred, normal), -1, true);
    return tf.mul(tf.mul(scale, tf.sub(centred, tf.mul(normal, along))), inputs.weight!);
  };
  return total(x && change(x), weight && tf.mul(normal, weight), bias && tf.broadcastTo(bias, output.shape));
});

/** Each row of x [rows, width] over its root mean square, times the gain `weight` [width]. Differentiable in both. */
export function rmsNorm(x: tf.Tensor, weight: tf.Tensor, epsilon: number): tf.Tensor2D {
  return fused("RmsNorm", { x, weight }, { epsilon }, ({ x, weight }) => {
    return tf.mul(tf.mul(x, scaleOf(x, epsilon)), weight) as tf.Tensor2D;
  });
}

const mean = (t: tf.Tensor): tf.Tensor => tf.mean(t, -1, true);
const scaleOf = (x: tf.Tensor, epsilon: number): tf.Tensor => tf.rsqrt(tf.add(mean(tf.square(x)), epsilon));

fusedGradient("RmsNorm", ["x", "weight"], (dy, [x, weight], { epsilon }) => {
  const scale = scaleOf(x!, epsilon as number);
  const normal = tf.mul(x!, scale);
  const dNormal = tf.mul(dy, weight!);
  return {
    x: () => tf.mul(scale, tf.sub(dNormal, tf.mul(normal, mean(tf.mul(dNormal, normal))))),
    weight: () => tf.sum(tf.mul(dy, normal), 0),
  };
});

const rmsNormGraph = (epsilon: number): Graph => ({
  nodes: [node("SimplifiedLayerNormalization", ["x", "weight"], "y", { axis: -1, epsilon: { float: epsilon } })],
  inputs: [floats("x", "n", "d"), floats("weight", "d")],
  outputs: [floats("y", "n", "d")],
});

nativeKernel("RmsNorm", ({ inputs, attrs }) => {
  const epsilon = attrs.epsilon as number;
  return runKernel(`rmsNorm ${epsilon}`, () => rmsNormGraph(epsilon), inputs, inputs.x!.shape);
});

fusedTangent("RmsNorm", ({ inputs, tangents: { x, weight }, attrs }) => {
  const scale = scaleOf(inputs.x!, attrs.epsilon as number);
  const normal = tf.mul(inputs.x!, scale);
  const change = (dx: tf.Tensor): tf.Tensor =>
    tf.mul(tf.mul(scale, tf.sub(dx, tf.mul(normal, mean(tf.mul(dx, normal))))), inputs.weight!);
  return total(x && change(x), weight && tf.mul(normal, weight));
});
