import "@tensorflow/tfjs"; // the gradients of all operations, of which the cpu backend's compositions are made
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { activate } from "../../../src/kernels/elementwise.ts";
import { embed } from "../../../src/kernels/embed.ts";
import { layerNorm, rmsNorm } from "../../../src/kernels/norm.ts";
import { type Angles, rotary } from "../../../src/kernels/rotary.ts";
import { storage } from "../../../src/tensor/backend.ts";
import { gradients } from "../../../src/tensor/gradients.ts";
import { drawn, expectSame, isHere, on, where, worst } from "./compare.ts";

/** Rows and widths that fill a workgroup's lanes, or do not. */
const SHAPES = [
  [1, 1],
  [3, 7],
  [2, 64],
  [17, 200],
] as const;

describe.skipIf(!isHere)(`rows and lookups in WGSL${where}`, () => {
  test.each(SHAPES)("norms of %i rows, %i wide, are those of the other backends", async (rows, width) => {
    await expectSame(() => [
      layerNorm(drawn(1, rows, width), drawn(2, width), drawn(3, width), 1e-3),
      rmsNorm(drawn(1, rows, width), drawn(2, width), 1e-3),
      rmsNorm(drawn(1, rows, 3 * width), drawn(2, width), 1e-3),
    ]);
  });

  test.each(SHAPES)("norms of %i rows, %i wide, have the other backends' gradients", async (rows, width) => {
    const of = (run: (...xs: tf.Tensor[]) => tf.Tensor, ...xs: tf.Tensor[]): tf.Tensor[] => {
      const { value, grads } = gradients(() => run(...xs), xs, drawn(9, ...xs[0]!.shape));
      value.dispose();
      return grads as tf.Tensor[];
    };
    const rms = (x?: tf.Tensor, weight?: tf.Tensor): tf.Tensor => rmsNorm(x!, weight!, 1e-3);
    await expectSame(
      () => [
        ...of(
          (x, weight, bias) => layerNorm(x!, weight!, bias!, 1e-3),
          drawn(1, rows, width),
          drawn(2, width),
          drawn(3, width),
        ),
        ...of(rms, drawn(1, rows, width), drawn(2, width)),
        ...of(rms, drawn(1, rows, 3 * width), drawn(2, width)),
      ],
      2e-5,
    );
  });

  test("a layer norm of rows whose mean is large keeps its digits", async () => {
    const x = (): tf.Tensor => tf.add(tf.mul(drawn(1, 4, 96), 0.01), 100);
    await expectSame(() => [layerNorm(x(), tf.ones([96]), tf.zeros([96]), 1e-6)], 1e-3);
  });

  test("what takes more workgroups than one dimension of a dispatch holds is computed whole", async () => {
    const [values] = await on("webgpu", () => [activate(tf.fill([70_000, 64], 3), "relu")]);
    expect(values!.every((v) => v === 3)).toBe(true);
  });

  test.each(["relu", "gelu", "gelu_new", "silu"] as const)(
    "%s is that of the other backends, far out too",
    async (activation) => {
      await expectSame(() => [activate(tf.linspace(-40, 40, 161).reshape([7, 23]), activation)], 1e-6);
    },
  );

  test("rotary turns pairs by the angles given, whichever came before", async () => {
    const angles = (rows: number, pairs: number, speed: number): Angles => ({
      cos: Float32Array.from({ length: rows * pairs }, (_, i) => Math.cos(speed * i)),
      sin: Float32Array.from({ length: rows * pairs }, (_, i) => Math.sin(speed * i)),
      pairs,
    });
    const [first, second] = [angles(5, 2, 0.7), angles(3, 4, 0.3)];
    await expectSame(() => [
      rotary(drawn(1, 5, 12), first),
      rotary(drawn(1, 3, 8), second),
      rotary(drawn(2, 5, 12), first),
      tf.grad((x) => tf.sum(tf.mul(rotary(x, first), drawn(4, 5, 12))))(drawn(3, 5, 12)),
    ]);
  });

  test("the constants of many batches give way to one another, and none is wrong", async () => {
    const angles = Array.from({ length: 150 }, (_, i) => ({
      cos: Float32Array.of(Math.cos(i)),
      sin: Float32Array.of(Math.sin(i)),
      pairs: 1,
    }));
    const turned = await on("webgpu", () => [...angles, ...angles].map((of) => rotary(tf.tensor2d([[1, 0]]), of)));
    turned.forEach(([x, y], i) => {
      expect(x).toBeCloseTo(Math.cos(i % 150), 6);
      expect(y).toBeCloseTo(Math.sin(i % 150), 6);
    });
  });

  test("looks rows up in tables of rows and of numbers", async () => {
    const ids = (): tf.Tensor1D => tf.tensor1d([5, 0, 5, 2], "int32");
    await expectSame(() => [embed(ids(), drawn(1, 6, 5)), embed(ids(), drawn(1, 6))], 1e-9);
  });

  test.each(["float16", "bfloat16"] as const)("reads gains, shifts and tables that are kept in %s", async (format) => {
    const kept = (seed: number, ...shape: number[]): tf.Tensor => {
      const values = drawn(seed, ...shape).dataSync(); // where it was drawn: in this process
      const kind = { format, rounding: "nearest" } as const;
      return storage().weight(shape, (into, from) => into.set(values.subarray(from, from + into.length)), kind);
    };
    const run = (): tf.Tensor[] => {
      const [weight, bias, table] = [kept(1, 7), kept(2, 7), kept(3, 9, 7)];
      const x = embed(tf.tensor1d([8, 0, 3], "int32"), table);
      return [x, layerNorm(x, weight, bias), rmsNorm(x, weight, 1e-5), layerNorm(x, weight, drawn(4, 7))];
    };
    const [found, expected] = [await on("webgpu", run), await on("native", run)];
    expect(found[0]).toEqual(expected[0]);
    found.forEach((values, i) => expect(worst(values, expected[i]!)).toBeLessThan(1e-5));
  });
});
