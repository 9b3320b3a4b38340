import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { checkUnlocked, lockRun } from "../../src/record/lock.ts";
import { createRunFile, writeRun } from "../../src/record/write.ts";
import { run, scratch, step } from "./sampleRun.ts";

/** What happens right after a file is read, once. */
const afterRead = vi.hoisted(() => new Map<string, () => void>());

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const readFileSync = (...args: Parameters<typeof fs.readFileSync>): ReturnType<typeof fs.readFileSync> => {
    const content = fs.readFileSync(...args);
    const happens = afterRead.get(String(args[0]));
    afterRead.delete(String(args[0]));
    happens?.();
    return content;
  };
  return { ...fs, readFileSync };
});

const lockFile = (path: string): string => `${path}.lock`;
const written = (path: string, owner: object): void => writeFileSync(lockFile(path), JSON.stringify(owner));
const ownerIn = (path: string): { processes: { pid: number; start?: string }[] } =>
  JSON.parse(readFileSync(lockFile(path), "utf8"));
const fresh = (): string => join(scratch(), "run.jsonl");

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that does nothing for a minute. */
function idle(): number {
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"], { stdio: "ignore" });
  children.push(child);
  return child.pid!;
}

/** The number of a process that has ended. */
async function gone(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
  await new Promise((done) => child.on("exit", done));
  return child.pid!;
}

describe("a run's lock", () => {
  test("names the process and its machine, and goes with the run's end", () => {
    const path = fresh();
    const file = createRunFile(path);
    expect(ownerIn(path)).toMatchObject({ host: hostname(), processes: [{ pid: process.pid }] });
    file.start(run.header);
    file.step(step(0));
    file.finish(run.cost);
    expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl"]);
  });

  test("is this process's alone: a second file of the run is refused until the first is let go of", () => {
    const path = fresh();
    const file = createRunFile(path);
    expect(() => createRunFile(path)).toThrow(/run\.jsonl: this process is writing that run already/);
    expect(() => writeRun(path, run)).toThrow(/writing that run already/);
    file.release();
    file.release();
    writeRun(path, run);
    expect(existsSync(path)).toBe(true);
  });

  test("of a process that lives is respected, and left as it is with all else", () => {
    const path = fresh();
    const pid = idle();
    written(path, { host: hostname(), processes: [{ pid }] });
    const before = readFileSync(lockFile(path));
    for (const begin of [() => createRunFile(path), () => writeRun(path, run), () => checkUnlocked(path)])
      expect(begin).toThrow(new RegExp(`run\\.jsonl: process ${pid} is writing that run: let it end, .* --resume`));
    expect(readFileSync(lockFile(path))).toEqual(before);
    expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl.lock"]);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["of a process that is gone", async () => ({ host: hostname(), processes: [{ pid: await gone() }] })],
    [
      "of processes that are all gone",
      async () => ({ host: hostname(), processes: [{ pid: await gone() }, { pid: await gone() }] }),
    ],
    ["that a power cut has emptied", async () => ""],
    ["that is no lock", async () => ({ host: 1 })],
  ])("%s is taken over", async (_what, owner) => {
    const path = fresh();
    const content = await owner();
    writeFileSync(lockFile(path), typeof content === "string" ? content : JSON.stringify(content));
    expect(() => checkUnlocked(path)).not.toThrow();
    const lock = lockRun(path);
    expect(ownerIn(path).processes).toMatchObject([{ pid: process.pid }]);
    lock.release();
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  test.skipIf(!existsSync("/proc/self/stat"))(
    "is not taken for a living process's whose number was another's before (where /proc says when a process began)",
    () => {
      const path = fresh();
      const probe = lockRun(path);
      const { start } = ownerIn(path).processes[0]!;
      probe.release();
      expect(start).toMatch(/^[0-9a-f-]+ \d+$/);
      written(path, { host: hostname(), processes: [{ pid: idle(), start }] });
      lockRun(path).release();
      written(path, { host: hostname(), processes: [{ pid: process.pid, start: `${start}0` }] });
      lockRun(path).release();
      expect(existsSync(lockFile(path))).toBe(false);
    },
  );

  test("whose owner is gone is not taken from one that took it over a moment before", async () => {
    const path = fresh();
    written(path, { host: hostname(), processes: [{ pid: await gone() }] });
    const other = { host: hostname(), processes: [{ pid: idle() }] };
    afterRead.set(lockFile(path), () => written(path, other));
    expect(() => lockRun(path)).toThrow(new RegExp(`process ${other.processes[0]!.pid} is writing that run`));
    expect(ownerIn(path)).toEqual(other);
    expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl.lock"]);
  });

  test("of another machine is respected, and says what to remove", async () => {
    const path = fresh();
    written(path, { host: "elsewhere\n", processes: [{ pid: await gone() }] });
    expect(() => lockRun(path)).toThrow(
      /process \d+ on elsewhere .* or was: .* remove \S+run\.jsonl\.lock if it is gone/,
    );
    expect(() => lockRun(path)).toThrow(/^[^\n]*$/);
  });

  test("is shared with a process that this one starts, and stays taken while either lives", async () => {
    const path = fresh();
    const lock = lockRun(path);
    const pid = idle();
    lock.share(pid);
    expect(ownerIn(path).processes.map((each) => each.pid)).toEqual([process.pid, pid]);
    lock.release();
    written(path, { host: hostname(), processes: [{ pid: await gone() }, { pid }] });
    expect(() => lockRun(path)).toThrow(/is writing that run/);
  });

  test("that was removed by hand and made by another is not removed by the first one's release", () => {
    const path = fresh();
    const lock = lockRun(path);
    const other = { host: hostname(), processes: [{ pid: idle() }] };
    written(path, other);
    lock.release();
    expect(ownerIn(path)).toEqual(other);
  });
});

describe("eight processes that find a lock whose owner is gone", () => {
  const module = resolve(import.meta.dirname, "../../dist/record/lock.js");
  const script = `
    const { lockRun } = await import(process.argv[1]);
    process.stdout.write("ready");
    process.stdin.once("data", () => {
      try { lockRun(process.argv[2]); process.stdout.write(" taken"); } catch (error) { process.stdout.write(" " + error.name); }
      process.stdin.once("data", () => process.exit());
    });`;

  test("take it over once, and the others are refused by a KitError", async () => {
    for (let round = 0; round < 3; round++) {
      const path = fresh();
      written(path, { host: hostname(), processes: [{ pid: await gone() }] });
      const takers = Array.from({ length: 8 }, () => {
        const child = spawn(process.execPath, ["--input-type=module", "-e", script, module, path]);
        children.push(child);
        let text = "";
        child.stdout.on("data", (bytes) => {
          text += bytes;
        });
        return {
          child,
          said: async (what: RegExp) => {
            while (!what.test(text)) await new Promise((done) => child.stdout.once("data", done));
            return text;
          },
        };
      });
      await Promise.all(takers.map(({ said }) => said(/ready/)));
      for (const { child } of takers) child.stdin.write("go\n");
      const ends = await Promise.all(takers.map(({ said }) => said(/ \w+/)));
      expect(ends.toSorted()).toEqual([...Array(7).fill("ready KitError"), "ready taken"]);
      const exits = takers.map(({ child }) => new Promise((done) => child.on("exit", done)));
      for (const { child } of takers) child.stdin.write("end\n");
      await Promise.all(exits);
      expect(readdirSync(join(path, ".."))).toEqual([]);
    }
  });
});
