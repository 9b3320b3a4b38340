import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import "../../../src/kernels/backends.ts";
import { bestTokens } from "../../../src/kernels/bestTokens.ts";
import { embed } from "../../../src/kernels/embed.ts";
import { feedForward } from "../../../src/kernels/feedForward.ts";
import { linear } from "../../../src/kernels/linear.ts";
import { tokenLogProbs } from "../../../src/kernels/tokenLogProbs.ts";
import { probeBackends, storage, useBackend } from "../../../src/tensor/backend.ts";
import { narrow, widenAll } from "../../../src/tensor/halves.ts";
import type { HalfFormat } from "../../../src/tensor/source.ts";
import { type NodeBackend, toValue } from "../../../src/tensor/tensorflow/operations.ts";
import { productType } from "../../../src/tensor/tensorflow/products.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;
/** As on the processor that the tests run on, and with the choices that are made on a GPU: there both formats are multiplied as they are. */
const PLACES = ["processor", "GPU"] as const;
const CASES = (["float16", "bfloat16"] as const).flatMap((format) => PLACES.map((place) => [format, place] as const));

/** Seeded normals. */
const normal = (seed: number, size: number): Float32Array =>
  tf.tidy(() => tf.randomNormal([size], 0, 1, "float32", seed).dataSync().slice()) as unknown as Float32Array;

/** Rounds to the nearest numbers of a kind. */
function round(values: ArrayLike<number>, to: "float32" | HalfFormat): Float32Array {
  const floats = Float32Array.from(values);
  if (to === "float32") return floats;
  const halves = { format: to, rounding: "nearest", bits: new Uint16Array(floats.length) } as const;
  narrow(floats, halves, 0);
  return widenAll(halves);
}

/** A weight that is kept in 16 bits, what it holds, and in what its products are formed here. */
function halfWeight(seed: number, shape: readonly [number, number], format: HalfFormat) {
  const given = normal(seed, shape[0] * shape[1]);
  const tensor = storage().weight(shape, (into, from) => into.set(given.subarray(from, from + into.length)), {
    format,
    rounding: "nearest",
  });
  return { tensor, values: round(given, format), type: productType(toValue(tensor)) };
}

/** x Wᵀ in double precision of operands that are rounded before, its result rounded too. */
function product(x: Float32Array, { tensor, values, type }: ReturnType<typeof halfWeight>): Float32Array {
  const [outputs, width] = tensor.shape as [number, number];
  const rounded = round(x, type);
  const sums = Array.from({ length: (x.length / width) * outputs }, (_, at) => {
    const [row, output] = [Math.floor(at / outputs), at % outputs];
    let sum = 0;
    for (let i = 0; i < width; i++) sum += rounded[row * width + i]! * values[output * width + i]!;
    return sum;
  });
  return round(sums, type);
}

/** Nearly all as expected, and none farther than one rounding of the product takes it: sums in another order are rounded to a neighbour now and then. */
function expectNear(got: ArrayLike<number>, want: ArrayLike<number>, scale: number): void {
  expect(got.length).toBe(want.length);
  const errors = Array.from(want, (value, i) => Math.abs(got[i]! - value));
  expect(Math.max(...errors)).toBeLessThan(scale * 2 ** -7);
  expect(errors.filter((error) => error < scale * 2 ** -18).length).toBeGreaterThan(0.9 * want.length);
}

const most = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));

const [ROWS, WIDTH, WIDE] = [6, 40, 96];

describe.skipIf(!available).each(CASES)(
  `products with weights in %s on TensorFlow, as on a %s${available ? "" : ` (skipped: ${detail})`}`,
  (format, place) => {
    let isUsingGpuDevice = false;
    beforeEach(async () => {
      await useBackend("tensorflow");
      ({ isUsingGpuDevice } = tf.backend() as unknown as NodeBackend);
      Object.assign(tf.backend(), { isUsingGpuDevice: place === "GPU" });
    });
    afterEach(async () => {
      Object.assign(tf.backend(), { isUsingGpuDevice });
      await useBackend("native");
    });

    const x = normal(1, ROWS * WIDTH);
    const floats = (values: Float32Array, ...shape: number[]): tf.Tensor => tf.tensor(values, shape);

    test("round both operands and the result; bias and residual are added in float32", () => {
      const weight = halfWeight(2, [WIDE, WIDTH], format);
      const [bias, residual] = [normal(3, WIDE), normal(4, ROWS * WIDE)];
      const want = product(x, weight).map((v, i) => v + bias[i % WIDE]! + residual[i]!);
      tf.tidy(() => {
        const y = linear(floats(x, ROWS, WIDTH), weight.tensor, {
          bias: floats(bias, WIDE),
          residual: floats(residual, ROWS, WIDE),
        });
        expectNear(y.dataSync(), want, most(want));
      });
      weight.tensor.dispose();
    });

    test.each(["relu", "silu"] as const)(
      "keep the middle of a feed-forward part in their numbers, with %s",
      (activation) => {
        const [up, down] = [halfWeight(2, [WIDE, WIDTH], format), halfWeight(3, [WIDTH, WIDE], format)];
        const [upBias, downBias] = [normal(4, WIDE), normal(5, WIDTH)];
        const isRelu = activation === "relu";
        const bias = isRelu ? round(upBias, up.type) : upBias;
        const wide = product(x, up).map((v, i) => v + bias[i % WIDE]!);
        const middle = isRelu
          ? round(wide, up.type).map((v) => Math.max(v, 0))
          : wide.map((v) => v / (1 + Math.exp(-v)));
        const want = product(middle, down).map((v, i) => v + downBias[i % WIDTH]! + x[i]!);
        tf.tidy(() => {
          const given = floats(x, ROWS, WIDTH);
          const weights = {
            ...{ up: up.tensor, upBias: floats(upBias, WIDE) },
            ...{ down: down.tensor, downBias: floats(downBias, WIDTH) },
          };
          expectNear(feedForward(given, weights, activation, given).dataSync(), want, most(want));
        });
        tf.dispose([up.tensor, down.tensor]);
      },
    );

    test("make logits whose log-sums are in float32, and whose first highest is found", () => {
      const table = halfWeight(2, [WIDE, WIDTH], format);
      const [bias, ids] = [normal(3, WIDE), Int32Array.from({ length: ROWS }, (_, i) => (i * 17) % WIDE)];
      const logits = product(x, table).map((v, i) => v + bias[i % WIDE]!);
      const rows = Array.from(ids, (_, row) => [...logits.subarray(row * WIDE, (row + 1) * WIDE)]);
      const want = rows.map((row, i) => row[ids[i]!]! - Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)));
      tf.tidy(() => {
        const given = [floats(x, ROWS, WIDTH), table.tensor] as const;
        const found = tokenLogProbs(...given, tf.tensor1d(ids, "int32"), floats(bias, WIDE));
        expectNear(found.dataSync(), want, most(logits));
        expect([...bestTokens(...given, floats(bias, WIDE)).dataSync()]).toEqual(
          rows.map((row) => row.indexOf(Math.max(...row))),
        );
      });
      table.tensor.dispose();
    });

    test("look up rows as they are kept", () => {
      const table = halfWeight(2, [WIDE, WIDTH], format);
      const rows = tf.tidy(() => embed(tf.tensor1d([95, 0, 7], "int32"), table.tensor).dataSync());
      expect([...rows]).toEqual([95, 0, 7].flatMap((id) => [...table.values.subarray(id * WIDTH, (id + 1) * WIDTH)]));
      table.tensor.dispose();
    });
  },
);
