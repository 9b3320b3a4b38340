import type { Fields, Rows } from "./rows.ts";

/** One scored example: the text before the answer, the candidate answers with their leading space, and the index of the right one. */
export interface Example {
  readonly prompt: string;
  readonly options: readonly string[];
  readonly gold: number;
}

/**
 * A task is data: how a row becomes a prompt, its candidate answers and the right one (paper, Table 14). The three
 * functions throw a KitError whose message continues "train.tsv line 7: …".
 */
export interface TaskDefinition<Row = Fields> {
  readonly name: string;
  prompt(row: Row): string;
  options(row: Row): readonly string[];
  gold(row: Row): number;
  /** Rows that need no network and no folder, where the task has such. */
  defaultRows?(): Rows;
}

/** A task with its data drawn: what `loadTask` returns. The lengths of the three parts are the real counts. */
export interface Task {
  readonly name: string;
  /** Where the rows came from, for the run header. */
  readonly data: string;
  readonly train: readonly Example[];
  readonly dev: readonly Example[];
  readonly test: readonly Example[];
}
