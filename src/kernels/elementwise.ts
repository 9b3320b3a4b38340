import * as tf from "@tensorflow/tfjs-core";
import { nativeKernel, runKernel } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { constant, fused, fusedGradient } from "../tensor/trace.ts";

/** a + b, in the shape of both. TensorFlow.js's own operation, known to interpreters; so are the others here. */
export function add(a: tf.Tensor, b: tf.Tensor): tf.Tensor2D {
  return fused("Add", { a, b }, {}, ({ a, b }) => tf.add(a, b) as tf.Tensor2D);
}

/** a · b, element by element, in the shape of both; or each element of `a` times a number. */
export function multiply(a: tf.Tensor, b: tf.Tensor | number): tf.Tensor2D {
  if (typeof b === "number") return multiplyByNumber(a, b);
  return fused("Multiply", { a, b }, {}, ({ a, b }) => tf.mul(a, b) as tf.Tensor2D);
}

function multiplyByNumber(a: tf.Tensor, by: number): tf.Tensor2D {
  const b = constant(tf.scalar(by));
  const product = fused("Multiply", { a, b }, {}, ({ a, b }) => tf.mul(a, b) as tf.Tensor2D);
  b.dispose();
  return product;
}

/** The rows of `a`, then those of `b`. */
export function joinRows(a: tf.Tensor, b: tf.Tensor): tf.Tensor2D {
  const inputs = [a, b] as unknown as Record<string, tf.Tensor>; // TensorFlow.js's kernel takes a list
  return fused("Concat", inputs, { axis: 0 }, (both) => tf.concat(Object.values(both), 0) as tf.Tensor2D);
}

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

const activationGraph = (activation: Activation): Graph => ({
  nodes: [activationNode(activation, "x", "y")],
  inputs: [floats("x", "n", "d")],
  outputs: [floats("y", "n", "d")],
});

nativeKernel("Activation", ({ inputs, attrs }) => {
  const activation = attrs.activation as Activation;
  return runKernel(`activation ${activation}`, () => activationGraph(activation), inputs, inputs.x!.shape);
});
