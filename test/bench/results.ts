import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KitError } from "../../src/error.ts";

/** Writes results as JSON into a folder, made where there is none, and returns the file. Throws a KitError where that fails. */
export function writeResults(folder: string, name: string, results: object): string {
  const file = join(folder, name);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, `${JSON.stringify({ node: process.version, ...results }, null, 1)}\n`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(
      `${file}: the results were to be written there, but cannot be (${code}): name another --output.`,
    );
  }
  return file;
}
