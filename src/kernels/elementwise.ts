import * as tf from "@tensorflow/tfjs";
import { constant, fused } from "../tensor/fused.ts";
import type { View } from "../tensor/native/session.ts";
import { fusedTangent, total } from "../tensor/tangent.ts";

/** a + b, in the shape of both. TensorFlow.js's own operation, known to forward mode; so are the others here. */
export function add(a: tf.Tensor, b: tf.Tensor): tf.Tensor2D {
  return fused("Add", { a, b }, {}, ({ a, b }) => tf.add(a, b) as tf.Tensor2D);
}

/** a · b, element by element, in the shape of both; or each element of `a` times a number. */
export function multiply(a: tf.Tensor, b: tf.Tensor | number): tf.Tensor2D {
  if (typeof b === "number") return scale(a, b);
  return fused("Multiply", { a, b }, {}, ({ a, b }) => tf.mul(a, b) as tf.Tensor2D);
}

function scale(a: tf.Tensor, by: number): tf.Tensor2D {
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

fusedTangent("Add", ({ tangents: { a, b }, output }) => total(a, b && tf.broadcastTo(b, output.shape)));

fusedTangent("Multiply", ({ inputs, tangents: { a, b } }) =>
  total(a && tf.mul(a, inputs.b!), b && tf.mul(inputs.a!, b)),
);

fusedTangent("Concat", ({ inputs, tangents }) =>
  tf.concat(
    ["0", "1"].map((i) => tangents[i] ?? tf.zerosLike(inputs[i]!)),
    0,
  ),
);

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
