import * as tf from "@tensorflow/tfjs";
import { fused, fusedGradient } from "../tensor/fused.ts";
import { nativeKernel, runKernel } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { fusedTangent, total } from "../tensor/tangent.ts";

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

const graph = (epsilon: number): Graph => ({
  nodes: [node("SimplifiedLayerNormalization", ["x", "weight"], "y", { axis: -1, epsilon: { float: epsilon } })],
  inputs: [floats("x", "n", "d"), floats("weight", "d")],
  outputs: [floats("y", "n", "d")],
});

nativeKernel("RmsNorm", ({ inputs, attrs }) => {
  const epsilon = attrs.epsilon as number;
  return runKernel(`rmsNorm ${epsilon}`, () => graph(epsilon), inputs, inputs.x!.shape);
});

fusedTangent("RmsNorm", ({ inputs, tangents: { x, weight }, attrs }) => {
  const scale = scaleOf(inputs.x!, attrs.epsilon as number);
  const normal = tf.mul(inputs.x!, scale);
  const change = (dx: tf.Tensor): tf.Tensor =>
    tf.mul(tf.mul(scale, tf.sub(dx, tf.mul(normal, mean(tf.mul(dx, normal))))), inputs.weight!);
  return total(x && change(x), weight && tf.mul(normal, weight));
});
