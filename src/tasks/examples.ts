import { KitError } from "../error.ts";
import { checkExample } from "./checkDefinition.ts";
import type { Fields, LocatedRow, Rows } from "./read/rows.ts";
import type { Example, TaskDefinition } from "./task.ts";

/** The task's examples of every row; throws one sentence with file and line for the first row that gives none. */
export function examplesOf(definition: TaskDefinition, { rows }: Rows): Example[] {
  return rows.flatMap((row) => examplesIn(definition, row));
}

/** Whether any row has a right answer; public test sets leave the label out or write −1. */
export function isLabelled(definition: TaskDefinition, { rows }: Rows): boolean {
  return rows.some((row) => {
    try {
      return examplesIn(definition, row).length > 0;
    } catch (error) {
      if (error instanceof KitError) return false;
      throw error;
    }
  });
}

function examplesIn(definition: TaskDefinition, { where, fields }: LocatedRow): Example[] {
  try {
    const rows = definition.rowsOf?.(fields) ?? [fields];
    return rows.map((row) => checkExample(exampleOf(definition, row)));
  } catch (error) {
    if (!(error instanceof KitError)) throw error;
    throw new KitError(`${where}: ${error.message}`);
  }
}

function exampleOf({ autoregressive, masked, gold }: TaskDefinition, row: Fields): Example {
  return {
    ...(autoregressive && {
      autoregressive: { prompt: autoregressive.prompt(row), options: autoregressive.options(row) },
    }),
    ...(masked && { masked: { prompt: masked.prompt(row), options: masked.options(row) } }),
    gold: gold(row),
  };
}
