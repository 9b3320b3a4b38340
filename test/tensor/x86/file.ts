import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** The folder of the library's C. */
export const folder: string = resolve(import.meta.dirname, "../../../src/tensor/x86");

/** The library's file, which a clone of the kit has as the package does. */
export const path: string = join(folder, "linux-x64.so");

/** Whether it is there: it is made by build.sh. */
export const isBuilt: boolean = existsSync(path);
if (!isBuilt) process.stderr.write("src/tensor/x86/linux-x64.so is not built: the library is not tested.\n");

/** SHA-256 of the C and of build.sh as they are now, in the order in which build.sh has them. */
export function sourceHash(): string {
  const names = readdirSync(folder).sort();
  const files = [...[".c", ".h"].flatMap((end) => names.filter((name) => name.endsWith(end))), "build.sh"];
  const hash = createHash("sha256");
  for (const name of files) hash.update(readFileSync(join(folder, name)));
  return hash.digest("hex");
}
