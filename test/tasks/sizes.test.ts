import { expect, test } from "vitest";
import { shrinkSizes } from "../../src/tasks/split.ts";

const paper = { train: 1000, dev: 500, test: 1000 };

test.each([
  [5000, [1000, 500, 1000]],
  [2500, [1000, 500, 1000]],
  [250, [100, 50, 100]],
  [7, [3, 1, 3]],
  [3, [1, 1, 1]],
])("%i rows give the parts %j", (rows, sizes) => {
  expect(Object.values(shrinkSizes(paper, rows, "rows.tsv"))).toEqual(sizes);
});

test("every row is used where there are too few rows", () => {
  for (let rows = 3; rows < 200; rows++) {
    const { train, dev, test } = shrinkSizes(paper, rows, "rows.tsv");
    expect(train + dev + test).toBe(rows);
  }
});
