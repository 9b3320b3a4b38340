import { expect, test } from "vitest";
import type { StoredTensor } from "../../src/checkpoints/safetensors.ts";
import { transposeStored } from "../../src/checkpoints/transpose.ts";

/** A stored matrix whose element i is i + `plus`, and what was read of it. */
function storedMatrix(shape: [number, number], plus = 0): { stored: StoredTensor; count: () => number } {
  let count = 0;
  const read: StoredTensor["read"] = (into, from = 0) => {
    count += into.length;
    for (let i = 0; i < into.length; i++) into[i] = from + i + plus;
  };
  return { stored: { path: "none", dtype: "F32", shape, read }, count: () => count };
}

const SIZES: [number, number][] = [
  [3, 5],
  [1, 4],
  [700, 3100], // a quarter of its 2,170,000 numbers is held at a time
];

test.each(SIZES)("a matrix stored as [%i, %i] has its numbers transposed, whole and in pieces", (columns, rows) => {
  const { stored, count } = storedMatrix([columns, rows]);
  const turned = transposeStored(stored);
  expect(turned.shape).toEqual([rows, columns]);
  const wanted = Float32Array.from(
    { length: rows * columns },
    (_, at) => (at % columns) * rows + Math.floor(at / columns),
  );
  const whole = new Float32Array(rows * columns);
  turned.read(whole);
  expect(Buffer.from(whole.buffer).equals(Buffer.from(wanted.buffer))).toBe(true);
  const before = count();
  const pieces = new Float32Array(rows * columns);
  const length = Math.ceil(pieces.length / 7) + 1;
  for (let from = 0; from < pieces.length; from += length) turned.read(pieces.subarray(from, from + length), from);
  expect(Buffer.from(pieces.buffer).equals(Buffer.from(wanted.buffer))).toBe(true);
  expect((count() - before) / pieces.length).toBeLessThanOrEqual(4);
});

test("pieces of two matrices in turn, and of one that has changed since its last piece, are not mixed up", () => {
  const [a, b] = [transposeStored(storedMatrix([2, 2]).stored), transposeStored(storedMatrix([2, 2], 10).stored)];
  const piece = (of: StoredTensor, from: number): number[] => {
    const into = new Float32Array(2);
    of.read(into, from);
    return [...into];
  };
  expect([piece(a, 0), piece(b, 0), piece(a, 2), piece(b, 2)]).toEqual([
    [0, 2],
    [10, 12],
    [1, 3],
    [11, 13],
  ]);
});

test("a matrix that is transposed twice is itself", () => {
  const { stored } = storedMatrix([2, 3]);
  expect(transposeStored({ ...transposeStored(stored) })).toBe(stored);
});
