import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { KitError } from "../error.ts";

/**
 * Writes the files, none ever half-written: each first beside its place under a temporary name, renamed when all are
 * complete. Throws where a folder cannot be written.
 */
export async function writeTogether(files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
  try {
    for (const [path, content] of files) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(temporary(path), content);
    }
    for (const path of files.keys()) await rename(temporary(path), path);
  } catch (error) {
    // A folder that was never made needs no cleaning, so this must not hide the first error.
    await Promise.allSettled([...files.keys()].map((path) => rm(temporary(path), { force: true })));
    const { code } = error as NodeJS.ErrnoException;
    const paths = [...files.keys()].join(" and ");
    throw new KitError(`Cannot write ${paths} (${code}); choose a folder that can be written.`);
  }
}

function temporary(path: string): string {
  return `${path}.${process.pid}.tmp`;
}
