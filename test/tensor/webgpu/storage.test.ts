import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { probeBackends, storage, useBackend } from "../../../src/tensor/backend.ts";
import { plainNarrow, plainWiden } from "../../../src/tensor/halves.ts";
import { type Distribution, wholeStretch } from "../../../src/tensor/noise/key.ts";
import { movePlainly } from "../../../src/tensor/noise/plain.ts";
import type { HalfKind, Source } from "../../../src/tensor/source.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

const LAWS: readonly Distribution[] = ["gaussian", "rademacher"];
const KINDS: readonly (HalfKind | undefined)[] = [
  undefined,
  ...(["float16", "bfloat16"] as const).flatMap((format) =>
    (["nearest", "stochastic"] as const).map((rounding) => ({ format, rounding })),
  ),
];
const SIZES = [1, 64, 127, 128, 2048, 5000, 2 ** 18 + 1];
const KEY = { k0: 0xdeadbeef, k1: 0x80000001, stream: 0xffffffff };
const MASK = Uint32Array.from({ length: 2 ** 13 + 64 }, (_, i) => (i * 0x9e3779b9) >>> 0);
const OTHER = { k0: 7, k1: 8, stream: 9, mask: MASK };

/** Values of a weight's sizes, float16's smallest numbers among them. */
const valueAt = (i: number): number => Math.fround(Math.sin(i) * 2 ** ((i % 24) - 20));
const readValues = (into: Float32Array, from: number): void => {
  for (let i = 0; i < into.length; i++) into[i] = valueAt(from + i);
};

const nameOf = (kind: HalfKind | undefined): string => (kind ? `${kind.format} ${kind.rounding}` : "float32");

/** The weight in this process, by the plain twins. */
function plainWeight(size: number, kind: HalfKind | undefined): Source {
  const values = new Float32Array(size);
  readValues(values, 0);
  if (!kind) return values;
  const bits = new Uint16Array(size);
  plainNarrow(values, kind.format, bits);
  return { ...kind, bits };
}

function widen(source: Source): Float32Array {
  if (!("bits" in source)) return source;
  const values = new Float32Array(source.bits.length);
  plainWiden(source.bits, source.format, values);
  return values;
}

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
  expect(a.length).toBe(b.length);
  const [x, y] = [new Uint32Array(a.buffer, a.byteOffset, a.length), new Uint32Array(b.buffer, b.byteOffset, b.length)];
  return x.reduce((sum, bits, i) => sum + (bits === y[i] ? 0 : 1), 0);
}

describe.skipIf(!available)(`weights on the GPU${available ? ` on ${detail}` : ` (skipped: ${detail})`}`, () => {
  describe.each(LAWS)("with %s noise", (law) => {
    test.each(KINDS.map((kind) => [nameOf(kind), kind] as const))(
      "move in %s with the bits of the plain twin",
      async (_, kind) => {
        await useBackend("webgpu");
        for (const size of SIZES) {
          const [tensor, plain] = [storage().weight([size], readValues, kind), plainWeight(size, kind)];
          const moves = [
            { key: KEY, scale: 1e-3, keep: 1 },
            { key: OTHER, scale: -0.3, keep: 0.99 },
          ];
          storage().move([{ tensor, moves }], law);
          for (const move of moves) movePlainly(wholeStretch(plain, [move], law));
          expect(countDifferent(await read(tensor), widen(plain)), `${size} elements`).toBe(0);
          tensor.dispose();
        }
      },
    );

    test.each(KINDS.filter((kind) => kind?.rounding !== "stochastic").map((kind) => [nameOf(kind), kind] as const))(
      "have both sides in %s with the bits of the plain twin, and stay",
      async (_, kind) => {
        await useBackend("webgpu");
        for (const [i, size] of SIZES.entries()) {
          const key = i % 2 && kind?.format !== "float16" ? OTHER : KEY; // -0, which float16 has here, is in every mask by size
          const [tensor, plain] = [storage().weight([size], readValues, kind), plainWeight(size, kind)];
          const sides = { plus: new Float32Array(size), minus: new Float32Array(size) };
          movePlainly({ ...wholeStretch(plain, [{ key, scale: 1e-3, keep: 1 }], law), sides });
          const [both] = storage().sides([{ tensor, key }], 1e-3, law);
          expect(countDifferent(await read(both!.plus), sides.plus), `plus of ${size} elements`).toBe(0);
          expect(countDifferent(await read(both!.minus), sides.minus), `minus of ${size} elements`).toBe(0);
          expect(countDifferent(await read(tensor), widen(plain)), `theta of ${size} elements`).toBe(0);
          tf.dispose([tensor, both!.plus, both!.minus]);
        }
      },
    );
  });

  test.each(KINDS.map((kind) => [nameOf(kind), kind] as const))(
    "in %s are refilled, filled and copied, rounded to the nearest",
    async (_, kind) => {
      await useBackend("webgpu");
      for (const size of [1, 5, 2 ** 18 + 1]) {
        const expected = widen(plainWeight(size, kind));
        const tensor = storage().weight([size], (into) => into.fill(7), kind);
        storage().refill(tensor, readValues);
        expect(countDifferent(await read(tensor), expected)).toBe(0);
        const wide = storage().weight([size], readValues);
        storage().fill(tensor, (values) => values.fill(3));
        expect((await read(tensor)).every((value) => value === 3)).toBe(true);
        storage().copy(wide, tensor);
        expect(countDifferent(await read(tensor), expected)).toBe(0);
        storage().copy(tensor, wide);
        storage().fill(tensor, (values) => values.fill(5));
        expect(countDifferent(await read(wide), expected)).toBe(0);
        expect(new Set(await tensor.data())).toEqual(new Set([5]));
        tf.dispose([tensor, wide]);
      }
    },
  );

  test.each([undefined, KINDS[1]!])("longer than a piece are read whole", async (kind) => {
    await useBackend("webgpu");
    const size = 2 ** 22 + 3;
    const tensor = storage().weight(
      [size],
      (into, from) =>
        into.forEach((_, i) => {
          into[i] = (from + i) % 2048;
        }),
      kind,
    );
    let [at, wrong] = [0, 0];
    for await (const piece of storage().read(tensor)) for (const value of piece) if (value !== at++ % 2048) wrong++;
    expect([at, wrong]).toEqual([size, 0]);
    tensor.dispose();
  });

  test("written again are read new, by whoever read them before", async () => {
    await useBackend("webgpu");
    const tensor = storage().weight([3], (into) => into.fill(1));
    expect(Array.from(await tensor.data())).toEqual([1, 1, 1]);
    storage().refill(tensor, (into) => into.fill(2));
    expect(Array.from(await tensor.data())).toEqual([2, 2, 2]);
    const product = tf.mul(tensor, 10);
    storage().refill(tensor, (into) => into.fill(3));
    expect([...(await product.data()), ...(await tensor.data())]).toEqual([20, 20, 20, 3, 3, 3]);
    tf.dispose([tensor, product]);
  });

  test("of no elements are made, moved and read", async () => {
    await useBackend("webgpu");
    for (const kind of [undefined, KINDS[1]]) {
      const tensor = storage().weight([0, 4], () => {}, kind);
      storage().move([{ tensor, moves: [{ key: KEY, scale: 1, keep: 1 }] }], "gaussian");
      expect((await read(tensor)).length).toBe(0);
      const [both] = storage().sides([{ tensor, key: KEY }], 1, "rademacher");
      tf.dispose([tensor, both!.plus, both!.minus]);
    }
  });
});
