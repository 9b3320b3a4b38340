import { readFileSync } from "node:fs";
import type { Run } from "../experiment/run.ts";

/** What the paper reports for one task: scores in percent by method name, and where they stand. */
export interface PaperColumn {
  readonly model: string;
  readonly table: string;
  readonly task: string;
  readonly scores: Readonly<Record<string, number>>;
}

/** The form of data/paper/table1.json: one list of scores a method, in the order of the tasks. */
interface PaperTable {
  readonly model: string;
  readonly tasks: readonly string[];
  readonly scores: Readonly<Record<string, readonly number[]>>;
}

const table1 = new URL("../../data/paper/table1.json", import.meta.url);

/** The paper's column of a task for OPT-13B (Table 1), without any score for a task that the paper does not have. */
export function paperColumn(task: string): PaperColumn {
  const { model, tasks, scores } = JSON.parse(readFileSync(table1, "utf8")) as PaperTable;
  const column = tasks.indexOf(task);
  const found = Object.entries(scores).flatMap(([method, row]) =>
    column < 0 ? [] : [[method, row[column]!] as const],
  );
  return { model, table: "Table 1", task, scores: Object.fromEntries(found) };
}

/** The paper's column of the task that the runs are of. */
export function paperFor(runs: readonly Run[]): PaperColumn {
  return paperColumn(runs[0]?.header.task ?? "");
}
