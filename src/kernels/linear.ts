import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, NATIVE, nativeKernel, withView } from "../tensor/native/backend.ts";
import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { runGraph, type View } from "../tensor/native/session.ts";
import { pair } from "../tensor/pair.ts";
import { constant, defineRule, fused, fusedGradient } from "../tensor/trace.ts";
import { type Activation, activationGradient, activationNode, activationReference } from "./elementwise.ts";
import { findMatrix, multiplySides, type ProductSide } from "./matrix.ts";
import { filledSides, findWeight, viewInputs, viewSides } from "./sides.ts";

/** What may follow the product in the same pass: a bias [out] for every row, then an activation or a residual [rows, out] to add. */
export type LinearExtras = { readonly bias?: tf.Tensor } & (
  | { readonly activation?: Activation; readonly residual?: never }
  | { readonly activation?: never; readonly residual?: tf.Tensor }
);

/**
 * x Wᵀ + bias, then the activation or the residual: [rows, in] and [out, in], as checkpoints store it, give [rows, out].
 * Differentiable in every input.
 */
export function linear(x: tf.Tensor, weight: tf.Tensor, extras: LinearExtras = {}): tf.Tensor2D {
  const { activation, residual } = extras;
  if (activation && activation !== "relu") return smooth(x, weight, activation, extras.bias);
  const inputs: Product = { x, weight, ...(extras.bias && { bias: extras.bias }), ...(residual && { residual }) };
  return fused("Linear", inputs, { activation }, (given) => reference(given, activation));
}

/** A linear map with an activation whose gradient needs its input: computed again from x, weight and bias, which are therefore required. */
function smooth(x: tf.Tensor, weight: tf.Tensor, activation: Activation, given?: tf.Tensor): tf.Tensor2D {
  const bias = given ?? constant(tf.zeros([weight.shape[0]!]));
  const y = fused("SmoothLinear", { x, weight, bias }, { activation }, (given) => reference(given, activation));
  if (!given) bias.dispose();
  return y;
}

/** The inputs of the operation. */
type Product = {
  readonly x: tf.Tensor;
  readonly weight: tf.Tensor;
  readonly bias?: tf.Tensor;
  readonly residual?: tf.Tensor;
};

function reference({ x, weight, bias, residual }: Product, activation: Activation | undefined): tf.Tensor2D {
  let y: tf.Tensor = tf.matMul(x, weight, false, true);
  if (bias) y = tf.add(y, bias);
  if (activation) y = activationReference(y, activation);
  if (residual) y = tf.add(y, residual);
  return y as tf.Tensor2D;
}

const productGradients = (dProduct: tf.Tensor, x: tf.Tensor, weight: tf.Tensor): Record<string, () => tf.Tensor> => ({
  x: () => tf.matMul(dProduct, weight),
  weight: () => tf.matMul(dProduct, x, true, false),
  bias: () => tf.sum(dProduct, 0),
});

fusedGradient(
  "Linear",
  ["x", "weight"],
  (dy, [x, weight, y], { activation }) => {
    const dProduct = activation ? activationGradient(dy, y!, activation as Activation) : dy; // a ReLU passes on where its result is positive
    return { ...productGradients(dProduct, x!, weight!), residual: () => tf.clone(dy) };
  },
  true,
);

fusedGradient("SmoothLinear", ["x", "weight", "bias"], (dy, [x, weight, bias], { activation }) =>
  productGradients(activationGradient(dy, linear(x!, weight!, { bias: bias! }), activation as Activation), x!, weight!),
);

/** A product with what follows it, of the named inputs among x, weight, bias and residual. */
export function linearGraph(inputs: readonly string[], activation?: Activation): Graph {
  const [hasBias, hasResidual] = [inputs.includes("bias"), inputs.includes("residual")];
  const product = hasResidual || activation ? "product" : "y";
  const nodes = [node("Gemm", ["x", "weight", ...(hasBias ? ["bias"] : [])], product, { transB: 1 })];
  if (activation) nodes.push(activationNode(activation, product, "y"));
  if (hasResidual) nodes.push(node("Add", [product, "residual"], "y"));
  const shapes = { x: ["n", "i"], weight: ["o", "i"], bias: ["o"], residual: ["n", "o"] };
  return {
    nodes,
    inputs: Object.entries(shapes).flatMap(([name, shape]) => (inputs.includes(name) ? [floats(name, ...shape)] : [])),
    outputs: [floats("y", "n", "o")],
  };
}

/** Rows of one product: with many more, the result and its partial sums leave the caches between the passes over them. */
export const ROWS_AT_ONCE = 1024;

/** Divides `count` into blocks of nearly equal size, none above `most`, each beginning at a multiple of `grain`: where each begins and ends. */
export function evenBlocks(count: number, most: number, grain = 1): [from: number, to: number][] {
  const blocks = Math.max(1, Math.ceil(count / most));
  const at = (i: number): number => (i === blocks ? count : grain * Math.round((i * count) / blocks / grain));
  return Array.from({ length: blocks }, (_, i) => [at(i), at(i + 1)]);
}

/** Rows `from` up to `to` of a matrix, where they are. */
export function someRows({ values, shape }: View, from: number, to: number): View {
  const width = shape[1]!;
  return { values: values.subarray(from * width, to * width), shape: [to - from, width] };
}

/** What a side reads beside the matrix. */
const BESIDE = ["x", "bias", "residual"] as const;

for (const operation of ["Linear", "SmoothLinear"]) {
  nativeKernel(operation, ({ inputs, attrs }) => {
    const activation = attrs.activation as Activation | undefined;
    const [matrix, side] = [findMatrix({ tensor: inputs.weight! }, inputs.x!.shape[0]!), viewInputs(inputs, BESIDE)];
    return filledTensor(resultShape(inputs), (y) => {
      if (matrix) multiplySides(matrix, [{ ...side, y }], activation);
      else withView(inputs.weight!, (weight) => runByRows({ ...side, weight, y }, activation));
    });
  });

  defineRule(pair, operation, NATIVE, (inputs, inTheta, attrs) => {
    const [{ x, weight }, shape] = [inputs[0]!, resultShape(inputs[0]!)];
    const isOne = weight === inputs.at(-1)!.weight; // else rows that were looked up in a weight of theta, the sides' own
    const matrix = isOne && findMatrix(findWeight(weight!, inTheta), x!.shape[0]!);
    if (!matrix) return undefined;
    return filledSides(inputs.length, shape, (y, scratch) => {
      const sides = viewSides(inputs, BESIDE, inTheta, scratch).map((side, i) => ({ ...side, y: y[i]! }));
      multiplySides(matrix, sides, attrs.activation as Activation | undefined);
    });
  });
}

const resultShape = ({ x, weight }: Readonly<Record<string, tf.TensorInfo>>): number[] => [
  x!.shape[0]!,
  weight!.shape[0]!,
];

/** x Wᵀ and what follows by ONNX Runtime, some rows at a time; what has a row for each row of the result is cut, the rest used whole. */
export function runByRows(views: ProductSide & { readonly weight: View }, activation?: Activation): void {
  const { x, weight, bias, residual, y } = views;
  const names = ["x", "weight", ...(bias ? ["bias"] : []), ...(residual ? ["residual"] : [])];
  for (const [from, to] of evenBlocks(x.shape[0]!, ROWS_AT_ONCE)) {
    const cut = (view: View): View => someRows(view, from, to);
    const feeds = { x: cut(x), weight, ...(bias && { bias }), ...(residual && { residual: cut(residual) }) };
    runGraph(`linear ${names} ${activation}`, () => linearGraph(names, activation), feeds, { y: cut(y) });
  }
}
