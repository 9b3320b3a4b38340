import * as tf from "@tensorflow/tfjs";
import { constant, fused } from "../tensor/trace.ts";

/** a + b, in the shape of both. TensorFlow.js's own operation, known to interpreters; so are the others here. */
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
