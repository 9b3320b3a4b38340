import { expect, test } from "vitest";
import { majority } from "../../src/tasks/majority.ts";
import { accuracyOf } from "../../src/tasks/score.ts";
import type { Example, Task } from "../../src/tasks/task.ts";

function examples(...golds: number[]): Example[] {
  return golds.map((gold, index) => ({ prompt: `${index} It was`, options: [" terrible", " great"], gold }));
}

function taskWith(train: Example[], test: Example[]): Task {
  return { name: "SST-2", data: "", train, dev: [], test };
}

test("accuracy comes with its binomial standard error", () => {
  const { accuracy, standardError, n } = accuracyOf(900, 1000);
  expect([accuracy, n]).toEqual([0.9, 1000]);
  expect(standardError).toBeCloseTo(0.009487, 6);
  expect(accuracyOf(7, 7).standardError).toBe(0);
});

test.each([
  [1, 0],
  [3, 2],
  [-1, 2],
])("%i right answers out of %i are refused", (right, n) => {
  expect(() => accuracyOf(right, n)).toThrow(`Asked for the accuracy of ${right} right answers out of ${n}`);
});

test("the majority class is counted on train and scored on test", () => {
  const task = taskWith(examples(1, 1, 0), examples(0, 0, 0, 1));
  expect(majority(task)).toMatchObject({ label: 1, accuracy: 0.25, n: 4 });
  expect(majority(taskWith(examples(1, 0), examples(0)))).toMatchObject({ label: 0, accuracy: 1 });
});
