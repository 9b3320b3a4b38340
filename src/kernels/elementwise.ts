import * as tf from "@tensorflow/tfjs-core";
import { hasLibrary, nativeKernel, runInLibrary, runKernel } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { constant, fused, fusedGradient } from "../tensor/trace.ts";
import * as rows from "../tensor/x86/rows.ts";
import { activationGradientInLibrary } from "./gradients.ts";

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

/**
 * What may follow a product, element by element: max(x, 0); x Φ(x) with the exact normal distribution function, and with GPT-2's
 * approximation of it, σ(2u) with u = √(2/π) (x + 0.044715 x³); x σ(x).
 */
export type Activation = "relu" | "gelu" | "gelu_new" | "silu";

/** An activation of x [rows, width]. Differentiable. */
export function activate(x: tf.Tensor, activation: Activation): tf.Tensor2D {
  return fused("Activation", { x }, { activation }, ({ x }) => activationReference(x, activation) as tf.Tensor2D);
}

/** The normal distribution function. */
const phi = (x: tf.Tensor): tf.Tensor => tf.mul(0.5, tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2))));

/** 2u of GPT-2's approximation is x times the first of these, and the second times x². */
export const TWICE_U: readonly [number, number] = [2 * Math.sqrt(2 / Math.PI), 2 * Math.sqrt(2 / Math.PI) * 0.044715];

/** 2u as Hendrycks and Gimpel (2016) have it. */
const twiceU = (x: tf.Tensor): tf.Tensor => tf.mul(x, tf.add(TWICE_U[0], tf.mul(TWICE_U[1], tf.square(x))));

/** The factor of x in the activations that are smooth. */
const GATES: Readonly<Record<Exclude<Activation, "relu">, (x: tf.Tensor) => tf.Tensor>> = {
  gelu: phi,
  gelu_new: (x) => tf.sigmoid(twiceU(x)),
  silu: (x) => tf.sigmoid(x),
};

/** An activation in TensorFlow.js's own operations. */
export function activationReference(x: tf.Tensor, activation: Activation): tf.Tensor {
  return activation === "relu" ? tf.relu(x) : tf.mul(x, GATES[activation](x));
}

/** The gradient in x, for the gradient dy in the activation's result. */
export function activationGradient(dy: tf.Tensor, x: tf.Tensor, activation: Activation): tf.Tensor {
  return activationGradientInLibrary(dy, x, activation) ?? tf.tidy(() => tf.mul(dy, slope(x, activation)));
}

function slope(x: tf.Tensor, activation: Activation): tf.Tensor {
  if (activation === "relu") return tf.step(x);
  if (activation === "gelu") {
    const density = tf.mul(tf.exp(tf.mul(tf.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return tf.add(phi(x), tf.mul(x, density));
  }
  const s = GATES[activation](x);
  const inner = activation === "silu" ? 1 : tf.add(TWICE_U[0], tf.mul(3 * TWICE_U[1], tf.square(x)));
  return tf.mul(s, tf.add(1, tf.mul(tf.mul(x, inner), tf.sub(1, s)))); // (x σ(v))' = σ + x v' σ (1 − σ)
}

fusedGradient("Activation", ["x"], (dy, [x], { activation }) => ({
  x: () => activationGradient(dy, x!, activation as Activation),
}));

/** The graph node of an activation. */
export function activationNode(activation: Activation, input: string, output: string): Uint8Array {
  if (activation === "relu") return node("Relu", [input], output);
  if (activation === "gelu") return node("com.microsoft.Gelu", [input], output);
  if (activation === "gelu_new") return node("com.microsoft.FastGelu", [input], output);
  return node("com.microsoft.QuickGelu", [input], output, { alpha: { float: 1 } }); // x σ(αx)
}

const activationGraph = (activation: Activation): Graph => ({
  nodes: [activationNode(activation, "x", "y")],
  inputs: [floats("x", "n", "d")],
  outputs: [floats("y", "n", "d")],
});

nativeKernel("Activation", ({ inputs, attrs }) => {
  const activation = attrs.activation as Activation;
  if (hasLibrary()) return runInLibrary(inputs, inputs.x!.shape, ({ x }, y) => rows.activate(activation, x!, y));
  return runKernel(`activation ${activation}`, () => activationGraph(activation), inputs, inputs.x!.shape);
});
