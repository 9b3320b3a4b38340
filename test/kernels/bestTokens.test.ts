import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { bestTokens } from "../../src/kernels/bestTokens.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { narrow, widen } from "../../src/tensor/halves.ts";
import { halfTensor } from "../../src/tensor/native/backend.ts";

const [ROWS, WIDTH, VOCABULARY] = [3, 8, 5000]; // more than two tiles, the last one shorter

beforeAll(() => useBackend("native"));

/** The first of the highest of all logits, in double precision. */
function expected(x: Float32Array, table: Float32Array, bias?: Float32Array): number[] {
  return Array.from({ length: ROWS }, (_, row) => {
    const logits = Array.from({ length: VOCABULARY }, (_, token) => {
      let sum = bias?.[token] ?? 0;
      for (let i = 0; i < WIDTH; i++) sum += x[row * WIDTH + i]! * table[token * WIDTH + i]!;
      return sum;
    });
    return logits.indexOf(Math.max(...logits));
  });
}

const floats = (tensor: tf.Tensor): Float32Array => tensor.dataSync() as Float32Array;
const normal = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", seed);

/** A test whose tensors are freed. */
const tidy = (body: () => void) => (): void => tf.tidy(() => body());

test.each([
  ["", undefined],
  [" with a bias", 3],
])("gives the id of the highest logit among several tiles%s", (_what, seed) => {
  tf.tidy(() => {
    const [x, table] = [normal(1, ROWS, WIDTH), normal(2, VOCABULARY, WIDTH)];
    const bias = seed === undefined ? undefined : normal(seed, VOCABULARY);
    const want = expected(floats(x), floats(table), bias && floats(bias));
    expect([...bestTokens(x, table, bias).dataSync()]).toEqual(want);
    expect(Math.max(...want)).toBeGreaterThan(2048);
  });
});

test(
  "of a matrix in 16 bits takes the numbers that are kept",
  tidy(() => {
    const x = normal(1, ROWS, WIDTH);
    const values = floats(normal(2, VOCABULARY, WIDTH));
    const halves = { format: "float16", rounding: "nearest", bits: new Uint16Array(values.length) } as const;
    narrow(values, halves, 0);
    const kept = new Float32Array(values.length);
    widen(halves, 0, kept);
    expect([...bestTokens(x, halfTensor([VOCABULARY, WIDTH], halves)).dataSync()]).toEqual(expected(floats(x), kept));
  }),
);

test(
  "gives the first of equals, in whichever tile they are",
  tidy(() => {
    const found = bestTokens(tf.ones([ROWS, WIDTH]), tf.ones([VOCABULARY, WIDTH]));
    expect([...found.dataSync()]).toEqual([0, 0, 0]);
  }),
);
