import { execFile } from "node:child_process";
import { join, resolve } from "node:path";

export const root: string = resolve(import.meta.dirname, "../..");

/** What a finished command has left. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `npm run notebooks` as it was built, in the project's folder. */
export function npmRunNotebooks(...args: string[]): Promise<Ended> {
  return new Promise((done) =>
    execFile(process.execPath, [join(root, "dist/cli/notebooks/main.js"), ...args], { cwd: root }, (error, out, err) =>
      done({ code: error ? Number(error.code) : 0, out, err }),
    ),
  );
}
