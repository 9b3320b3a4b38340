import { expect, test } from "vitest";
import type { Run } from "../../src/record/run.ts";
import { groupRuns } from "../../src/report/summary.ts";
import { madeUpRun } from "./runs.ts";

const of = (run: Run, header: Partial<Run["header"]>): Run => ({ ...run, header: { ...run.header, ...header } });

test("runs go together by task, model and what its weights are kept in, each with its task's majority class once a seed", () => {
  const floor = of(madeUpRun("Majority", 0.5), { model: "none" });
  const opt = madeUpRun("MeZO", 0.9);
  const roberta = of(madeUpRun("MeZO", 0.8), { model: "roberta" });
  const rte = of(madeUpRun("MeZO", 0.7), { task: "RTE" });
  expect(groupRuns([floor, opt, of(floor, {}), roberta, rte])).toEqual([[floor, opt], [floor, roberta], [rte]]);
  const half = of(opt, { weights: { format: "float16", rounding: "stochastic" } });
  expect(groupRuns([floor, opt, half])).toEqual([
    [floor, opt],
    [floor, half],
  ]);
  const other = of(floor, { data: { files: ["rows.tsv"], sha256: "other" } });
  expect(groupRuns([floor, other, opt])).toEqual([[floor, opt]]);
  const smaller = of(floor, { split: { train: 16, dev: 500, test: 1000 } });
  expect(groupRuns([smaller, floor, opt])).toEqual([[floor, opt]]);
  expect(groupRuns([floor, other])).toEqual([[floor], [other]]);
  expect(groupRuns([])).toEqual([]);
});
