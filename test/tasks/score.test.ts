import { expect, test } from "vitest";
import { computeAccuracy, computeMeanScore, scoreMajority } from "../../src/tasks/score.ts";
import type { Example, Task } from "../../src/tasks/task.ts";

function examples(...golds: (number | number[])[]): Example[] {
  return golds.map((gold, index) => ({
    autoregressive: { prompt: `${index} It was`, options: [" terrible", " great"] },
    gold: [gold].flat(),
  }));
}

function taskWith(train: Example[], test: Example[], rest: Partial<Task> = {}): Task {
  return {
    name: "SST-2",
    metric: "accuracy",
    loss: "candidates",
    data: { files: [], sha256: "" },
    train,
    dev: [],
    test,
    ...rest,
  };
}

test("accuracy comes with its binomial standard error", () => {
  const { accuracy, standardError, n } = computeAccuracy(Array.from({ length: 1000 }, (_, i) => Number(i >= 100)));
  expect([accuracy, n]).toEqual([0.9, 1000]);
  expect(standardError).toBeCloseTo(0.009487, 6);
  expect(computeAccuracy([1, 1, 1]).standardError).toBe(0);
  expect(() => computeAccuracy([])).toThrow("Asked for the accuracy of no answers; score at least one.");
});

test("a mean of scores comes with the sample deviation over the root of their number", () => {
  // NumPy: np.std([1, 0.5, 0, 0.5], ddof=1) / 2
  const { mean, standardError, n } = computeMeanScore([1, 0.5, 0, 0.5]);
  expect([mean, n]).toEqual([0.5, 4]);
  expect(standardError).toBeCloseTo(0.2041241452, 9);
  expect(computeMeanScore([0.3]).standardError).toBe(0);
  expect(() => computeMeanScore([])).toThrow("Asked for the mean score of no answers");
});

test("the majority class is counted on train and scored on test, where any right answer counts", () => {
  const task = taskWith(examples(1, 1, 0), examples(0, 0, 0, 1, [0, 1]));
  expect(scoreMajority(task)).toMatchObject({ label: 1, accuracy: 0.4, n: 5, rows: [0, 0, 0, 1, 1] });
  expect(scoreMajority(taskWith(examples(1, 0), examples(0)))).toMatchObject({ label: 0, accuracy: 1 });
});

test("there is no majority class where answers are generated, or each row has its own options", () => {
  const sentence = /^The majority class of SST-2 was asked for, but its rows have no classes in common/;
  const some = examples(0, 1);
  expect(() => scoreMajority(taskWith(some, some, { metric: "F1" }))).toThrow(sentence);
  expect(() => scoreMajority(taskWith(some, some, { classes: "none" }))).toThrow(sentence);
  const other = { autoregressive: { prompt: "x", options: [" a", " b", " c"] }, gold: [0] };
  expect(() => scoreMajority(taskWith(some, [other]))).toThrow(sentence);
});
