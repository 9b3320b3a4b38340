import { expect, test } from "vitest";
import type { Run } from "../../src/experiment/run.ts";
import { taskTable } from "../../src/report/taskTable.ts";
import { madeUpRun } from "./runs.ts";

const onTask = (task: string, run: Run, data = run.header.data): Run => ({
  ...run,
  header: { ...run.header, task, data },
});

test("runs of several tasks stand as a row a method and a column a task, with the paper's numbers", () => {
  const runs = [
    onTask("SST-2", madeUpRun("MeZO", 0.9)),
    onTask("RTE", madeUpRun("MeZO", 0.55), "samples/rte.jsonl"),
    onTask("RTE", madeUpRun("Majority", 0.5), "samples/rte.jsonl"),
  ];
  const text = taskTable(runs);
  const rows = text.split("\n").map((line) => line.split("│").map((cell) => cell.trim()));
  expect(rows.find((row) => row[1] === "method")).toEqual(["", "method", "SST-2", "RTE", ""]);
  expect(rows.find((row) => row[1] === "MeZO")).toEqual(["", "MeZO", "90.0 ± 0.9", "55.0 ± 1.6", ""]);
  expect(rows.find((row) => row[1] === "Majority")).toEqual(["", "Majority", "–", "50.0 ± 1.6", ""]);
  expect(text).toContain("(91.4)");
  expect(text).toContain("(66.1)");
  expect(text).toMatch(/samples, which are not the data set/);
});
