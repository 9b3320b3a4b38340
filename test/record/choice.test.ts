import { expect, test } from "vitest";
import { tuneSettings } from "../../src/experiment/tuneOptions.ts";
import type { RunHeader, Score } from "../../src/record/run.ts";
import { bestStep } from "../../src/record/steps.ts";

const header = (settings: RunHeader["settings"]): RunHeader => ({ settings }) as RunHeader;
const dev = (step: number, score: number, loss: number): Score => ({
  ...{ on: "dev", step, score, standardError: 0, n: 4, loss },
});
const scores = [dev(1, 0.5, 0.9), dev(2, 0.75, 0.8), dev(3, 0.75, 0.7), dev(4, 0.5, 0.7), dev(5, 0.25, 0.95)];

test("the best step is that of the lowest dev loss, the first of equal ones", () => {
  expect(bestStep({ header: header({}), steps: [], scores })).toBe(3);
});

test("a run that says so has its best step where the dev score is highest, the first of equal ones", () => {
  expect(bestStep({ header: header({ chooseBy: "score" }), steps: [], scores })).toBe(2);
});

test("test scores do not count, and without a dev score there is no best step", () => {
  const test = { ...dev(5, 1, 0.1), on: "test" } as const;
  expect(bestStep({ header: header({}), steps: [], scores: [...scores, test] })).toBe(3);
  expect(() => bestStep({ header: header({}), steps: [], scores: [test] })).toThrow(/has no dev score/);
});

test("as the authors do, an autoregressive model is scored five times for the lowest loss, a masked one ten times for the highest score", () => {
  expect(tuneSettings({ steps: 100 }, "autoregressive")).toMatchObject({ evaluateEvery: 20, chooseBy: "loss" });
  expect(tuneSettings({ steps: 100 }, "masked")).toMatchObject({ evaluateEvery: 10, chooseBy: "score" });
  const asked = { steps: 100, evaluateEvery: 50, chooseBy: "loss" } as const;
  expect(tuneSettings(asked, "masked")).toMatchObject(asked);
  expect(() => tuneSettings({ steps: 1, chooseBy: "f1" as never }, "masked")).toThrow(/choose by "loss" or by "score"/);
});
