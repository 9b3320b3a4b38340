import { expect, test } from "vitest";
import { mt19937, numpyIntegers, numpyPermutation, numpyShuffle } from "../../src/tasks/split.ts";

// Values of NumPy 2: np.random.seed(seed), then randint over all 32 bits, permutation(12), permutation(1000) and permutation(700000).
const known = [
  {
    seed: 0,
    words: [2357136044, 2546248239, 3071714933, 3626093760],
    twelve: [6, 11, 4, 10, 2, 8, 1, 7, 9, 3, 0, 5],
    thousand: [993, 859, 298, 553, 672, 971],
    many: [628789, 469697, 243043],
  },
  {
    seed: 42,
    words: [1608637542, 3421126067, 4083286876, 787846414],
    twelve: [10, 9, 0, 8, 5, 2, 1, 11, 4, 7, 3, 6],
    thousand: [521, 737, 740, 660, 411, 678],
    many: [637949, 656465, 337739],
  },
  {
    seed: 4294967295,
    words: [419326371, 479346978, 3918654476, 2416749639],
    twelve: [11, 8, 5, 9, 1, 10, 6, 0, 4, 7, 2, 3],
    thousand: [94, 405, 819, 632, 217, 169],
    many: [168460, 430076, 152141],
  },
];

test.each(known)("seed $seed gives NumPy's numbers and permutations", ({ seed, words, twelve, thousand, many }) => {
  const next = mt19937(seed);
  expect([next(), next(), next(), next()]).toEqual(words);
  expect(numpyPermutation(12, seed)).toEqual(twelve);
  expect(numpyPermutation(1000, seed).slice(0, 6)).toEqual(thousand);
  expect(numpyPermutation(700000, seed).slice(0, 3)).toEqual(many);
});

test("a shuffle moves items as a permutation moves indices, and leaves its input alone", () => {
  const items = [..."abcdefghijkl"];
  expect(numpyShuffle(items, 0)).toEqual(numpyPermutation(12, 0).map((i) => items[i]));
  expect(items.join("")).toBe("abcdefghijkl");
  expect([numpyShuffle([], 1), numpyShuffle(["x"], 1)]).toEqual([[], ["x"]]);
});

test.each([-1, 0.5, 2 ** 32, Number.NaN])("the seed %d is refused", (seed) => {
  expect(() => mt19937(seed)).toThrow(`at seed ${seed}: give a whole number from 0 to 4294967295.`);
});

// NumPy 2: np.random.seed(seed); np.random.randint(0, 10000, 8).
test.each([
  [0, [2732, 9845, 3264, 4859, 9225, 7891, 4373, 5874]],
  [1, [235, 5192, 905, 7813, 2895, 5056, 144, 4225]],
  [13, [338, 74, 7696, 866, 5876, 153, 8940, 4026]],
])("seed %i gives NumPy's whole numbers below a bound", (seed, numbers) => {
  expect(numpyIntegers(10_000, 8, seed)).toEqual(numbers);
});
