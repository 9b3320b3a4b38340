import { expect, test } from "vitest";
import { headline, summarize } from "../../src/report/summary.ts";
import { madeUpRun, oneSeed, twoSeeds } from "./runs.ts";

test("one run keeps its last test score and its binomial error", () => {
  const summary = summarize(oneSeed).find(({ method }) => method === "MeZO")!;
  expect(summary).toMatchObject({ accuracy: 0.9, seeds: [0], n: [1000, 1000], steps: 1500, seconds: 121.44 });
  expect(summary.standardError).toBeCloseTo(0.009487, 6);
  expect(summary.peakBytes).toBe(431 * 1024 * 1024);
});

test("several seeds give their mean and the standard error of that mean", () => {
  const [summary] = summarize(twoSeeds);
  expect(summary!.accuracy).toBeCloseTo(0.85, 12);
  // Deviations of ±0.05: variance 0.005 with n − 1, over two runs 0.0025, its root 0.05.
  expect(summary!.standardError).toBeCloseTo(0.05, 12);
  expect(summary).toMatchObject({ seconds: 15, peakBytes: 410 * 1024 * 1024, seeds: [0, 1] });
});

test("methods come in the order of the paper's table", () => {
  expect(summarize(oneSeed).map(({ method }) => method)).toEqual(["Majority", "Zero-shot", "ICL", "MeZO"]);
});

test("runs that do not belong in one report are refused", () => {
  const run = madeUpRun("MeZO", 0.9);
  expect(() => summarize([])).toThrow("A report covers one task and one model, but these runs are of none.");
  expect(() => summarize([run, { ...run, header: { ...run.header, task: "RTE" } }])).toThrow(
    "A report covers one task and one model, but these runs are of SST-2 with tiny, RTE with tiny.",
  );
  expect(() => summarize([{ ...run, scores: run.scores.slice(2) }])).toThrow(
    "The run of MeZO with seed 0 has no test score; run it to its end.",
  );
});

test("the majority class, which uses no model, stands beside any", () => {
  const majority = { ...oneSeed[0]!, header: { ...oneSeed[0]!.header, method: "Majority" as const, model: "none" } };
  const others = oneSeed.filter(({ header }) => header.method !== "Majority");
  expect(summarize([majority, ...others]).map(({ method }) => method)).toEqual([
    "Majority",
    "Zero-shot",
    "ICL",
    "MeZO",
  ]);
  expect(headline([majority, ...others]).model).toBe(others[0]!.header.model);
});
