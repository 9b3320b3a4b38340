import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { bestTokens } from "../../src/kernels/bestTokens.ts";
import "../../src/kernels/backends.ts";
import { storage } from "../../src/tensor/backend.ts";
import { HALVES, skipped } from "../backend.ts";
import { takeValues, valuesOf } from "../values.ts";

const [ROWS, WIDTH, VOCABULARY] = [3, 8, 5000]; // more than two tiles, the last one shorter

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

const normal = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", seed);

test.each([
  ["", undefined],
  [" with a bias", 3],
])("gives the id of the highest logit among several tiles%s", async (_what, seed) => {
  const [x, table] = [normal(1, ROWS, WIDTH), normal(2, VOCABULARY, WIDTH)];
  const bias = seed === undefined ? undefined : normal(seed, VOCABULARY);
  const want = expected(await valuesOf(x), await valuesOf(table), bias && (await valuesOf(bias)));
  expect(await takeValues(bestTokens(x, table, bias))).toEqual(want);
  expect(Math.max(...want)).toBeGreaterThan(2048);
  tf.dispose([x, table, ...(bias ? [bias] : [])]);
});

test.skipIf(!HALVES.here)(`of a matrix in 16 bits takes the numbers that are kept${skipped(HALVES)}`, async () => {
  const [x, drawn] = [normal(1, ROWS, WIDTH), await takeValues(normal(2, VOCABULARY, WIDTH))];
  const table = storage().weight([VOCABULARY, WIDTH], (into, from) => into.set(drawn.slice(from, from + into.length)), {
    format: "float16",
    rounding: "nearest",
  });
  expect(await takeValues(bestTokens(x, table))).toEqual(expected(await valuesOf(x), await valuesOf(table)));
  expect(await valuesOf(table)).not.toEqual(Float32Array.from(drawn));
  tf.dispose([x, table]);
});

test("gives the first of equals, in whichever tile they are", async () => {
  const found = tf.tidy(() => bestTokens(tf.ones([ROWS, WIDTH]), tf.ones([VOCABULARY, WIDTH])));
  expect(await takeValues(found)).toEqual([0, 0, 0]);
});
