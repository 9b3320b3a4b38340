import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** The folder that this file was compiled into. */
const DIST = resolve(import.meta.dirname, "..");

/**
 * Where this build stays as it is. A build of changed sources takes the place of dist/ while commands are at work, and what those start
 * later must be of the files that they began with: bin/build.js keeps each build in a folder of its own, and notes it in `.build`, which is
 * read when this process begins. The files of an installed package stay where they are.
 */
const FROZEN: string = frozenBuild() ?? DIST;

function frozenBuild(): string | undefined {
  const note = join(DIST, ".build");
  const folder = existsSync(note) && resolve(DIST, "..", `.dist-${readFileSync(note, "utf8")}`);
  return folder && existsSync(folder) ? folder : undefined;
}

/** The path of a program of this very build, by its path below dist/. */
export function ownProgram(path: string): string {
  return join(FROZEN, path);
}
