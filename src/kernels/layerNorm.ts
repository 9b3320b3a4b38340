import * as tf from "@tensorflow/tfjs";
import { fused, fusedGradient } from "../tensor/fused.ts";
import { nativeKernel, runKernel } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";

const EPSILON = 1e-5;

/** Layer normalization of each row of x [rows, width] with gain `weight` [width] and shift `bias` [width]; ε is 1e-5. Differentiable in every input. */
export function layerNorm(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor2D {
  return fused("LayerNorm", { x, weight, bias }, {}, () => {
    const { normal } = standardize(x);
    return tf.add(tf.mul(normal, weight), bias) as tf.Tensor2D;
  });
}

function standardize(x: tf.Tensor): { normal: tf.Tensor; scale: tf.Tensor } {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), EPSILON));
  return { normal: tf.mul(centred, scale), scale };
}

fusedGradient("LayerNorm", ["x", "weight"], (dy, [x, weight]) => {
  const { normal, scale } = standardize(x!);
  const dNormal = tf.mul(dy, weight!);
  const mean = (t: tf.Tensor): tf.Tensor => tf.mean(t, -1, true);
  return {
    x: () => tf.mul(scale, tf.sub(tf.sub(dNormal, mean(dNormal)), tf.mul(normal, mean(tf.mul(dNormal, normal))))),
    weight: () => tf.sum(tf.mul(dy, normal), 0),
    bias: () => tf.sum(dy, 0),
  };
});

const graph = (): Graph => ({
  nodes: [node("LayerNormalization", ["x", "weight", "bias"], "y", { axis: -1, epsilon: { float: EPSILON } })],
  inputs: [floats("x", "n", "d"), floats("weight", "d"), floats("bias", "d")],
  outputs: [floats("y", "n", "d")],
});

nativeKernel("LayerNorm", ({ inputs }) => runKernel("layerNorm", graph, inputs, inputs.x!.shape));
