import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";

/**
 * Sets an environment variable where C libraries read it: in the process itself, since a Worker's `process.env` is a copy that no library
 * sees.
 */
export function setEnvironment(name: string, value: string): void {
  process.env[name] = value;
  if (process.platform === "win32")
    koffi.load("kernel32.dll").func("bool SetEnvironmentVariableA(const char *, const char *)")(name, value);
  else koffi.load(null).func("int setenv(const char *, const char *, int)")(name, value, 1);
}

const STDERR = 2;

/** Runs `work` and gives what was written to stderr meanwhile, by C libraries too; it is shown nowhere. On Windows it is shown. */
export function captureStderr(work: () => void): string {
  if (process.platform === "win32") {
    work();
    return "";
  }
  const libc = koffi.load(null);
  const duplicate = libc.func("int dup(int)");
  const replace = libc.func("int dup2(int, int)");
  const file = openUnnamed();
  const kept = duplicate(STDERR);
  replace(file, STDERR);
  try {
    work();
    return readAll(file);
  } finally {
    replace(kept, STDERR);
    closeSync(kept);
    closeSync(file);
  }
}

/** A new file that is gone when it is closed. */
function openUnnamed(): number {
  const folder = mkdtempSync(join(tmpdir(), "mezo-kit-stderr-"));
  const file = openSync(join(folder, "text"), "w+");
  rmSync(folder, { recursive: true });
  return file;
}

function readAll(file: number): string {
  const bytes = Buffer.alloc(fstatSync(file).size);
  readSync(file, bytes, 0, bytes.length, 0);
  return bytes.toString();
}
