import { readFileSync } from "node:fs";
import type { Run } from "../record/run.ts";

/** The contents of data/paper/<name>.json, which must have the form T. */
export function paperData<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../data/paper/${name}.json`, import.meta.url), "utf8")) as T;
}

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

/** The families of models that the paper has grids for. */
export type PaperFamily = "OPT" | "RoBERTa";

/** What the paper tried for one method; each list holds all values of one setting. */
export interface MethodGrid {
  /** Learning rates. */
  readonly lr: readonly number[];
  /** Sizes of MeZO's perturbation; absent for fine-tuning. */
  readonly eps?: readonly number[];
  /** Examples a step. */
  readonly batchSize: readonly number[];
  /** Absent where the paper prints none. */
  readonly weightDecay?: readonly number[];
  /** Absent where the paper prints none. For OPT's FT those of its epochs over 1,000 examples. */
  readonly steps?: number;
  /** Of the learning rate over the steps. */
  readonly schedule: "constant" | "linear";
}

/** The paper's grid by method, as the tables print them: "FT (LoRA)", "MeZO". */
export type PaperGrid = Readonly<Record<string, MethodGrid>>;

/** A method's grid as the files have it; batch sizes may differ with the examples a class. */
interface StoredGrid extends Omit<MethodGrid, "batchSize"> {
  readonly batchSize?: readonly number[];
  readonly batchSizeByK?: Readonly<Record<"16" | "512", readonly number[]>>;
  readonly epochs?: number;
}

/** The form of data/paper/table7.json, table15.json and table16.json. */
interface GridTable {
  readonly methods: Readonly<Record<string, StoredGrid>>;
  /** Training examples of an epoch. */
  readonly train?: number;
  /** Learning rates that are a task's own. */
  readonly lrByTask?: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
}

/**
 * The paper's grid: for OPT Table 16, where SQuAD and DROP have learning rates of their own; for RoBERTa Table 15, with MeZO-Adam's of
 * Table 7 and the batch sizes of FT for `k` examples a class.
 */
export function paperGrid(family: PaperFamily, task?: string, k: 16 | 512 = 16): PaperGrid {
  if (family === "OPT") return gridOf(paperData("table16"), task, k);
  return { ...gridOf(paperData("table15"), task, k), ...gridOf(paperData("table7"), task, k) };
}

/** The paper's learning rates by method, as `measure` takes them for its `grid`; those of `paperGrid`. */
export function paperRates(family: PaperFamily, task?: string): Readonly<Record<string, readonly number[]>> {
  return Object.fromEntries(Object.entries(paperGrid(family, task)).map(([method, { lr }]) => [method, lr]));
}

function gridOf({ methods, train, lrByTask = {} }: GridTable, task = "", k: 16 | 512): PaperGrid {
  const own = Object.entries(lrByTask).find(([name]) => name.toLowerCase() === task.toLowerCase())?.[1];
  const grids = Object.entries(methods).map(([method, grid]) => {
    const lr = own?.[method] ?? grid.lr;
    return [method, { ...methodGrid(grid, k, train), lr }] as const;
  });
  return Object.fromEntries(grids);
}

function methodGrid({ batchSize, batchSizeByK, epochs, ...grid }: StoredGrid, k: 16 | 512, train = 0): MethodGrid {
  const sizes = batchSize ?? batchSizeByK![`${k}`];
  return { ...grid, batchSize: sizes, ...(epochs && { steps: (epochs * train) / sizes[0]! }) };
}
