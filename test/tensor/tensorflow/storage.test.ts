import type * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { probeBackends, storage, useBackend } from "../../../src/tensor/backend.ts";
import { plainNarrow, plainWiden } from "../../../src/tensor/halves.ts";
import { type Distribution, type Move, noiseKey } from "../../../src/tensor/noise/key.ts";
import { movePlainly } from "../../../src/tensor/noise/plain.ts";
import { wholeStretch } from "../../../src/tensor/noise/stretch.ts";
import type { HalfFormat, Rounding, Source } from "../../../src/tensor/source.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;
const LAWS = ["gaussian", "rademacher"] as const;
const SIZES = [1, 64, 127, 128, 2048, 5000, 2 ** 18 - 1, 2 ** 18, 2 ** 18 + 1];

/** Weights of all sizes: numbers as weights are, zeros of both signs, what is subnormal in float16 and what is beyond it. */
const valueAt = (i: number): number =>
  [0.1 * Math.sin(i), -0, 0, 2 ** -20 * Math.cos(i), 7e4 * Math.sin(i), 3 * 2 ** -25][i % 7 === 6 ? 0 : i % 7]!;
const weightsOf = (size: number): Float32Array => Float32Array.from({ length: size }, (_, i) => valueAt(i));

const movesOf = (count: number, keep: number): Move[] =>
  Array.from({ length: count }, (_, step) => ({
    key: noiseKey(7, step, "layer.weight"),
    scale: 1e-3 * (step + 1),
    keep: step % 2 ? 1 : keep,
  }));

async function read(tensor: tf.TensorInfo): Promise<Float32Array> {
  const pieces: Float32Array[] = [];
  for await (const piece of storage().read(tensor)) pieces.push(piece.slice());
  const values = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    values.set(piece, at);
    at += piece.length;
  }
  return values;
}

/** Elements whose bits differ. */
function countDifferent(a: Float32Array, b: Float32Array): number {
  const [x, y] = [a, b].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
  if (x!.length !== y!.length) return Number.POSITIVE_INFINITY;
  return x!.reduce((sum, word, i) => sum + Number(word !== y![i]), 0);
}

const weight = (values: Float32Array, format?: HalfFormat, rounding: Rounding = "stochastic"): tf.Tensor =>
  storage().weight(
    [values.length],
    (into, from) => into.set(values.subarray(from, from + into.length)),
    format && { format, rounding },
  );

/** The same weight in plain TypeScript. */
function plainly(values: Float32Array, format?: HalfFormat, rounding: Rounding = "stochastic"): Source {
  if (!format) return values.slice();
  const bits = new Uint16Array(values.length);
  plainNarrow(values, format, bits);
  return { bits, format, rounding };
}

function widened(source: Source): Float32Array {
  if (!("bits" in source)) return source;
  const values = new Float32Array(source.bits.length);
  plainWiden(source.bits, source.format, values);
  return values;
}

/** Moves of the plain weight, each rounded for itself. */
function movedPlainly(source: Source, moves: readonly Move[], law: Distribution): Float32Array {
  for (const move of moves) movePlainly(wholeStretch(source, [move], law));
  return widened(source);
}

describe.skipIf(!available)(`weights on TensorFlow${available ? "" : ` (skipped: ${detail})`}`, () => {
  beforeEach(async () => {
    expect(await useBackend("tensorflow")).toBe("tensorflow");
  });
  afterEach(async () => void (await useBackend("native")));

  test.each(SIZES)("of %i elements have the values that they were given, in float32 and 16 bits", async (size) => {
    const values = weightsOf(size);
    for (const format of [undefined, "float16", "bfloat16"] as const) {
      const tensor = weight(values, format);
      expect(countDifferent(await read(tensor), widened(plainly(values, format)))).toBe(0);
      storage().refill(tensor, (into) => into.fill(0.1));
      expect([...new Set(await read(tensor))]).toEqual([...widened(plainly(Float32Array.of(0.1), format))]);
      tensor.dispose();
    }
  });

  describe.each(LAWS)("moved by %s noise", (law) => {
    test.each(SIZES)("have the bits of the plain twin: %i elements in float32", async (size) => {
      for (const keep of [1, 0.99]) {
        const tensor = weight(weightsOf(size));
        const moves = movesOf(2, keep);
        storage().move([{ tensor, moves }], law);
        const expected = movedPlainly(plainly(weightsOf(size)), moves, law);
        expect(countDifferent(await read(tensor), expected)).toBe(0);
        tensor.dispose();
      }
    });

    test.each(SIZES.flatMap((size) => (["float16", "bfloat16"] as const).map((format) => [size, format] as const)))(
      "have the bits of the plain twin: %i elements in %s, of either rounding",
      async (size, format) => {
        for (const rounding of ["nearest", "stochastic"] as const)
          for (const keep of [1, 0.99]) {
            const tensor = weight(weightsOf(size), format, rounding);
            const moves = movesOf(2, keep);
            storage().move([{ tensor, moves }], law);
            const expected = movedPlainly(plainly(weightsOf(size), format, rounding), moves, law);
            expect(countDifferent(await read(tensor), expected)).toBe(0);
            tensor.dispose();
          }
      },
    );
  });
});
