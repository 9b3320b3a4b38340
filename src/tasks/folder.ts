import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { KitError } from "../error.ts";
import { isLabelled } from "./examples.ts";
import { extensions, readRows } from "./read.ts";
import type { Rows } from "./rows.ts";
import type { TaskDefinition } from "./task.ts";

/** The rows of a data folder that a task uses: those to draw training and dev examples from, those to draw test examples from. */
export interface FolderRows {
  readonly train: Rows;
  readonly test: Rows;
}

/**
 * Reads the files train.* and test.* in a folder. Where there is no test file, or it has no labels (as in
 * the public GLUE and SuperGLUE downloads), the validation file is the test set, as in the paper's experiments.
 */
export function readFolder(definition: TaskDefinition, folder: string): FolderRows {
  const [train] = existingFiles(folder, ["train"]);
  const candidates = existingFiles(folder, ["test", "dev", "val", "validation"]);
  if (train === undefined) throw missing(folder, "train.*");
  if (candidates[0] === undefined) throw missing(folder, "test.*, dev.*, val.* or validation.*");
  return { train: readRows(train), test: firstLabelled(definition, candidates) };
}

/** Without any labelled file the first one stays, so that its first bad row is what the error names. */
function firstLabelled(definition: TaskDefinition, files: readonly string[]): Rows {
  const [first, ...others] = files;
  const rows = readRows(first!);
  if (isLabelled(definition, rows)) return rows;
  return others.map(readRows).find((other) => isLabelled(definition, other)) ?? rows;
}

function existingFiles(folder: string, names: readonly string[]): string[] {
  const files = names.flatMap((name) => extensions.map((extension) => join(folder, name + extension)));
  return files.filter((file) => existsSync(file));
}

function missing(folder: string, wanted: string): KitError {
  const held = readdirSync(folder).sort().slice(0, 8).join(", ") || "nothing";
  return new KitError(
    `The data folder ${folder} has no file ${wanted} (${extensions.join(", ")}); it holds ${held}: add the file, or name a single file to have it split in three.`,
  );
}
