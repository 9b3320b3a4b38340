import { findClosest, KitError } from "../error.ts";
import { boolq } from "./definitions/boolq.ts";
import { copa } from "./definitions/copa.ts";
import { drop } from "./definitions/drop.ts";
import { cb, mnli, rte, snli } from "./definitions/inference.ts";
import { multirc } from "./definitions/multirc.ts";
import { record } from "./definitions/record.ts";
import { squad } from "./definitions/squad.ts";
import { sst2, sst5 } from "./definitions/sst.ts";
import { trec } from "./definitions/trec.ts";
import { wic } from "./definitions/wic.ts";
import { wsc } from "./definitions/wsc.ts";
import type { Task, TaskDefinition } from "./task.ts";
import { checkDefinition } from "./task.ts";

/** The tasks of the kit in the order of the paper's tables; a new one is a file of its own and a line here. */
export const tasks: readonly TaskDefinition[] = [
  sst2, // sentiment of a sentence
  rte, // does one text follow from another
  cb, // does a speaker hold something to be true
  boolq, // yes-or-no questions
  wsc, // what a pronoun refers to
  wic, // a word's meaning in two sentences
  multirc, // is an answer correct
  copa, // causes and effects
  record, // entities missing from a news text
  squad, // questions, answers written out
  drop, // questions that ask to count and compare
  sst5, // sentiment in five grades
  snli, // inference between descriptions of pictures
  mnli, // inference between sentences
  trec, // what a question asks for
];

/**
 * The task of that name (case and punctuation do not matter: "sst2" is SST-2), or a definition from outside the kit once it is checked.
 * Such a task needs no registration: a run's file holds its name, and replaying the run needs no task. The command line knows the tasks
 * above only; give a definition to `loadTask`. Throws a KitError with the known names and the closest, or with what is wrong with the
 * definition.
 */
export function findTask(task: string | TaskDefinition): TaskDefinition {
  if (typeof task !== "string") return checkDefinition(task);
  const found = tasks.find(({ name }) => slug(name) === slug(task));
  if (found) return found;
  const names = tasks.map(({ name }) => name);
  const guess = findClosest(task, names);
  const hint = guess === undefined ? "" : ` Did you mean ${guess}?`;
  throw new KitError(`There is no task "${task}": choose one of ${names.join(", ")}.${hint}`);
}

/**
 * The definition by which a task answers new rows: of a loaded task, of a task of the kit by its name, or the one that is given. Throws a
 * KitError where there is none, and where the classes are not known yet.
 */
export function definitionOf(task: string | TaskDefinition | Task): TaskDefinition {
  if (typeof task === "object" && "train" in task) {
    if (task.definition) return task.definition;
    throw new KitError(
      `New texts were to be put as ${task.name} does, but that task was put together without a definition: load it with loadTask.`,
    );
  }
  const definition = findTask(task);
  if (!definition.settle) return definition;
  throw new KitError(
    `The classes of ${definition.name} are decided by its data, which it has not seen: give the task as loadTask returns it, or name the classes.`,
  );
}

/** A task's name in lower-case letters and digits only, as file names have it. */
export function slug(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}
