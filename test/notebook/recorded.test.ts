import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { type Recording, recorded } from "../../src/notebook/runs.ts";
import { readRun } from "../../src/record/read.ts";
import { run, scratch, step } from "../record/sampleRun.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Takes the first two steps of the sample run and fails, as a cell that is interrupted. */
async function interrupted({ record }: Recording): Promise<never> {
  record.start(run.header);
  record.step(step(0));
  record.step(step(1));
  throw new Error("interrupted");
}

/** Takes the steps of the sample run that are lacking. */
async function made({ record, resume }: Recording): Promise<typeof run> {
  if (!resume) record.start(run.header);
  for (const each of run.steps.slice(resume?.steps.length ?? 0)) record.step(each);
  return { ...run, scores: [] };
}

test("a cell that is interrupted leaves its steps, from which the same cell resumes, and no lock", async () => {
  const folder = scratch();
  await expect(recorded("a", interrupted, folder)).rejects.toThrow("interrupted");
  expect(readdirSync(folder)).toEqual(["a.jsonl.part"]);
  const begun = readFileSync(join(folder, "a.jsonl.part"), "utf8");
  await recorded("a", made, folder);
  expect(readdirSync(folder)).toEqual(["a.jsonl"]);
  expect(readFileSync(join(folder, "a.jsonl"), "utf8").startsWith(begun)).toBe(true);
  expect(readRun(join(folder, "a.jsonl")).steps).toEqual(run.steps);
});

test("a cell of other settings leaves what was there byte for byte", async () => {
  const folder = scratch();
  await expect(recorded("a", interrupted, folder)).rejects.toThrow();
  appendFileSync(join(folder, "a.jsonl.part"), '{"step":');
  const before = readFileSync(join(folder, "a.jsonl.part"));
  const refusing = async ({ resume }: Recording): Promise<never> => {
    throw new Error(`to be resumed after ${resume?.steps.length}`);
  };
  await expect(recorded("a", refusing, folder)).rejects.toThrow("to be resumed after 2");
  expect(readFileSync(join(folder, "a.jsonl.part"))).toEqual(before);
});

test("of two that make one run at once, the second is refused and the first ends", async () => {
  const folder = scratch();
  let goOn = (): void => {};
  const first = recorded(
    "a",
    async (past) => {
      await new Promise<void>((done) => {
        goOn = done;
      });
      return made(past);
    },
    folder,
  );
  await expect(recorded("a", made, folder)).rejects.toThrow(/a\.jsonl: this process is writing that run already/);
  goOn();
  await first;
  expect(readRun(join(folder, "a.jsonl")).steps).toEqual(run.steps);
});

test("a smoke run is repeated, and sets the steps of an interrupted one aside", async () => {
  const folder = scratch();
  vi.stubEnv("MEZO_SCALE", "smoke");
  vi.stubEnv("MEZO_NOTEBOOK", relative(resolve("../data/runs/smoke"), folder));
  await expect(recorded("a", interrupted)).rejects.toThrow("interrupted");
  await recorded("a", made);
  expect(readdirSync(folder)).toEqual(["a.jsonl", "a.jsonl.part.1"]);
  expect(existsSync(join(folder, "a.jsonl.lock"))).toBe(false);
});
