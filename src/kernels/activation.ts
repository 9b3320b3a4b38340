import * as tf from "@tensorflow/tfjs";
import { nativeKernel, runKernel } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { fused, fusedGradient } from "../tensor/trace.ts";

/** What may follow a product, element by element: max(x, 0); x Φ(x) with the exact normal distribution function; x σ(x). */
export type Activation = "relu" | "gelu" | "silu";

/** An activation of x [rows, width]. Differentiable. */
export function activate(x: tf.Tensor, activation: Activation): tf.Tensor2D {
  return fused("Activation", { x }, { activation }, ({ x }) => activationReference(x, activation) as tf.Tensor2D);
}

/** The normal distribution function. */
const phi = (x: tf.Tensor): tf.Tensor => tf.mul(0.5, tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2))));

/** An activation in TensorFlow.js's own operations. */
export function activationReference(x: tf.Tensor, activation: Activation): tf.Tensor {
  if (activation === "relu") return tf.relu(x);
  return tf.mul(x, activation === "gelu" ? phi(x) : tf.sigmoid(x));
}

/** The gradient in x, for the gradient dy in the activation's result. */
export function activationGradient(dy: tf.Tensor, x: tf.Tensor, activation: Activation): tf.Tensor {
  return tf.tidy(() => tf.mul(dy, slope(x, activation)));
}

function slope(x: tf.Tensor, activation: Activation): tf.Tensor {
  if (activation === "relu") return tf.step(x);
  if (activation === "gelu") {
    const density = tf.mul(tf.exp(tf.mul(tf.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return tf.add(phi(x), tf.mul(x, density));
  }
  const s = tf.sigmoid(x);
  return tf.mul(s, tf.add(1, tf.mul(x, tf.sub(1, s)))); // (x σ)' = σ + x σ (1 − σ)
}

fusedGradient("Activation", ["x"], (dy, [x], { activation }) => ({
  x: () => activationGradient(dy, x!, activation as Activation),
}));

/** The graph node of an activation. */
export function activationNode(activation: Activation, input: string, output: string): Buffer {
  if (activation === "relu") return node("Relu", [input], output);
  if (activation === "gelu") return node("com.microsoft.Gelu", [input], output);
  return node("com.microsoft.QuickGelu", [input], output, { alpha: { float: 1 } }); // x σ(αx)
}

const graph = (activation: Activation): Graph => ({
  nodes: [activationNode(activation, "x", "y")],
  inputs: [floats("x", "n", "d")],
  outputs: [floats("y", "n", "d")],
});

nativeKernel("Activation", ({ inputs, attrs }) => {
  const activation = attrs.activation as Activation;
  return runKernel(`activation ${activation}`, () => graph(activation), inputs, inputs.x!.shape);
});
