import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { useBackend } from "../../../src/tensor/backend.ts";

const random = (...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", 5);

/** Operations by name: those that the native backend has of its own, and those that it leaves to the cpu backend. */
const operations: readonly (readonly [name: string, run: () => tf.Tensor])[] = [
  ...[
    [7, 5, 3],
    [1, 5, 1],
    [33, 17],
  ].flatMap((shape) =>
    [undefined, [0], [1], -1, [0, 1]].flatMap((axis) =>
      [false, true].flatMap((keep): [string, () => tf.Tensor][] => {
        const of = `of [${shape}] over ${axis ?? "all"}${keep ? ", kept" : ""}`;
        return [
          [`sum ${of}`, () => tf.sum(random(...shape), axis, keep)],
          [`mean ${of}`, () => tf.mean(random(...shape), axis, keep)],
        ];
      }),
    ),
  ),
  ["sum over axes that are apart", () => tf.sum(random(3, 4, 5), [2, 0])],
  ["sum of a number", () => tf.sum(tf.scalar(3))],
  ["sum of nothing", () => tf.sum(tf.zeros([0, 3]), 0)],
  ["sum of integers", () => tf.sum(tf.tensor1d([1, 2], "int32"))],
  ["transpose", () => tf.transpose(random(7, 5))],
  ["transpose of heads", () => tf.transpose(random(2, 5, 3, 4), [0, 2, 1, 3])],
  ["transpose of integers", () => tf.transpose(tf.tensor2d([1, 2], [1, 2], "int32"))],
  ["step", () => tf.step(tf.tensor([-1, -0, 0, 1e-30, 2, Number.NaN, Number.POSITIVE_INFINITY], [7]))],
  ["step with a slope", () => tf.step(random(2, 3), 0.5)],
  ["segments of rows", () => tf.unsortedSegmentSum(random(3, 4), tf.tensor1d([4, 0, 4], "int32"), 6)],
  ["segments of numbers", () => tf.unsortedSegmentSum(random(3), tf.tensor1d([1, 0, 1], "int32"), 2)],
  ["segments of matrices", () => tf.unsortedSegmentSum(random(3, 2, 2), tf.tensor1d([1, 0, 1], "int32"), 2)],
];

const results = (): { shape: number[]; values: number[] }[] =>
  operations.map(([, run]) => {
    const y = tf.tidy(run);
    const found = { shape: y.shape, values: Array.from(y.dataSync()) };
    y.dispose();
    return found;
  });

test("what the native backend adds up and moves is what the cpu backend does", async () => {
  const native = results();
  await useBackend("cpu");
  const cpu = results();
  await useBackend("native");
  for (const [i, [name]] of operations.entries()) {
    expect(native[i]!.shape, name).toEqual(cpu[i]!.shape);
    for (const [j, value] of cpu[i]!.values.entries())
      expect(Object.is(native[i]!.values[j], value) || Math.abs(native[i]!.values[j]! - value) < 1e-5, name).toBe(true);
  }
});
