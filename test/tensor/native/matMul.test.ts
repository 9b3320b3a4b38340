import * as tf from "@tensorflow/tfjs-core";
import seedrandom from "seedrandom";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { useBackend } from "../../../src/tensor/backend.ts";
import { narrow, widenAll } from "../../../src/tensor/halves.ts";
import { halfTensor } from "../../../src/tensor/native/backend.ts";
import { profileGraphs } from "../../../src/tensor/native/session.ts";
import { setProducts } from "../../../src/tensor/products.ts";
import { processorLevel } from "../../../src/tensor/x86/library.ts";

const draw = seedrandom("matrix products");
const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, () => 2 * draw() - 1);

/** The product in float64 of matrices that lie as they are, or turned. */
function exactProduct(a: Float32Array, b: Float32Array, m: number, k: number, n: number, turned: readonly boolean[]) {
  const at = (values: Float32Array, i: number, j: number, rows: number, columns: number, isTurned: boolean): number =>
    isTurned ? values[j * rows + i]! : values[i * columns + j]!;
  return Float64Array.from({ length: m * n }, (_, place) => {
    const [i, j] = [Math.floor(place / n), place % n];
    let sum = 0;
    for (let t = 0; t < k; t++) sum += at(a, i, t, m, k, turned[0]!) * at(b, t, j, k, n, turned[1]!);
    return sum;
  });
}

const largestError = (found: ArrayLike<number>, wanted: Float64Array): number =>
  Math.max(...wanted.map((v, i) => Math.abs(v - found[i]!)));

/** The values of tf.matMul's result, and the graphs that ONNX Runtime ran for it. */
async function product(a: tf.Tensor2D, b: tf.Tensor2D, turned: readonly boolean[]) {
  const graphs: string[] = [];
  const values = await profileGraphs(
    ({ name }) => graphs.push(name),
    async () => tf.tidy(() => tf.matMul(a, b, turned[0], turned[1]).dataSync<"float32">().slice()),
  );
  return { values, graphs: graphs.filter((name) => name.startsWith("matMul")) };
}

beforeAll(async () => {
  await useBackend("native");
});
afterEach(() => setProducts(undefined));

const TURNED = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

describe.each(TURNED)("a matrix product, its operands turned: %s and %s,", (...turned) => {
  const tensors = (m: number, k: number, n: number) => {
    const [a, b] = [numbers(m * k), numbers(k * n)];
    const [tensorA, tensorB] = [
      tf.tensor2d(a, turned[0] ? [k, m] : [m, k]),
      tf.tensor2d(b, turned[1] ? [n, k] : [k, n]),
    ];
    return { tensorA, tensorB, wanted: exactProduct(a, b, m, k, n, turned) };
  };

  test.each([
    [9, 128, 64],
    [70, 64, 192],
    [5, 12, 7],
  ])("is that of float64: %i x %i x %i", async (m, k, n) => {
    setProducts("float32");
    const { tensorA, tensorB, wanted } = tensors(m, k, n);
    const { values } = await product(tensorA, tensorB, turned);
    tf.dispose([tensorA, tensorB]);
    expect(largestError(values, wanted)).toBeLessThan(2e-5);
  });

  test.skipIf(processorLevel() === "none" || (turned[0] && turned[1]))("is made by the kit's own kernels", async () => {
    const { tensorA, tensorB, wanted } = tensors(20, 128, 64);
    for (const [products, allowed] of [["float32", 2e-5] as const, ["bf16", 0.1] as const]) {
      setProducts(products);
      const { values, graphs } = await product(tensorA, tensorB, turned);
      expect(graphs).toEqual([]);
      expect(largestError(values, wanted)).toBeLessThan(allowed);
      if (products === "bf16") expect(largestError(values, wanted)).toBeGreaterThan(1e-4);
    }
    tf.dispose([tensorA, tensorB]);
  });
});

test("a product with a weight in 16 bits takes its values", async () => {
  setProducts("float32");
  const [a, weight] = [numbers(9 * 64), numbers(64 * 128)];
  const halves = { bits: new Uint16Array(weight.length), format: "bfloat16", rounding: "nearest" } as const;
  narrow(weight, halves, 0);
  const tensors = [tf.tensor2d(a, [9, 64]), halfTensor([64, 128], halves) as tf.Tensor2D] as const;
  const { values } = await product(...tensors, [false, false]);
  tf.dispose([...tensors]);
  expect(largestError(values, exactProduct(a, widenAll(halves), 9, 64, 128, [false, false]))).toBeLessThan(2e-5);
});
