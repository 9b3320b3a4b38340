import { expect, test } from "vitest";
import { isFinished } from "../../src/experiment/finished.ts";
import { madeUpRun } from "../report/runs.ts";

test("a run is there already if it is finished and its rows and settings are the same, whatever folder and machine they were on", () => {
  const run = madeUpRun("MeZO", 0.8);
  const wanted = { ...run.header, data: "a/train.tsv, sha256 1f", threads: 7 };
  const had = (data: string) => isFinished({ ...run, header: { ...run.header, data } }, wanted);
  expect(had("b/train.tsv, sha256 1f")).toBe(true);
  expect(had("a/train.tsv, sha256 2f")).toBe(false);
  expect(isFinished(run, { ...run.header, seed: 1 })).toBe(false);
  expect(isFinished(run, { ...run.header, options: { lr: 1 } })).toBe(false);
  expect(isFinished(undefined, wanted)).toBe(false);
  const { cost: _, ...unfinished } = run;
  expect(isFinished(unfinished, run.header)).toBe(false);
});
