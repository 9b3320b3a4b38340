import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const { bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { bin: { mezo: string } };
const launcher = join(root, bin.mezo);

test("the command of the package can be run as it lies in a clone, before anything is built", () => {
  expect(readFileSync(launcher, "utf8")).toMatch(/^#!\/usr\/bin\/env -S node --max-semi-space-size=4\n/);
  expect(statSync(launcher).mode & 0o111).toBe(0o111);
  expect(launcher.startsWith(join(root, "dist"))).toBe(false);
});

test("an installed package, which has no sources, runs what it came with", () => {
  const installed = mkdtempSync(join(tmpdir(), "installed-"));
  for (const name of ["bin/mezo.js", "dist", "package.json"])
    cpSync(join(root, name), join(installed, name), { recursive: true });
  for (const name of ["node_modules", "data"]) symlinkSync(join(root, name), join(installed, name));
  const { status, stdout, stderr } = spawnSync(join(installed, bin.mezo), ["--version"], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
