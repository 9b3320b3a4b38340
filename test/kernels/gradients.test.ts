import "@tensorflow/tfjs"; // the gradients of all operations, of which the cpu backend's compositions are made
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, test } from "vitest";
import { attention } from "../../src/kernels/attention.ts";
import { type Activation, activationGradient } from "../../src/kernels/elementwise.ts";
import { layerNorm, rmsNorm } from "../../src/kernels/norm.ts";
import "../../src/kernels/backends.ts";
import { type BackendName, useBackend } from "../../src/tensor/backend.ts";
import { gradients } from "../../src/tensor/gradients.ts";
import { BACKEND } from "../backend.ts";
import { allValues, takeValues } from "../values.ts";

/** Rows and widths that fill vectors, blocks of rows and threads' parts, or none of them. */
const SHAPES = [
  [1, 1],
  [1, 7],
  [2, 16],
  [3, 33],
  [17, 64],
  [40, 255],
  [259, 320],
] as const;

afterEach(async () => void (await useBackend(BACKEND)));

const drawn = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0.2, 1.5, "float32", seed);

/** The values of tensors computed on a backend. */
async function on(backend: BackendName, run: () => tf.Tensor[]): Promise<Float32Array[]> {
  await useBackend(backend);
  const tensors = tf.tidy(run);
  const values = await allValues(tensors);
  tf.dispose(tensors);
  return values;
}

/** The largest difference, against the largest value there is or 0.1: one column normalizes to nothing but rounding. */
function worst(found: Float32Array, expected: Float32Array): number {
  const size = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0.1);
  return expected.reduce((most, v, i) => Math.max(most, Math.abs(found[i]! - v) / size), 0);
}

async function expectEqual(run: () => tf.Tensor[], tolerance: number): Promise<void> {
  const [found, expected] = [await on(BACKEND, run), await on("cpu", run)];
  expect(found.length).toBe(expected.length);
  for (const [i, values] of expected.entries()) {
    expect(found[i]!.length).toBe(values.length);
    expect(worst(found[i]!, values)).toBeLessThan(tolerance);
  }
}

/** The gradients of an operation in all inputs, of a result whose own gradient was drawn. */
function gradientsOf(run: (...xs: tf.Tensor[]) => tf.Tensor, xs: tf.Tensor[]): tf.Tensor[] {
  const dy = drawn(9, ...xs[0]!.shape);
  const { value, grads } = gradients(() => run(...xs), xs, dy);
  value.dispose();
  return grads as tf.Tensor[];
}

describe.each(SHAPES)("the backend's gradient of %i rows, %i wide, is the cpu backend's composition", (rows, width) => {
  test("of a layer norm", async () => {
    const run = (): tf.Tensor[] =>
      gradientsOf(
        (x, weight, bias) => layerNorm(x!, weight!, bias!, 1e-3),
        [drawn(1, rows, width), drawn(2, width), drawn(3, width)],
      );
    await expectEqual(run, 2e-5);
  });

  test("of an RMS norm, of rows and of their heads", async () => {
    for (const heads of [1, 3]) {
      const run = (): tf.Tensor[] =>
        gradientsOf((x, weight) => rmsNorm(x!, weight!, 1e-3), [drawn(1, rows, heads * width), drawn(2, width)]);
      await expectEqual(run, 2e-5);
    }
  });

  test.each(["relu", "gelu", "gelu_new", "silu"] as const)("of %s", async (activation: Activation) => {
    const run = (): tf.Tensor[] => [
      activationGradient(drawn(1, rows, width), tf.mul(drawn(2, rows, width), 3), activation),
    ];
    await expectEqual(run, 5e-6);
  });
});

test.each([
  { lengths: [1, 17, 40], heads: 2, keyHeads: 2, width: 5, causal: true },
  { lengths: [3, 1, 20], keyLengths: [10, 70, 33], heads: 4, keyHeads: 2, width: 24, causal: true },
  { lengths: [16, 2], keyLengths: [16, 19], heads: 3, keyHeads: 1, width: 33, causal: false },
  { lengths: [67, 67], heads: 2, keyHeads: 2, width: 64, causal: true },
])("the backend's gradient of attention is the cpu backend's composition: %o", async (of) => {
  const { lengths, heads, keyHeads, width, causal, keyLengths = lengths } = of;
  const count = (each: readonly number[]): number => each.reduce((a, b) => a + b, 0);
  const run = (): tf.Tensor[] =>
    gradientsOf(
      (q, k, v) => attention(q!, k!, v!, { lengths, keyLengths, heads, causal }),
      [
        drawn(1, count(lengths), heads * width),
        drawn(2, count(keyLengths), keyHeads * width),
        drawn(3, count(keyLengths), keyHeads * width),
      ],
    );
  await expectEqual(run, 2e-5);
});

describe("the slope of an activation", () => {
  const at = [-40, -15, -6, -1, -1e-30, 0, 1e-30, 0.5, 1, 6, 15, 40];
  const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
  const SLOPES: Readonly<Record<Exclude<Activation, "gelu">, (x: number) => number>> = {
    relu: (x) => Number(x > 0),
    silu: (x) => sigma(x) * (1 + x * (1 - sigma(x))),
    gelu_new: (x) => {
      const c = 2 * Math.sqrt(2 / Math.PI);
      const s = sigma(c * (x + 0.044715 * x ** 3));
      return s * (1 + x * c * (1 + 3 * 0.044715 * x * x) * (1 - s));
    },
  };
  test.each(Object.entries(SLOPES))("is that of double precision, far out too: %s", async (name, slope) => {
    const found = await takeValues(
      tf.tidy(() => activationGradient(tf.ones([at.length]), tf.tensor1d(at), name as Activation)),
    );
    at.forEach((x, i) => expect(Math.abs(found[i]! - slope(x)), `${x}`).toBeLessThan(2e-6));
  });
});
