import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { probeBackends, storage, useBackend } from "../../../src/tensor/backend.ts";
import { noiseKey } from "../../../src/tensor/noise/key.ts";
import { toValue } from "../../../src/tensor/tensorflow/operations.ts";
import { productType } from "../../../src/tensor/tensorflow/products.ts";
import { allValues, valuesOf } from "../../values.ts";
import {
  countDifferent,
  FORMATS,
  HALVES,
  LAWS,
  movedPlainly,
  movesOf,
  plainly,
  weight,
  weightsOf,
  widened,
} from "./weights.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;
const SIZES = [1, 64, 127, 128, 2048, 5000, 2 ** 18 - 1, 2 ** 18, 2 ** 18 + 1];
/** More than are changed at once, of rows that the parts do not end with. */
const LARGE = [1100, 1001];

describe.skipIf(!available)(`weights on TensorFlow${available ? "" : ` (skipped: ${detail})`}`, () => {
  beforeEach(async () => {
    expect(await useBackend("tensorflow")).toBe("tensorflow");
  });
  afterEach(async () => void (await useBackend("native")));

  test.each(SIZES)("of %i elements have the values that they are given, in float32 and 16 bits", async (size) => {
    const values = weightsOf(size);
    for (const format of FORMATS) {
      const tensor = weight(values, format);
      expect(countDifferent(await valuesOf(tensor), widened(plainly(values, format)))).toBe(0);
      storage().refill(tensor, (into) => into.fill(0.1));
      expect([...new Set(await valuesOf(tensor))]).toEqual([...widened(plainly(Float32Array.of(0.1), format))]);
      tensor.dispose();
    }
  });

  test("have what is copied into them, rounded to the nearest where they are kept in 16 bits, and nothing else of it", async () => {
    const [law, moves] = ["gaussian", movesOf(1, 0.99)] as const;
    const values = weightsOf(2 ** 20 + 3);
    for (const format of FORMATS) {
      const [from, to] = [weight(values), weight(new Float32Array(values.length), format)];
      storage().copy(from, to);
      storage().move([{ tensor: from, moves }], law);
      expect(countDifferent(await valuesOf(to), widened(plainly(values, format)))).toBe(0);
      storage().copy(to, from);
      storage().move([{ tensor: to, moves }], law);
      expect(countDifferent(await valuesOf(from), widened(plainly(values, format)))).toBe(0);
      tf.dispose([from, to]);
    }
  });

  test("are seen to move by who cloned or reshaped them before, as on native", async () => {
    const seen = async (): Promise<Float32Array[]> => {
      const tensor = weight(weightsOf(600));
      const holders = [tf.clone(tensor), tf.reshape(tensor, [20, 30]), tf.variable(tensor)];
      tf.dispose(tf.tidy(() => holders.map((holder) => tf.mul(holder, 2)))); // the values go where they are computed with
      storage().move([{ tensor, moves: movesOf(2, 0.99) }], "gaussian");
      const values = await allValues([tensor, ...holders]);
      tf.dispose([tensor, ...holders]);
      return values;
    };
    const onTensorflow = await seen();
    await useBackend("native");
    expect(onTensorflow).toEqual(await seen());
    expect(onTensorflow[0]![0]).not.toBe(0);
  });

  test("do not change the array of numbers that a tensor was made of, nor what was computed from it", async () => {
    const values = weightsOf(4096);
    const tensor = tf.tensor1d(values);
    const part = tf.slice(tensor, 1024, 1024);
    storage().move([{ tensor, moves: movesOf(1, 1) }], "rademacher");
    expect(values).toEqual(weightsOf(4096));
    expect(await valuesOf(part)).toEqual(weightsOf(4096).subarray(1024, 2048));
    expect(await valuesOf(tensor)).toEqual(movedPlainly(weightsOf(4096), movesOf(1, 1), "rademacher"));
    tf.dispose([tensor, part]);
  });

  describe.each(LAWS)("moved by %s noise", (law) => {
    test.each(SIZES)("have the bits of the plain twin: %i elements in float32", async (size) => {
      for (const keep of [1, 0.99]) {
        const tensor = weight(weightsOf(size));
        const moves = movesOf(2, keep);
        storage().move([{ tensor, moves }], law);
        const expected = movedPlainly(plainly(weightsOf(size)), moves, law);
        expect(countDifferent(await valuesOf(tensor), expected)).toBe(0);
        tensor.dispose();
      }
    });

    test.each(SIZES.flatMap((size) => HALVES.map((format) => [size, format] as const)))(
      "have the bits of the plain twin: %i elements in %s, of either rounding",
      async (size, format) => {
        for (const [rounding, keep] of [
          ["nearest", 1],
          ["stochastic", 0.99],
          ["stochastic", 1],
        ] as const) {
          const tensor = weight(weightsOf(size), format, rounding);
          const moves = movesOf(2, keep);
          storage().move([{ tensor, moves }], law);
          const expected = movedPlainly(plainly(weightsOf(size), format, rounding), moves, law);
          expect(countDifferent(await valuesOf(tensor), expected)).toBe(0);
          tensor.dispose();
        }
      },
    );

    test("have the same bits together as each for itself, however many moves each makes", async () => {
      const sizes = [3, 700, 64, 2 ** 20 + 5, 2048];
      const weights = sizes.map((size, i) => ({
        tensor: weight(weightsOf(size), FORMATS[(i + 1) % 3]),
        moves: movesOf(i, 0.99),
      }));
      storage().move(weights, law);
      for (const [i, { tensor, moves }] of weights.entries()) {
        const expected = movedPlainly(plainly(weightsOf(sizes[i]!), FORMATS[(i + 1) % 3]), moves, law);
        expect(countDifferent(await valuesOf(tensor), expected)).toBe(0);
        tensor.dispose();
      }
    });

    test("have both sides, in the numbers that products are formed in, and stay as they are", async () => {
      const eps = 1e-3;
      const values = weightsOf(LARGE[0]! * LARGE[1]!);
      for (const format of FORMATS) {
        const [large, small] = [weight(values, format, "nearest", LARGE), weight(values.subarray(0, 130), format)];
        const keyed = [large, small].map((tensor, i) => ({ tensor, key: noiseKey(3, i, "layer.weight") }));
        const both = storage().sides(keyed, eps, law);
        for (const [i, { tensor, key }] of keyed.entries()) {
          const size = tensor.size;
          const kept = widened(plainly(values.subarray(0, size), format));
          const type = productType(toValue(tensor));
          for (const [side, scale] of [
            [both[i]!.plus, eps],
            [both[i]!.minus, -eps],
          ] as const) {
            const formed = movedPlainly(kept.slice(), [{ key, scale, keep: 1 }], law);
            const rounded = widened(plainly(formed, type === "float32" ? undefined : type));
            expect(side.shape).toEqual(tensor.shape);
            expect(toValue(side).dtype).toBe(type);
            expect(countDifferent(await valuesOf(side), rounded)).toBe(0);
          }
          expect(countDifferent(await valuesOf(tensor), kept)).toBe(0);
          tf.dispose([both[i]!.plus, both[i]!.minus]);
        }
        tf.dispose([large, small]);
      }
    });
  });
});
