import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { expect, test } from "vitest";

const launcher = resolve(import.meta.dirname, "../../dist/cli/notebooks/jupyter.js");

/** A folder with a program that is called as Jupyter is and prints its arguments. */
function standIn(): string {
  const folder = mkdtempSync(join(tmpdir(), "stand-in-"));
  writeFileSync(join(folder, "jupyter-lab"), '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
  return folder;
}

test.skipIf(process.platform === "win32")("arguments go to Jupyter as they are, behind a -- or not", () => {
  const env = { ...process.env, PATH: `${standIn()}${delimiter}${process.env.PATH}` };
  const handedOn = (...args: string[]): string =>
    spawnSync(process.execPath, [launcher, ...args], { env, encoding: "utf8" }).stdout.trim();
  expect(handedOn("--no-browser")).toBe("--no-browser");
  expect(handedOn("--", "--no-browser")).toBe("--no-browser");
  expect(handedOn("--port", "8889", "notebooks/00-quickstart.ipynb", "-y")).toBe(
    "--port 8889 notebooks/00-quickstart.ipynb -y",
  );
});
