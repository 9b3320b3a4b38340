import { existsSync } from "node:fs";
import { resolve } from "node:path";

const root = resolve(process.env.MEZO_SHARED ?? resolve(import.meta.dirname, "../../shared"));

/** Path of a file in the folder of shared test material ($MEZO_SHARED, or ../shared), or undefined where it is absent. */
export function shared(file: string): string | undefined {
  const path = resolve(root, file);
  return existsSync(path) ? path : undefined;
}

/** What a skipped test says: the file that it needs and where it was looked for. */
export function needs(file: string): string {
  return `needs ${file} (looked in ${root}; set MEZO_SHARED)`;
}
