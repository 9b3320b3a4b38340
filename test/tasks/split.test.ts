import { expect, test } from "vitest";
import { drawTest, splitInThree, splitKShot } from "../../src/tasks/split.ts";
import type { Example } from "../../src/tasks/task.ts";

/** Examples whose prompts are their numbers, of two classes in turn. */
const rows = (count: number): Example[] =>
  Array.from({ length: count }, (_, i) => ({
    autoregressive: { prompt: String(i), options: [" terrible", " great"] },
    gold: [i % 2],
  }));
const numbersOf = (examples: readonly Example[]): number[] =>
  examples.map(({ autoregressive }) => Number(autoregressive!.prompt));
const ascending = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

// NumPy 2: np.random.seed(42), np.random.permutation(12)[:3].
test("of a longer test file the rows are drawn under the authors' own seed 42, and a shorter one stays as it is", () => {
  expect(numbersOf(drawTest(rows(12), 3))).toEqual([10, 9, 0]);
  expect(numbersOf(drawTest(rows(12), 12))).toEqual(numbersOf(rows(12)));
  const pools = { train: rows(8), test: rows(12), name: "train.tsv" };
  for (const seed of [0, 13]) expect(numbersOf(splitKShot(pools, 2, 3, seed).test)).toEqual([10, 9, 0]);
});

test("without a test file, K shots of train and of dev leave all other rows for test", () => {
  const { train, dev, test } = splitKShot({ train: rows(14), test: [], name: "rows.tsv" }, 2, 1000, 13);
  expect([train, dev, test].map(({ length }) => length)).toEqual([4, 4, 6]);
  expect(ascending(numbersOf([...train, ...dev, ...test]))).toEqual(numbersOf(rows(14)));
  for (const part of [train, dev]) expect(part.map(({ gold }) => gold[0]).toSorted()).toEqual([0, 0, 1, 1]);
});

test("one file in three parts has every drawn row in one of them", () => {
  const { train, dev, test } = splitInThree(rows(10), "rows.tsv", { train: 5, dev: 2, test: 3 }, 7);
  expect([train, dev, test].map(({ length }) => length)).toEqual([5, 2, 3]);
  expect(ascending(numbersOf([...train, ...dev, ...test]))).toEqual(numbersOf(rows(10)));
});
