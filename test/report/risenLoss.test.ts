import { describe, expect, test } from "vitest";
import type { Run, Score } from "../../src/record/run.ts";
import { cut } from "../../src/record/steps.ts";
import { plotAccuracyMemory } from "../../src/report/plot.ts";
import { markdownTable, table, taskTable } from "../../src/report/runTables.ts";
import { madeUpRun } from "./runs.ts";

const WARNING = /The dev loss rose in training and never fell below its start: (.*)\. A smaller learning rate may help/;

/** A made-up run of MeZO whose steps asked for these losses, both sides of each, and whose dev part had these, every tenth step. */
function trainedRun(steps: readonly number[], dev: readonly number[], change: Partial<Run["header"]> = {}): Run {
  const run = madeUpRun("MeZO", 0.6, { steps: steps.length });
  const look = (loss: number, i: number): Score => ({
    on: "dev",
    step: 10 * (i + 1),
    score: 0.5,
    standardError: 0.02,
    n: 500,
    loss,
  });
  return {
    ...run,
    header: {
      ...run.header,
      tuner: { name: "MeZO", options: {} },
      passes: "pair",
      settings: { batchSize: 16 },
      ...change,
    },
    steps: steps.map((loss, step) => ({ step, losses: [loss - 0.01, loss + 0.01], projectedGrad: 1 })),
    scores: [...dev.map(look), ...run.scores.filter(({ on }) => on === "test")],
  };
}

const atStart = (run: Run, loss: number): Run => ({
  ...run,
  scores: [{ on: "dev", step: 0, score: 0.5, standardError: 0.02, n: 500, loss }, ...run.scores],
});

const warning = (...runs: Run[]): string | undefined => WARNING.exec(table(runs))?.[1];

describe("a run whose dev loss rose", () => {
  const diverged = trainedRun([0.7, 20, 8e5], [8e14, 9.5e14]);

  test("beyond all chance of its first batch is named under its table, with both losses", () => {
    expect(warning(diverged)).toBe("MeZO (seed 0: from 0.7 in the first batch to 8.0e14 at best)");
    expect(markdownTable([diverged])).toMatch(WARNING);
  });

  test("is named in the caption of its picture, which is that much taller, and nowhere else", () => {
    const well = plotAccuracyMemory([trainedRun([0.7, 0.6], [0.6])]);
    const ill = plotAccuracyMemory([diverged]);
    const noteOf = ({ layout }: typeof well): boolean =>
      JSON.stringify(layout.annotations).includes("The dev loss rose");
    expect([noteOf(well), noteOf(ill)]).toEqual([false, true]);
    expect(ill.layout.height - well.layout.height).toBeGreaterThan(0);
  });

  test("is named where it rose beyond twice the loss of its first batch, or of a lucky one beyond two nats", () => {
    expect(warning(trainedRun([2], [4.01]))).toBeDefined();
    expect(warning(trainedRun([2], [3.99]))).toBeUndefined();
    expect(warning(trainedRun([0.2], [2.01]))).toBeDefined();
    expect(warning(trainedRun([0.2], [1.99]))).toBeUndefined();
  });

  test("is named by its task in a table of several", () => {
    const other = trainedRun([0.7, 0.6], [0.6], { task: "RTE" });
    expect(WARNING.exec(taskTable([diverged, other]))?.[1]).toMatch(/^MeZO on SST-2 \(seed 0/);
  });

  test("is told from its other seeds", () => {
    expect(
      warning(trainedRun([0.7], [0.6], { seed: 1 }), { ...diverged, header: { ...diverged.header, seed: 2 } }),
    ).toMatch(/^MeZO \(seed 2: from/);
  });

  test("is named for as little as it rose where the dev part was scored before training", () => {
    expect(warning(atStart(trainedRun([0.2], [0.741, 0.735]), 0.692))).toBe(
      "MeZO (seed 0: from 0.692 to 0.735 at best)",
    );
  });
});

describe("no run is named", () => {
  test.each<[string, Run]>([
    ["whose dev loss fell below its start, if only once", atStart(trainedRun([0.7], [0.69, 5]), 0.7)],
    ["whose dev loss stayed what it was", atStart(trainedRun([0.7], [0.7]), 0.7)],
    ["whose first batch was a lucky one", trainedRun([0.17, 0.6, 0.5], [0.57, 0.55])],
    ["of long texts, whose batches are far apart", trainedRun([6, 9, 8], [8.34])],
    [
      "whose steps' numbers are no losses",
      trainedRun([-0.5, -0.4], [3], { settings: { batchSize: 16, maximize: "accuracy" } }),
    ],
    ["that has no steps", madeUpRun("ICL", 0.5)],
    ["that was not scored on dev", trainedRun([0.7], [])],
  ])("%s", (_what, run) => {
    expect(table([run])).not.toMatch(WARNING);
  });
});

test("the losses of forward mode have derivatives beside them, which are no losses", () => {
  const run = trainedRun([], [3], { tuner: { name: "forward-gradient", options: {} } });
  const steps = [{ step: 0, losses: [0.7, 400], projectedGrad: 400 }];
  expect(warning({ ...run, steps })).toMatch(/from 0\.7 in the first batch to 3 at best/);
});

test("a fork starts where it left the other run", () => {
  const first = trainedRun(Array(20).fill(0.7), [0.5, 0.4]);
  const steps = [{ step: 10, losses: [0.5, 0.5], projectedGrad: 1 }];
  const fork = { ...trainedRun([], []), steps, before: cut(first, 10) };
  const look: Score = { on: "dev", step: 20, score: 0.5, standardError: 0.02, n: 500, loss: 4 };
  expect(warning({ ...fork, scores: [look, ...fork.scores] })).toMatch(/from 0\.5 in the first batch to 4 at best/);
});
