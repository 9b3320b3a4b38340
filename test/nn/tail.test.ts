import { expect, test } from "vitest";
import { findTail, listPositions, packBatch } from "../../src/nn/batch.ts";

const batch = packBatch([
  [10, 11, 12],
  [20, 21],
  [30, 31, 32, 33],
]);

test("the tail holds every sequence from its first read row on, and of one that is not read its last token", () => {
  const tail = findTail(batch, [7, 1, 2]);
  expect(tail.batch.ids).toEqual(Int32Array.of(11, 12, 21, 32, 33));
  expect(tail.batch.lengths).toEqual([2, 1, 2]);
  expect(tail.rows).toEqual(Int32Array.of(1, 2, 4, 7, 8));
});

test("the rows asked for are found in the tail in the order asked, each as often as it was", () => {
  const tail = findTail(batch, [7, 1, 2, 7]);
  expect([...tail.at].map((at) => tail.rows[at])).toEqual([7, 1, 2, 7]);
});

test("tokens of the tail keep their positions, whatever came before the batch", () => {
  const tail = findTail({ ...batch, starts: [5, 0, 2] }, [2, 3, 8]);
  expect(listPositions(tail.batch)).toEqual(Int32Array.of(7, 0, 1, 5));
});
