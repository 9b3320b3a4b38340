import { expect, test } from "vitest";
import { deviation, meanScores, methodsAboveChance, standardError, testScores } from "../../src/notebook/scores.ts";
import { madeUpRun } from "../report/runs.ts";

const runs = [
  madeUpRun("MeZO", 0.8, { seed: 1 }),
  madeUpRun("MeZO", 0.9, { seed: 2 }),
  madeUpRun("Majority", 0.5),
  madeUpRun("Zero-shot", 0.52),
];

test("test scores are in percent, in the order of the runs", () => {
  expect(testScores(runs, "MeZO")).toEqual([80, 90]);
  expect(testScores(runs, "FT")).toEqual([]);
});

test("means come a row a method in the tables' order, with the standard error over runs, unknown for one", () => {
  expect(meanScores(runs)).toEqual([
    { method: "Majority", score: 50, error: Number.NaN, seeds: 1 },
    { method: "Zero-shot", score: 52, error: Number.NaN, seeds: 1 },
    // The deviation of 80 and 90 is √50, over √2.
    { method: "MeZO", score: 85, error: 5, seeds: 2 },
  ]);
  expect([deviation([80, 90]), standardError([80, 90])]).toEqual([Math.sqrt(50), 5]);
});

test("above chance is what lies two standard errors above the majority class; all where there is no such class", () => {
  expect(methodsAboveChance(runs)).toEqual(["MeZO"]);
  expect(methodsAboveChance([madeUpRun("Zero-shot", 0.1)])).toEqual(["Zero-shot"]);
});
