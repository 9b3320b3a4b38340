import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { paperData, paperGrid } from "../../src/measure/paper.ts";
import { needs, shared } from "../shared.ts";

type Row = Readonly<Record<string, unknown>>;

/** The rows of a table in the shared transcription of the paper. */
const sharedRows = (name: string): readonly Row[] =>
  (JSON.parse(readFileSync(shared(`reference/paper/${name}.json`)!, "utf8")) as { rows: readonly Row[] }).rows;

const isThere = shared("reference/paper") !== undefined;

const ROWS = Object.entries({
  ...{ table5: 6, table6: 15, table8: 12, table9: 9, table10: 6 },
  ...{ table11: 18, table17: 12, table19: 16, table21: 15 },
});

test.each(ROWS)("%s has %i rows, each with a method, a task, percent and their standard deviation", (name, count) => {
  const { source, unit, rows } = paperData<{ source: string; unit: string; rows: readonly Row[] }>(name);
  expect([source.split(" of ")[0], unit]).toEqual([name.replace("table", "Table "), "percent"]);
  expect(rows).toHaveLength(count);
  for (const row of rows) {
    expect(row).toMatchObject({ method: expect.any(String), task: expect.any(String), percent: expect.any(Number) });
    expect(row.std === null).toBe(row.method === "Zero-shot");
    expect(Object.keys(row)).toEqual(Object.keys(rows[0]!));
  }
  expect(new Set(rows.map(({ percent: _, std: __, ...cell }) => JSON.stringify(cell))).size).toBe(count);
});

test.each([
  ["table5", { prompt: false, task: "SNLI" }, 34.8, 2.1],
  ["table6", { n: 16, samples: "linear", task: "TREC" }, 64.2, 5.3],
  ["table8", { normBy: "forward passes", again: true, task: "SST-2" }, 79, 10.3],
  ["table9", { again: false, task: "TREC" }, 64.8, 5.6],
  ["table10", { method: "MeZO-expectation-modified", task: "TREC" }, 44, 14],
  ["table11", { method: "MeZO-one-point", steps: 40_000, task: "MNLI" }, 61, 1],
  ["table17", { init: "activations", task: "SNLI" }, 77.2, 1.3],
  ["table19", { method: "LP-MeZO", task: "TREC" }, 54, 4.5],
  ["table21", { method: "BBTv2", task: "RTE" }, 56.7, 3.3],
])("%s has at %o the score of %d ± %d", (name, cell, percent, std) => {
  expect(paperData<{ rows: readonly Row[] }>(name).rows).toContainEqual(
    expect.objectContaining({ ...cell, percent, std }),
  );
});

test("Table 20 has four methods on six tasks for each model, and no score for MeZO with OPT-66B on SQuAD", () => {
  type Scores = Record<string, (number | null)[]>;
  const { tasks, metrics, models } = paperData<{
    tasks: string[];
    metrics: string[];
    models: Record<string, { scores: Scores }>;
  }>("table20");
  expect([tasks.length, metrics.length, Object.keys(models)]).toEqual([6, 6, ["OPT-30B", "OPT-66B"]]);
  for (const { scores } of Object.values(models)) {
    expect(Object.keys(scores)).toEqual(["Zero-shot", "ICL", "MeZO", "MeZO (prefix)"]);
    for (const row of Object.values(scores)) expect(row).toHaveLength(6);
  }
  expect(models["OPT-66B"]?.scores.MeZO).toEqual([91.2, 65.7, 72.7, 63.5, 58.9, null]);
  expect(models["OPT-30B"]?.scores["MeZO (prefix)"]?.[1]).toBe(72.6);
});

test.skipIf(!isThere).each(ROWS.map(([name]) => name))(
  `all cells of %s are right, in order: ${needs("reference/paper")}`,
  (name) => {
    const own = paperData<{ rows: readonly Row[] }>(name).rows;
    expect(own.map(({ task, percent, std }) => [task, percent, std])).toEqual(
      sharedRows(name).map(({ task, value, std }) => [task, value, std]),
    );
  },
);

test.skipIf(!isThere)(`all cells of Table 20 are right: ${needs("reference/paper")}`, () => {
  const { tasks, models } = paperData<{
    tasks: string[];
    models: Record<string, { scores: Record<string, (number | null)[]> }>;
  }>("table20");
  for (const { table, model, method, task, value } of sharedRows("table2"))
    if (table === "Table 20")
      expect(models[model as string]!.scores[method as string]![tasks.indexOf(task as string)]).toBe(value);
});

const SETTINGS = {
  "learning rate": "lr",
  epsilon: "eps",
  "batch size": "batchSize",
  "weight decay": "weightDecay",
} as const;

test.skipIf(!isThere).each(["table7", "table15", "table16"])(
  `the grids of %s are right: ${needs("reference/paper")}`,
  (name) => {
    for (const { experiment, hyperparameter, values, condition } of sharedRows(name)) {
      const setting = SETTINGS[hyperparameter as keyof typeof SETTINGS];
      if (!setting || values === null) continue;
      const task = condition === "SQuAD and DROP" ? "DROP" : undefined;
      const grid = paperGrid(name === "table16" ? "OPT" : "RoBERTa", task, condition === "k = 512" ? 512 : 16);
      const method = String(experiment).replace(" with Adam", "").replace("with SGD", "(SGD)");
      expect(grid[method]?.[setting]).toEqual(values);
    }
  },
);
