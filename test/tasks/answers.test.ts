import { expect, test } from "vitest";
import { matchesExactly, splitAnswer, tokenF1 } from "../../src/tasks/answers.ts";

// Worked out with SQuAD 1.1's official evaluation in Python.
test.each([
  ["The Cat's hat!", ["cats hat"]],
  [" an  owl\u00a0and\x1ca\nmouse ", ["owl", "and", "mouse"]],
  ["théa a-b aé a", ["théa", "ab", "aé"]],
  ["“50%” U.S.", ["“50”", "us"]],
  ["a. The ...", []],
])("%j is compared without case, punctuation and articles", (answer, words) => {
  expect(splitAnswer(answer).join(" ")).toBe(words.join(" "));
});

test.each([
  ["in Paris", ["Paris"], 2 / 3, 0],
  ["Paris", ["the city of Paris", "Paris."], 1, 1],
  ["to be or not to be", ["to to to"], 4 / 9, 0],
  ["be to", ["to be"], 1, 0],
  ["Rome", ["Paris"], 0, 0],
  ["", ["Paris"], 0, 0],
  ["", [""], 0, 1],
  ["the", ["a"], 0, 1],
  [" 1863\n", [" 1863\n"], 1, 1],
] as const)("%j against %j has the official F1 %d and exact match %d", (answer, right, overlap, exact) => {
  expect(tokenF1(answer, right)).toBeCloseTo(overlap, 12);
  expect(matchesExactly(answer, right)).toBe(exact);
});
