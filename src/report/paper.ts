import type { Run } from "../experiment/run.ts";
import { paperData } from "./paperData.ts";

/** What the paper reports for one task: scores in percent by method name, and where they stand. */
export interface PaperColumn {
  readonly model: string;
  readonly table: string;
  readonly task: string;
  /** How many runs a number stands for. */
  readonly runs: string;
  readonly scores: Readonly<Record<string, number>>;
}

/** One list of scores a method, in the order of the tasks. */
type Scores = Readonly<Record<string, readonly number[]>>;

/** The form of data/paper/table1.json. */
interface Table1 {
  readonly model: string;
  readonly tasks: readonly string[];
  readonly scores: Scores;
}

/** The form of data/paper/table18.json: scores for each number of training examples a class. */
interface Table18 {
  readonly model: string;
  readonly tasks: readonly string[];
  readonly zeroShot: readonly number[];
  readonly k: Readonly<Record<"16" | "512", { readonly scores: Scores }>>;
}

/** The paper's column of a task for OPT-13B (Table 1), without any score for a task that the paper does not have. */
export function paperColumn(task: string): PaperColumn {
  const { model, tasks, scores } = paperData<Table1>("table1");
  return { model, table: "Table 1", task, runs: "one run", scores: columnOf(scores, tasks, task) };
}

/** Where Table 1 has a task among its columns, from 0; after all of them where it has none. */
export function placeInPaper(task: string): number {
  const { tasks } = paperData<Table1>("table1");
  const place = tasks.findIndex((name) => name.toLowerCase() === task.toLowerCase());
  return place < 0 ? tasks.length : place;
}

/** The paper's column of a task for RoBERTa-large with k examples a class (Table 18). */
export function maskedPaperColumn(task: string, k: 16 | 512): PaperColumn {
  const { model, tasks, zeroShot, k: byK } = paperData<Table18>("table18");
  const scores = { "Zero-shot": zeroShot, ...byK[`${k}`].scores };
  return {
    model,
    table: `Table 18, k = ${k}`,
    task,
    runs: "means over five seeds",
    scores: columnOf(scores, tasks, task),
  };
}

/** The paper's column of the task that the runs are of; RoBERTa's with 512 examples a class where they had about as many, or with 16. */
export function paperFor(runs: readonly Run[]): PaperColumn {
  const {
    task = "",
    prompts,
    split,
  } = runs.find(({ header }) => header.prompts !== "none")?.header ?? runs[0]?.header ?? {};
  if (prompts !== "masked") return paperColumn(task);
  return maskedPaperColumn(task, (split?.train ?? 0) > 200 ? 512 : 16);
}

function columnOf(scores: Scores, tasks: readonly string[], task: string): Record<string, number> {
  const column = tasks.findIndex((name) => name.toLowerCase() === task.toLowerCase());
  return Object.fromEntries(
    Object.entries(scores).flatMap(([method, row]) => (column < 0 ? [] : [[method, row[column]!] as const])),
  );
}
