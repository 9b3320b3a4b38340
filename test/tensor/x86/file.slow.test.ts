import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readElf } from "./elf.ts";
import { folder, isBuilt, path } from "./file.ts";

/** The compiler that made the file, as it writes its name there: "(Debian 12.2.0-14+deb12u1) 12.2.0". */
const maker = isBuilt ? readElf(readFileSync(path)).sections.get(".comment")!.bytes.toString("latin1") : "";
const [first] = (spawnSync("gcc", ["--version"], { encoding: "utf8" }).stdout ?? "").split("\n");
const isMaker = isBuilt && maker === `GCC: ${first!.replace(/^\S+ /, "")}\0`;
if (isBuilt && !isMaker)
  process.stderr.write(`The library is not made again: that takes ${maker.slice(0, -1)}, here is "${first}".\n`);

test.skipIf(!isMaker)("build.sh makes the very same file from a copy of the C elsewhere", () => {
  const copy = join(mkdtempSync(join(tmpdir(), "x86-")), "another", "place");
  mkdirSync(copy, { recursive: true });
  for (const name of readdirSync(folder).filter((name) => /\.(c|h|sh)$/.test(name)))
    copyFileSync(join(folder, name), join(copy, name));
  const { status, stderr } = spawnSync("sh", ["build.sh", "made.so"], { cwd: copy, encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(readFileSync(join(copy, "made.so")).equals(readFileSync(path))).toBe(true);
});
