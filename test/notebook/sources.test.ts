import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Notebook } from "../../src/cli/notebooks/runNotebook.ts";
import { changedSince, sourcesOf } from "../../src/cli/notebooks/sources.ts";

const data = mkdtempSync(join(tmpdir(), "sources-"));

const notebook = (output: string, source = "show(1);"): Notebook => ({
  cells: [
    { cell_type: "markdown", source: "Words." },
    { cell_type: "code", source, outputs: [{ output_type: "stream", name: "stdout", text: [output] }] },
  ],
});

/** What a notebook shows that read a table of the paper and all the runs of a folder. */
const stored = () =>
  sourcesOf(notebook("75.1 %"), ["paper/table1.json", "runs/table1/*.jsonl", "runs/table1/a.jsonl"], data);

beforeEach(() => {
  rmSync(join(data, "runs"), { recursive: true, force: true });
  for (const folder of ["paper", "runs/table1"]) mkdirSync(join(data, folder), { recursive: true });
  writeFileSync(join(data, "paper/table1.json"), "91.4");
  writeFileSync(join(data, "runs/table1/a.jsonl"), "75.1");
});

describe("what a notebook's outputs were made from", () => {
  test("is its code with what that showed, and the files that it read", () => {
    expect(Object.keys(stored().files)).toEqual(["paper/table1.json", "runs/table1/*.jsonl"]);
    expect(changedSince(notebook("75.1 %"), stored(), data)).toEqual([]);
  });

  test("has changed where a digit of an output or the code has, and not with the words around", () => {
    expect(changedSince(notebook("75.2 %"), stored(), data)).toEqual(["its cells"]);
    expect(changedSince(notebook("75.1 %", "show(2);"), stored(), data)).toEqual(["its cells"]);
    const { cells } = notebook("75.1 %");
    expect(changedSince({ cells: cells.slice(1) }, stored(), data)).toEqual([]);
  });

  test("has changed where a file has, is gone, or stands beside those that there were", () => {
    const before = stored();
    writeFileSync(join(data, "runs/table1/bench.json"), "not a run");
    expect(changedSince(notebook("75.1 %"), before, data)).toEqual([]);
    writeFileSync(join(data, "runs/table1/b.jsonl"), "70.0");
    expect(changedSince(notebook("75.1 %"), before, data)).toEqual(["runs/table1/*.jsonl"]);
    rmSync(join(data, "runs/table1/b.jsonl"));
    writeFileSync(join(data, "runs/table1/a.jsonl"), "75.2");
    rmSync(join(data, "paper/table1.json"));
    expect(changedSince(notebook("75.1 %"), before, data)).toEqual(["paper/table1.json", "runs/table1/*.jsonl"]);
  });

  test("leaves out folders without runs, and what was removed meanwhile", () => {
    expect(sourcesOf(notebook(""), ["models/opt/*.jsonl", "runs/gone.jsonl"], data).files).toEqual({});
  });
});
