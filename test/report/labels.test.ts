import { expect, test } from "vitest";
import { placeLabels, spread } from "../../src/report/runMarks.ts";

const inside = { x: 0, y: 0, width: 400, height: 300 };
const mark = { radius: 8, width: 100, height: 18 };

test("a label stands to the right of its mark where there is room", () => {
  expect(placeLabels([{ ...mark, x: 100, y: 100 }], { hard: [], soft: [] }, inside)).toEqual([
    { across: 1, down: 0, reach: 1 },
  ]);
});

test("a label at the right edge moves to the left", () => {
  expect(placeLabels([{ ...mark, x: 350, y: 100 }], { hard: [], soft: [] }, inside)).toEqual([
    { across: -1, down: 0, reach: 1 },
  ]);
});

test("a label keeps clear of other marks and of labels before it", () => {
  const marks = [
    { ...mark, x: 150, y: 100 },
    { ...mark, x: 152, y: 110 },
  ];
  const neighbour = { x: 180, y: 95, width: 10, height: 10 };
  const [first, second] = placeLabels(marks, { hard: [neighbour], soft: [] }, inside);
  expect(first).toEqual({ across: -1, down: 0, reach: 1 });
  // Right is the neighbour's, left and top are the first label's: what is left is below.
  expect(second).toEqual({ across: 0, down: 1, reach: 1 });
});

test("crowded values move apart by the gap and keep their order and mean", () => {
  const moved = spread([62.1, 59.6, 66.1], 6);
  const [icl, zero, mezo] = moved as [number, number, number];
  expect(icl - zero).toBeGreaterThanOrEqual(6 - 1e-6);
  expect(mezo - icl).toBeGreaterThanOrEqual(6 - 1e-6);
  expect((icl + zero + mezo) / 3).toBeCloseTo(62.6, 9);
  expect(spread([10, 50], 6)).toEqual([10, 50]);
});
