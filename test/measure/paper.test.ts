import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { maskedPaperColumn, paperColumn, paperFor } from "../../src/measure/paper.ts";
import type { Run } from "../../src/record/run.ts";
import { madeUpRun } from "../report/runs.ts";
import { needs, shared } from "../shared.ts";

test("the paper's SST-2 column is Table 1's", () => {
  const { model, table, scores } = paperColumn("SST-2");
  expect([model, table]).toEqual(["OPT-13B", "Table 1"]);
  expect(scores).toMatchObject({ "Zero-shot": 58.8, ICL: 87, MeZO: 91.4, FT: 92 });
});

test("a task that the paper does not have has no scores", () => {
  expect(paperColumn("my own").scores).toEqual({});
});

test("runs of a masked model stand beside Table 18, those with about 512 examples a class beside its lower half", () => {
  const masked = (train: number): Run => {
    const run = madeUpRun("MeZO", 0.9);
    return { ...run, header: { ...run.header, prompts: "masked", split: { ...run.header.split, train } } };
  };
  const floor = madeUpRun("Majority", 0.5);
  const few = paperFor([floor, masked(32)]);
  expect([few.model, few.table]).toEqual(["RoBERTa-large", "Table 18, k = 16"]);
  expect(few.scores).toMatchObject({ "Zero-shot": 79, LP: 76, MeZO: 90.5, "FT (prefix)": 91.9 });
  const many = paperFor([masked(1024)]);
  expect([many.table, many.scores.MeZO]).toEqual(["Table 18, k = 512", 93.3]);
  expect(maskedPaperColumn("TREC", 16).scores.MeZO).toBe(76.9);
  expect(paperFor([floor, madeUpRun("MeZO", 0.9)])).toEqual(paperColumn("SST-2"));
});

const reference = shared("reference/paper/table1.json");

test.skipIf(reference === undefined)(
  `all 77 cells of Table 1 are right: ${needs("reference/paper/table1.json")}`,
  () => {
    const { rows } = JSON.parse(readFileSync(reference!, "utf8")) as {
      rows: readonly { method: string; task: string; value: number }[];
    };
    expect(rows).toHaveLength(77);
    for (const { method, task, value } of rows)
      expect(paperColumn(task).scores[method.replace(" (Adam)", "")]).toBe(value);
  },
);

const table18 = shared("reference/paper/table18.json");

test.skipIf(table18 === undefined)(`all cells of Table 18 are right: ${needs("reference/paper/table18.json")}`, () => {
  const { rows } = JSON.parse(readFileSync(table18!, "utf8")) as {
    rows: readonly { method: string; task: string; value: number; k_per_class: 16 | 512 | null }[];
  };
  expect(rows).toHaveLength(102);
  for (const { method, task, value, k_per_class: k } of rows)
    expect(maskedPaperColumn(task, k ?? 16).scores[method.replace(" (Adam)", "")]).toBe(value);
});
