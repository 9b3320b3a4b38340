import { KitError } from "../error.ts";
import { closest } from "./closest.ts";
import { sst2 } from "./sst2.ts";
import type { TaskDefinition } from "./task.ts";

/** All tasks of the kit; a new one is its own file and a line here. */
export const tasks: readonly TaskDefinition[] = [
  sst2, // sentiment of a sentence
];

/** The task of that name (case and punctuation do not matter: "sst2" is SST-2); throws with the known names and the closest. */
export function findTask(name: string): TaskDefinition {
  const found = tasks.find((task) => plain(task.name) === plain(name));
  if (found) return found;
  const names = tasks.map((task) => task.name);
  const guess = closest(name, names);
  const hint = guess === undefined ? "" : ` Did you mean ${guess}?`;
  throw new KitError(`There is no task "${name}": choose one of ${names.join(", ")}.${hint}`);
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}
