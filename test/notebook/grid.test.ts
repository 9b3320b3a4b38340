import { expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { makeRequest } from "../../src/measure/makeRequest.ts";
import { paperRates } from "../../src/measure/paper.ts";
import { planJobs } from "../../src/measure/plan.ts";
import { bestOf, checkGrid, choiceText, devScore, inGrid, jobsByMethod, rateText } from "../../src/notebook/measure.ts";
import type { Run } from "../../src/record/run.ts";
import { findTask } from "../../src/tasks/index.ts";
import { madeUpRun } from "../report/runs.ts";

/** A run of MeZO whose dev scores on the way are these. */
function withDev(...scores: readonly number[]): Run {
  const run = madeUpRun("MeZO", 0.5);
  const dev = scores.map((score, step) => ({ on: "dev" as const, step, score, standardError: 0.1, n: 500 }));
  return { ...run, scores: [...run.scores.filter(({ on }) => on === "test"), ...dev] };
}

test("a rate's dev score is the mean over its runs of the best of each", () => {
  expect(devScore([withDev(0.5, 0.9, 0.6), withDev(0.7)])).toBeCloseTo(0.8, 12);
  expect(() => devScore([withDev()])).toThrow(/MeZO was to be chosen by dev scores, but its run with seed 0 has none/);
});

test("the rate with the best dev score is chosen, and one line says so", () => {
  const tried = [
    { rate: 1e-3, runs: [withDev(0.6), withDev(0.5)] },
    { rate: 1e-4, runs: [withDev(0.5, 0.8), withDev(0.6)] },
    { rate: 1e-5, runs: [withDev(0.5), withDev(0.5)] },
  ];
  expect(bestOf(tried)).toBe(tried[1]);
  expect(choiceText(tried[1]!, tried)).toBe(
    "MeZO on SST-2: learning rate 1e-4 (best on dev: 1e-3 55.0 %, 1e-4 70.0 %, 1e-5 50.0 %)",
  );
});

test("ties go to the smaller rate, whatever the order of the rates and of the seeds' sum", () => {
  const [low, high] = [
    { rate: 1e-5, runs: [withDev(0.1), withDev(0.2), withDev(0.3)] },
    { rate: 1e-4, runs: [withDev(0.3), withDev(0.2), withDev(0.1)] },
  ];
  expect(bestOf([high, low])).toBe(low);
  expect(bestOf([low, high])).toBe(low);
});

test("each rate has a folder of its own below that of the runs", () => {
  const options = { methods: ["mezo", "ft"], seeds: [1, 2], out: "/runs", lr: { mezo: 1e-2, ft: 1e-3 } };
  const { jobs } = planJobs(makeRequest(options), [findTask("SST-2")], "autoregressive");
  const [mezo, ft] = jobsByMethod(jobs);
  expect([mezo, ft].map((some) => some?.map(({ method, seed }) => `${method} ${seed}`))).toEqual([
    ["MeZO 1", "MeZO 2"],
    ["FT 1", "FT 2"],
  ]);
  const [first] = inGrid(mezo!, 1e-6);
  expect(first?.file).toBe("/runs/grid/lr-1e-6/sst-2-opt-reviews-mezo-seed1.jsonl");
  expect(first?.request.lr).toEqual({ MeZO: 1e-6, FT: 1e-3 });
});

test("a rate at which training diverged is named and left out; where all are, a sentence says so", () => {
  const tried = [
    { rate: 1e-2, runs: [] },
    { rate: 1e-4, runs: [withDev(0.6)] },
  ];
  expect(bestOf(tried)).toBe(tried[1]);
  expect(choiceText(tried[1]!, tried)).toBe(
    "MeZO on SST-2: learning rate 1e-4 (best on dev: 1e-2 diverged, 1e-4 60.0 %)",
  );
  expect(() => bestOf([tried[0]!, { rate: 0.1, runs: [] }])).toThrow(
    "training diverged at each (1e-2, 1e-1): add smaller ones to the grid.",
  );
});

test("a grid names the methods of the paper's tables, and others are refused", () => {
  for (const family of ["OPT", "RoBERTa"] as const) expect(() => checkGrid(paperRates(family))).not.toThrow();
  for (const name of ["MeZo", "mezo-lora", "Zero-shot", ""])
    expect(() => checkGrid({ MeZO: [1e-6], [name]: [1e-6] })).toThrow(
      `The grid has learning rates for ${name}, but the methods that have one are FT, FT (SGD), FT (LoRA)`,
    );
});

test("rates are written as the paper prints them, and must be above 0", () => {
  expect([1e-6, 0.05, 1].map(rateText)).toEqual(["1e-6", "5e-2", "1e0"]);
  expect(() => checkGrid({ MeZO: [1e-6], FT: [1e-5, 0] })).toThrow(KitError);
  expect(() => checkGrid({ MeZO: [Number.NaN] })).toThrow(
    "The grid of MeZO was to have learning rates, but one is NaN",
  );
});
