import { accessSync, constants, mkdirSync } from "node:fs";
import { KitError } from "../error.ts";
import { openModel } from "../models/load.ts";
import { loadTask } from "../tasks/load.ts";
import type { Progress } from "../tensor/progress.ts";
import type { CliOptions } from "./options.ts";
import { tunerOf } from "./tuner.ts";

/** Looks at all that a command needs before any of it is done, so that what cannot end well does not begin. Throws a KitError. */
export async function preflight(options: CliOptions, onProgress: Progress): Promise<void> {
  const { task, data, train, dev, test, methods, seeds, model } = options;
  if (methods.includes("MeZO")) tunerOf(options);
  for (const seed of seeds) loadTask(task, { data, train, dev, test, seed });
  await openModel(model, onProgress);
  for (const output of [options.out, options.figures]) checkWritable(output);
}

function checkWritable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(
      `${folder}: results were to be written there, but it cannot be written to (${code}); name other folders with --out and --figures.`,
    );
  }
}
