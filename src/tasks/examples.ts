import { KitError } from "../error.ts";
import type { LocatedRow, Rows } from "./rows.ts";
import type { Example, TaskDefinition } from "./task.ts";

/** The task's example of every row; throws one sentence with file and line for the first row that gives none. */
export function examplesOf(definition: TaskDefinition, { rows }: Rows): Example[] {
  return rows.map((row) => exampleOf(definition, row));
}

/** Whether any row has a right answer; public test sets leave the label out or write −1. */
export function isLabelled(definition: TaskDefinition, { rows }: Rows): boolean {
  return rows.some(({ fields }) => {
    try {
      return definition.gold(fields) >= 0;
    } catch (error) {
      if (error instanceof KitError) return false;
      throw error;
    }
  });
}

function exampleOf(definition: TaskDefinition, { where, fields }: LocatedRow): Example {
  try {
    return { prompt: definition.prompt(fields), options: definition.options(fields), gold: definition.gold(fields) };
  } catch (error) {
    if (!(error instanceof KitError)) throw error;
    throw new KitError(`${where}: ${error.message}`);
  }
}
