import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";

/** An empty folder. */
export const emptyFolder = (): string => mkdtempSync(join(tmpdir(), "empty-"));

/** Puts a shell script in front of all programs of a name until `vi.unstubAllEnvs`. */
export function standIn(program: string, script: string): void {
  const folder = emptyFolder();
  const file = join(folder, program);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
}
