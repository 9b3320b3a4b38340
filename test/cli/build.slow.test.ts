import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { readRun } from "../../src/record/read.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { folder } from "./mezo.ts";
import { childrenOf, until } from "./processes.ts";

/** Compiling is slow on a busy machine: this catches a hang. */
vi.setConfig({ testTimeout: 900_000 });

const root = resolve(import.meta.dirname, "../..");

/** A clone of the kit after `npm ci`: nothing is built yet. */
function clone(): string {
  const at = mkdtempSync(join(tmpdir(), "clone-"));
  for (const name of ["bin", "src", "package.json", "tsconfig.json", "tsconfig.build.json"])
    cpSync(join(root, name), join(at, name), { recursive: true });
  for (const name of ["node_modules", "data"]) symlinkSync(join(root, name), join(at, name));
  return at;
}

const build = (at: string): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, [join(at, "bin/build.js")], { encoding: "utf8" });

const over = (child: ChildProcess): Promise<number | null> => new Promise((done) => child.on("close", done));

const builds = (at: string): string[] => readdirSync(at).filter((name) => /^\.dist-/.test(name));

describe("a clone in which nothing is built", () => {
  test("runs its command, which builds first, and not again where nothing has changed", () => {
    const at = clone();
    const [first, second] = [1, 2].map(() => spawnSync(join(at, "bin/mezo.js"), ["--version"], { encoding: "utf8" }));
    expect(first!.stderr).toMatch(/^Building the kit/);
    expect(second!.stderr).toBe("");
    for (const { status, stdout } of [first!, second!]) {
      expect(status).toBe(0);
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    }
  });

  test("keeps the build that it has where the sources cannot be built, and says so", () => {
    const at = clone();
    build(at);
    const before = readFileSync(join(at, "dist/.build"), "utf8");
    appendFileSync(join(at, "src/error.ts"), "export const wrong: string = 1;\n");
    const { status, stderr } = spawnSync(join(at, "bin/mezo.js"), ["--version"], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toMatch(/error\.ts.*TS2322[\s\S]*The kit was not built/);
    expect(readFileSync(join(at, "dist/.build"), "utf8")).toBe(before);
    expect(builds(at)).toHaveLength(1);
  });
});

test("a build has the compiled kernels that src/ has, and where it has none computes without", () => {
  const at = clone();
  const [from, to] = ["src", "dist"].map((folder) => join(at, folder, "tensor/x86/linux-x64.so")) as [string, string];
  rmSync(from, { force: true });
  build(at);
  const { status, stdout } = spawnSync(join(at, "bin/mezo.js"), ["backends"], { encoding: "utf8" });
  expect({ status, hasKernels: existsSync(to) }).toEqual({ status: 0, hasKernels: false });
  expect(stdout).toMatch(/native\s+│ yes/);
  writeFileSync(from, "kernels");
  build(at);
  expect(readFileSync(to, "utf8")).toBe("kernels");
});

test("three builds at once leave one whole dist/ and nothing half-made", async () => {
  const at = clone();
  const commands = [1, 2, 3].map(() => spawn(process.execPath, [join(at, "bin/build.js")]));
  expect(await Promise.all(commands.map(over))).toEqual([0, 0, 0]);
  expect(builds(at)).toEqual([`.dist-${readFileSync(join(at, "dist/.build"), "utf8")}`]);
  expect(readdirSync(join(at, "dist"), { recursive: true }).toSorted()).toEqual(
    readdirSync(join(at, builds(at)[0]!), { recursive: true }).toSorted(),
  );
});

test("a command whose sources are changed and built again while it runs does all of its runs with those that it began with", async () => {
  const at = clone();
  expect(build(at).status).toBe(0);
  const cwd = folder();
  const data = ["--model", tinyModel(), "--data", tinyData(), "--train", "24", "--dev", "6", "--test", "6"];
  const run = ["--method", "mezo", "--steps", "300", "--batch-size", "2", "--seeds", "1,2", "--out", "runs"];
  const child = spawn(process.execPath, [join(at, "dist/cli/main.js"), "--threads", "1", ...data, ...run], { cwd });
  const ended = over(child);
  const runs = join(cwd, "runs");
  await until(() => existsSync(runs) && readdirSync(runs).some((name) => name.endsWith("seed1.jsonl.part")));
  const processes = [child.pid!, ...childrenOf(child.pid!)];
  for (const pid of processes) process.kill(pid, "SIGSTOP"); // seed 2 begins after the build, however long that takes
  writeFileSync(join(at, "src/measure/worker.ts"), 'throw new Error("the worker of other sources");\n');
  expect(build(at).status).toBe(0);
  expect(readdirSync(runs).filter((name) => name.endsWith("seed2.jsonl"))).toEqual([]); // it is still at work
  for (const pid of processes) process.kill(pid, "SIGCONT");
  expect(await ended).toBe(0);
  const names = readdirSync(runs);
  expect(names).toEqual([expect.stringMatching(/seed1\.jsonl$/), expect.stringMatching(/seed2\.jsonl$/)]);
  for (const name of names) expect(readRun(join(runs, name)).steps).toHaveLength(300);
  expect(readFileSync(join(at, "dist/measure/worker.js"), "utf8")).toContain("the worker of other sources");
});

test("a package has the command and what it runs, and no build but one", () => {
  const text = execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: root, encoding: "utf8" });
  const [{ files }] = JSON.parse(text) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(["bin/mezo.js", "dist/cli/main.js", "dist/index.js"]));
  expect(paths.filter((path) => /^(src\/|test\/|\.dist-)/.test(path))).toEqual([]);
});
