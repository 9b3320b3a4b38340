import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { evaluateMajority } from "../../src/experiment/evaluate.ts";
import { isFinished } from "../../src/record/diff.ts";
import { readRun } from "../../src/record/read.ts";
import { writeRun } from "../../src/record/write.ts";
import { setProducts } from "../../src/tensor/products.ts";
import { madeUpRun } from "../report/runs.ts";

test("a run is there already if it is finished and its rows and settings are the same, whatever folder and machine they were on", () => {
  const run = madeUpRun("MeZO", 0.8);
  const wanted = { ...run.header, data: { files: ["a/train.tsv"], sha256: "1f" }, threads: 7 };
  const had = (file: string, sha256: string) =>
    isFinished({ ...run, header: { ...run.header, data: { files: [file], sha256, rows: 9 } } }, wanted);
  expect(had("b/train.tsv", "1f")).toBe(true);
  expect(had("a/train.tsv", "2f")).toBe(false);
  expect(isFinished(run, { ...run.header, seed: 1 })).toBe(false);
  expect(isFinished(run, { ...run.header, settings: { steps: 1 } })).toBe(false);
  expect(isFinished(undefined, wanted)).toBe(false);
  expect(isFinished(run, { ...run.header, products: "float32", processor: "avx512" })).toBe(true);
  expect(isFinished(run, { ...run.header, products: "difference" })).toBe(false);
  const { cost: _, ...unfinished } = run;
  expect(isFinished(unfinished, run.header)).toBe(false);
});

test("a finished run whose products another processor formed otherwise is there already, but not where a way is chosen", () => {
  const run = madeUpRun("MeZO", 0.8);
  const elsewhere = { ...run.header, products: "bf16x3", processor: "amx" } as const;
  try {
    setProducts(undefined);
    expect(isFinished(run, elsewhere)).toBe(true);
    const { cost: _, ...unfinished } = run;
    expect(isFinished(unfinished, elsewhere)).toBe(false);
    setProducts("float32");
    expect(isFinished(run, elsewhere)).toBe(false);
  } finally {
    setProducts("float32");
  }
});

test("runs that left other numbers of rows out are not the same, whatever their remarks say", () => {
  const run = madeUpRun("MeZO", 0.8);
  const dropped = (rows: number) => ({ data: { ...run.header.data, dropped: [{ reason: "repeated", rows }] } });
  const { header } = run;
  const had = (other: object, wanted: object): boolean =>
    isFinished({ ...run, header: { ...header, ...other } }, { ...header, ...wanted });
  expect(had(dropped(3), dropped(3))).toBe(true);
  expect(had(dropped(3), dropped(2))).toBe(false);
  expect(had({}, dropped(3))).toBe(false);
  expect(had({}, { remark: "left out: nothing" })).toBe(true);
});

test("what was left out of a task's rows stands in its run's header and comes back from the file", () => {
  const example = (prompt: string) => ({ autoregressive: { prompt, options: [" a", " b"] }, gold: [0] });
  const part = [example("x")];
  const dropped = [{ reason: "unlabelled", rows: 2 }] as const;
  const remark = "left out: 2 rows that have no label";
  const data = { files: ["d/a.csv"], sha256: "0", rows: 3, dropped };
  const known = { data, remark, train: part, dev: part, test: part };
  const run = evaluateMajority({ name: "own", metric: "accuracy", loss: "candidates", ...known }, 1);
  const path = join(mkdtempSync(join(tmpdir(), "mezo-dropped-")), "run.jsonl");
  writeRun(path, run);
  expect(readRun(path).header).toMatchObject({ data, remark });
});
