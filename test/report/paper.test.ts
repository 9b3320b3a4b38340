import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { paperColumn } from "../../src/report/paper.ts";
import { needs, shared } from "../shared.ts";

test("the paper's SST-2 column is Table 1's", () => {
  const { model, table, scores } = paperColumn("SST-2");
  expect([model, table]).toEqual(["OPT-13B", "Table 1"]);
  expect(scores).toMatchObject({ "Zero-shot": 58.8, ICL: 87, MeZO: 91.4, "FT (Adam)": 92 });
});

test("a task that the paper does not have has no scores", () => {
  expect(paperColumn("my own").scores).toEqual({});
});

const reference = shared("reference/paper/table1.json");

test.skipIf(reference === undefined)(
  `all 77 cells of Table 1 are right: ${needs("reference/paper/table1.json")}`,
  () => {
    const { rows } = JSON.parse(readFileSync(reference!, "utf8")) as {
      rows: readonly { method: string; task: string; value: number }[];
    };
    expect(rows).toHaveLength(77);
    for (const { method, task, value } of rows) expect(paperColumn(task).scores[method]).toBe(value);
  },
);
