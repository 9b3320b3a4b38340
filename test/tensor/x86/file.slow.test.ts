import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
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

const hasPairs = existsSync("/proc/cpuinfo") && readFileSync("/proc/cpuinfo", "utf8").includes("avx512_bf16");
if (!hasPairs) process.stderr.write("No AVX512_BF16 here: level amx, which has it beside its tiles, is not run.\n");

/** What build.sh makes of a copy of the C elsewhere: the file, and the levels it is put together from. */
function makeElsewhere(): { readonly file: Buffer; readonly objects: string } {
  const copy = join(mkdtempSync(join(tmpdir(), "x86-")), "another", "place");
  const objects = join(copy, "objects");
  mkdirSync(objects, { recursive: true });
  for (const name of readdirSync(folder).filter((name) => /\.(c|h|sh)$/.test(name)))
    copyFileSync(join(folder, name), join(copy, name));
  run("sh", ["build.sh", "made.so", objects], copy);
  return { file: readFileSync(join(copy, "made.so")), objects };
}

/** What a command prints that ends without a complaint. */
function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 300_000 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

const made = isMaker ? makeElsewhere() : undefined;

test.skipIf(!made)("build.sh makes the very same file from a copy of the C elsewhere", () => {
  expect(made!.file.equals(readFileSync(path))).toBe(true);
});

test.skipIf(!made || !hasPairs)(
  "level amx, its tiles' instructions emulated where need be, multiplies as amx-emulated does",
  () => {
    const { objects } = made!;
    const sources = [join(import.meta.dirname, "tiles.c"), "amx-level.o", "emulated-level.o", "threads.o"];
    run("gcc", ["-O2", "-pthread", ...sources, "-o", "tiles", "-lm"], objects);
    expect(run("./tiles", [], objects)).toMatch(/^compared(, tiles emulated)?\n$/);
  },
);
