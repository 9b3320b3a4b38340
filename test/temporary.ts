import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Gives the tests a temporary folder of their own, which is gone when they are done. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "mezo-kit-test-"));
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
