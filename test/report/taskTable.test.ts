import { expect, test } from "vitest";
import type { Run } from "../../src/record/run.ts";
import { taskTable } from "../../src/report/runTables.ts";
import { madeUpRun } from "./runs.ts";

const onTask = (task: string, run: Run, data = run.header.data): Run => ({
  ...run,
  header: { ...run.header, task, data },
});

const SAMPLES = { files: ["samples/rte.jsonl"], sha256: "1" };

test("runs of several tasks stand as a row a method and a column a task, with the paper's numbers below, each task's metric and rows above", () => {
  const squad = onTask("SQuAD", madeUpRun("MeZO", 0.8));
  const split = { train: 900, dev: 50, test: 100 };
  const runs = [
    onTask("SST-2", madeUpRun("MeZO", 0.9)),
    { ...squad, header: { ...squad.header, metric: "F1", split } } as Run,
    onTask("RTE", madeUpRun("MeZO", 0.55), SAMPLES),
    onTask("RTE", madeUpRun("Majority", 0.5), SAMPLES),
  ];
  const text = taskTable(runs);
  const rows = text.split("\n").map((line) => line.split("│").map((cell) => cell.trim()));
  expect(rows.find((row) => row[1] === "method")).toEqual(["", "method", "SST-2", "SQuAD", "RTE", ""]);
  expect(rows.find((row) => row[1] === "metric")).toEqual(["", "metric", "accuracy", "F1", "accuracy", ""]);
  expect(rows.find((row) => row[1] === "rows")).toEqual([
    "",
    "rows",
    "1000/500/1000",
    "900/50/100",
    "1000/500/1000",
    "",
  ]);
  expect(rows.find((row) => row[1] === "MeZO")).toEqual(["", "MeZO", "90.0 ± 0.9", "80.0 ± 1.3", "55.0 ± 1.6", ""]);
  expect(rows.find((row) => row[1] === "Majority")).toEqual(["", "Majority", "–", "–", "50.0 ± 1.6", ""]);
  expect(rows[rows.findIndex((row) => row[1] === "MeZO") + 1]).toEqual(["", "", "(91.4)", "(84.7)", "(66.1)", ""]);
  expect(text).toMatch(/samples, which are not the data set/);
});
