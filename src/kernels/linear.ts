import * as tf from "@tensorflow/tfjs";
import { fused, fusedGradient } from "../tensor/fused.ts";
import { nativeKernel, runKernel } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";

/** What may follow the product in the same pass: a bias [out] for every row, then an activation or a residual [rows, out] to add. */
export type LinearExtras = { readonly bias?: tf.Tensor } & (
  | { readonly activation?: "relu"; readonly residual?: never }
  | { readonly activation?: never; readonly residual?: tf.Tensor }
);

/**
 * x Wᵀ + bias, then the activation or the residual: [rows, in] and [out, in], as checkpoints store it, give [rows, out].
 * Differentiable in every input.
 */
export function linear(
  x: tf.Tensor,
  weight: tf.Tensor,
  { bias, residual, activation }: LinearExtras = {},
): tf.Tensor2D {
  const inputs = { x, weight, ...(bias && { bias }), ...(residual && { residual }) };
  return fused("Linear", inputs, { activation }, () =>
    reference(x, weight, { bias, residual, activation } as LinearExtras),
  );
}

function reference(x: tf.Tensor, weight: tf.Tensor, { bias, residual, activation }: LinearExtras): tf.Tensor2D {
  let y: tf.Tensor = tf.matMul(x, weight, false, true);
  if (bias) y = tf.add(y, bias);
  if (activation) y = tf.relu(y);
  if (residual) y = tf.add(y, residual);
  return y as tf.Tensor2D;
}

fusedGradient(
  "Linear",
  ["x", "weight"],
  (dy, [x, weight, y], { activation }) => {
    const dProduct = activation ? tf.mul(dy, tf.step(y!)) : dy; // a ReLU passes on where its result is positive
    return {
      x: () => tf.matMul(dProduct, weight!),
      weight: () => tf.matMul(dProduct, x!, true, false),
      bias: () => tf.sum(dProduct, 0),
      residual: () => tf.clone(dy),
    };
  },
  true,
);

function graph(inputs: readonly string[], activation: unknown): Graph {
  const [hasBias, hasResidual] = [inputs.includes("bias"), inputs.includes("residual")];
  const product = hasResidual || activation ? "product" : "y";
  const nodes = [node("Gemm", ["x", "weight", ...(hasBias ? ["bias"] : [])], product, { transB: 1 })];
  if (activation) nodes.push(node("Relu", [product], "y"));
  if (hasResidual) nodes.push(node("Add", [product, "residual"], "y"));
  const shapes = { x: ["n", "i"], weight: ["o", "i"], bias: ["o"], residual: ["n", "o"] };
  return {
    nodes,
    inputs: Object.entries(shapes).flatMap(([name, shape]) => (inputs.includes(name) ? [floats(name, ...shape)] : [])),
    outputs: [floats("y", "n", "o")],
  };
}

nativeKernel("Linear", ({ inputs, attrs }) => {
  const names = Object.keys(inputs);
  const shape = [inputs.x!.shape[0]!, inputs.weight!.shape[0]!];
  return runKernel(`linear ${names} ${attrs.activation}`, () => graph(names, attrs.activation), inputs, shape);
});
