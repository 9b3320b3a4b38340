import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";

const calls: string[] = [];

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const noted =
    <A extends unknown[], R>(name: string, call: (...args: A) => R) =>
    (...args: A): R => {
      calls.push(name);
      return call(...args);
    };
  return {
    ...fs,
    writeSync: noted("write", fs.writeSync as (...args: unknown[]) => number),
    fdatasyncSync: noted("sync", fs.fdatasyncSync),
    renameSync: noted("rename", fs.renameSync),
    fsyncSync: noted("sync folder", fs.fsyncSync),
  };
});

const { createRunFile, writeRun } = await import("../../src/record/write.ts");
const { run, scratch, score, step } = await import("./sampleRun.ts");

beforeEach(() => {
  calls.length = 0;
});

test("a run's file is on the disk at its scores, before its name, and with its name; steps alone do not wait for the disk", () => {
  const file = createRunFile(join(scratch(), "run.jsonl"));
  const during = (write: () => void): string[] => {
    calls.length = 0;
    write();
    return [...calls];
  };
  expect(during(() => file.start(run.header))).toEqual(["sync folder", "write"]);
  expect(during(() => file.step(step(0)))).toEqual(["write"]);
  expect(during(() => file.score(score("dev", 1)))).toEqual(["write", "sync"]);
  const end = during(() => file.finish(run.cost));
  expect(end.slice(0, 2)).toEqual(["write", "sync"]);
  expect(end.slice(-2)).toEqual(["rename", "sync folder"]);
});

test("a whole run that is written at once is on the disk before it has its name, and with its name", () => {
  writeRun(join(scratch(), "run.jsonl"), run);
  const [sync, rename, folder] = ["sync", "rename", "sync folder"].map((name) => calls.lastIndexOf(name));
  expect(calls.indexOf("write")).toBeLessThan(sync!);
  expect(sync).toBeLessThan(rename!);
  expect(rename).toBeLessThan(folder!);
});
