import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { embed } from "../../src/kernels/embed.ts";
import { gradients } from "../../src/tensor/gradients.ts";

const values = (tensor: tf.Tensor | undefined): number[] => [...tensor!.dataSync()];

test("gradients from several uses of a tensor add up, and nothing but they and the value is left", () => {
  const [x, w] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([4, 5, 6])];
  const before = tf.memory().numTensors;
  const { value, grads } = gradients(() => tf.sum(tf.add(tf.mul(x, w), tf.add(x, tf.mul(x, x)))), [x, w]);
  expect(values(value)).toEqual([4 + 10 + 18 + 6 + 14]);
  expect(grads.map(values)).toEqual([
    [4 + 1 + 2, 5 + 1 + 4, 6 + 1 + 6],
    [1, 2, 3],
  ]);
  expect(tf.memory().numTensors).toBe(before + 3);
  tf.dispose([value, ...grads, x, w] as tf.Tensor[]);
});

test("gradients are added to those that are given, which are given up; what is not reached keeps its own; dy stays as it is", () => {
  const [x, other] = [tf.tensor1d([1, 2]), tf.tensor1d([7])];
  const dy = tf.tensor1d([10, 20]);
  const given = [tf.tensor1d([100, 200]), tf.tensor1d([300])];
  const before = tf.memory().numTensors;
  const { value, grads } = gradients(() => tf.add(x, x), [x, other], dy, given);
  expect(grads.map(values)).toEqual([[120, 240], [300]]);
  expect(values(dy)).toEqual([10, 20]);
  expect(tf.memory().numTensors).toBe(before + 1); // the value: the sums are in place of those given
  tf.dispose([value, ...grads, x, other, dy] as tf.Tensor[]);
});

test("a table that is looked up after it was used otherwise has both gradients, rows looked up twice counted twice", () => {
  const table = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
  const run = (): tf.Tensor =>
    tf.sum(tf.mul(tf.matMul(embed(tf.tensor1d([2, 0, 2], "int32"), table), table, false, true), 2));
  const { value, grads } = gradients(run, [table]);
  const [a, b] = [1 + 3 + 5, 2 + 4 + 6]; // sums of the columns, which each row that was looked up meets
  const seen = [2 * (5 + 1 + 5), 2 * (6 + 2 + 6)];
  const own = (times: number): number[] => [2 * times * a + seen[0]!, 2 * times * b + seen[1]!];
  expect(values(grads[0])).toEqual([own(1), own(0), own(2)].flat());
  tf.dispose([value, ...grads, table] as tf.Tensor[]);
});

test("inside another function that is differentiated it gives what can be differentiated again", () => {
  const x = tf.tensor1d([2, 3]);
  const slope = (): tf.Tensor => gradients(() => tf.sum(tf.mul(x, tf.mul(x, x))), [x]).grads[0]!;
  const { value, grads } = gradients(slope, [x]);
  expect(values(value)).toEqual([12, 27]);
  expect(values(grads[0])).toEqual([12, 18]);
  tf.dispose([value, ...grads, x] as tf.Tensor[]);
});

test("what was saved is freed where the function or an operation's gradient fails", () => {
  const x = tf.tensor1d([2, 3]);
  const before = tf.memory().numTensors;
  const failing = (): tf.Tensor => {
    tf.mul(x, x);
    throw new Error("no");
  };
  expect(() => gradients(failing, [x])).toThrow("no");
  expect(() => gradients(() => tf.sum(tf.mul(tf.atan(x), x)), [x])).toThrow(
    /no gradient of TensorFlow.js's operation Atan/,
  );
  expect(tf.memory().numTensors).toBe(before);
  x.dispose();
});
