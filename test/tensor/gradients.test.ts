import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { gradients } from "../../src/tensor/gradients.ts";

const random = (seed: number, ...shape: number[]): tf.Tensor => tf.randomUniform(shape, 0.5, 2, "float32", seed);

type Operation = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** Operations of a [3, 4] and of another tensor, of its shape where none is given. */
const operations: readonly (readonly [name: string, run: Operation, shape?: number[]])[] = [
  ["add", tf.add],
  ["add, broadcast", tf.add, [4]],
  ["sub", tf.sub],
  ["sub, broadcast", tf.sub, [3, 1]],
  ["mul", tf.mul],
  ["mul, broadcast", tf.mul, [2, 3, 4]],
  ["div", tf.div],
  ["div, broadcast", tf.div, [4]],
  ["neg", (a) => tf.neg(a)],
  ["square", (a) => tf.square(a)],
  ["cast", (a) => tf.cast(a, "float32")],
  ["reshape", (a) => tf.reshape(a, [2, 6])],
  ["sum of all", (a) => tf.sum(a)],
  ["sum of rows", (a) => tf.sum(a, -1)],
  ["sum of columns, kept", (a) => tf.sum(a, 0, true)],
  ["mean of rows", (a) => tf.mean(a, 1)],
  ["mean of all", (a) => tf.mean(a)],
  ["matMul", (a, b) => tf.matMul(a, b), [4, 5]],
  ["matMul, first transposed", (a, b) => tf.matMul(a, b, true), [3, 5]],
  ["matMul, second transposed", (a, b) => tf.matMul(a, b, false, true), [5, 4]],
  ["matMul, both transposed", (a, b) => tf.matMul(a, b, true, true), [5, 3]],
  ["gather", (a) => tf.gather(a, tf.tensor1d([2, 0, 2], "int32"))],
  [
    "gather in two dimensions",
    (a) =>
      tf.gather(
        a,
        tf.tensor2d(
          [
            [2, 0],
            [1, 2],
          ],
          [2, 2],
          "int32",
        ),
      ),
  ],
  ["gather of columns", (a) => tf.gather(a, tf.tensor1d([3, 0, 0], "int32"), 1)],
  ["unsortedSegmentSum", (a) => tf.unsortedSegmentSum(a, tf.tensor1d([1, 0, 1], "int32"), 2)],
  ["concat of rows", (a, b) => tf.concat([a, b]), [2, 4]],
  ["concat of columns", (a, b) => tf.concat([a, b, a], -1), [3, 1]],
];

/** The gradients in both tensors of the result, each of its elements weighted by another number; none where it does not depend on one. */
function gradientsOf(run: Operation, shape: number[]): (Float32Array | undefined)[] {
  const xs = [random(1, 3, 4), random(2, ...shape)];
  const y = tf.tidy(() => run(xs[0]!, xs[1]!));
  const dy = random(3, ...y.shape);
  const { value, grads } = gradients(() => run(xs[0]!, xs[1]!), xs, dy);
  const found = grads.map((gradient) => gradient?.dataSync() as Float32Array | undefined);
  tf.dispose([...xs, y, dy, value, ...grads.filter((gradient) => gradient !== undefined)]);
  return found;
}

test("the gradient of every operation is, to the bit, the one that the package @tensorflow/tfjs registers", async () => {
  const own = operations.map(([, run, shape = [3, 4]]) => gradientsOf(run, shape));
  const before = tf.getGradient("Multiply");
  await import(`@tensorflow/tfjs`); // not its core: all of it
  expect(tf.getGradient("Multiply")).not.toBe(before);
  for (const [i, [name, run, shape = [3, 4]]] of operations.entries()) {
    expect(
      own[i]![0]!.some((value) => value !== 0),
      name,
    ).toBe(true);
    expect(own[i], name).toEqual(gradientsOf(run, shape));
  }
});
