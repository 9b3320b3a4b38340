import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { KitError } from "../error.ts";
import { plain } from "./index.ts";
import { readRows } from "./read/readRows.ts";
import type { Rows } from "./read/rows.ts";
import type { TaskDefinition } from "./task.ts";

/**
 * The few rows in the task's own form that come with the kit, made up for it: they show that a task works, and no score on them means
 * anything. Throws a KitError where the kit has none for the task.
 */
export async function samplesOf({ name }: TaskDefinition): Promise<Rows> {
  const file = fileURLToPath(new URL(`../../data/samples/${plain(name)}.jsonl`, import.meta.url));
  if (!existsSync(file)) throw new KitError(`${name} has no rows of its own in the kit: name a data folder or file.`);
  return { ...(await readRows(file)), name: `samples of ${name}` };
}
