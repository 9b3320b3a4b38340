import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { folder } from "./file.ts";

/** Compiles and links a C file beside this one with the library's threads; what went wrong, or the program. */
function compile(...options: readonly string[]): { readonly program?: string; readonly stderr: string } {
  const at = mkdtempSync(join(tmpdir(), "threads-"));
  const common = ["-O2", "-g", "-pthread", ...options];
  const library = ["-include", join(import.meta.dirname, "hesitate.h"), join(folder, "threads.c")];
  const steps = [
    [...common, "-c", ...library, "-o", join(at, "library.o")],
    [...common, join(import.meta.dirname, "threads.c"), join(at, "library.o"), "-o", join(at, "program")],
  ];
  const errors = steps.map((step) => spawnSync("gcc", step, { encoding: "utf8" }).stderr ?? "no gcc");
  const stderr = errors.join("");
  return { ...(stderr === "" && { program: join(at, "program") }), stderr };
}

const isHere = process.platform === "linux" && process.arch === "x64" && compile().program !== undefined;
if (!isHere) process.stderr.write("No gcc for Linux on x86-64: the library's threads are not put to the test.\n");

test.skipIf(!isHere).each([
  ["", []],
  [", as ThreadSanitizer sees it too", ["-fsanitize=thread"]],
  [", as AddressSanitizer and UndefinedBehaviorSanitizer see it too", ["-fsanitize=address,undefined"]],
])("callers that come at once share the threads, and each part of a job is done once%s", (_, options) => {
  const { program, stderr } = compile(...options);
  expect(stderr).toBe("");
  const run = spawnSync(program!, ["3000"], { encoding: "utf8", timeout: 300_000 });
  expect({ status: run.status, stdout: run.stdout, stderr: run.stderr }).toEqual({
    status: 0,
    stdout: "all parts were done once\n",
    stderr: "",
  });
});
