import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { KitError } from "../error.ts";

/** The first 16 hexadecimal digits of the SHA-256 of the files' contents, one after the other in the given order. */
export function hashFiles(paths: readonly string[]): string {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(4 << 20);
  for (const path of paths) {
    for (const length of readInto(path, chunk)) hash.update(chunk.subarray(0, length));
  }
  return hash.digest("hex").slice(0, 16);
}

function* readInto(path: string, chunk: Uint8Array): Generator<number> {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk)) yield length;
  } catch (error) {
    throw new KitError(`Hashing ${path}: ${(error as Error).message}; check the path and its permissions.`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
