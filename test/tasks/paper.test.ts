import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeExamples } from "../../src/tasks/examples.ts";
import { findTask } from "../../src/tasks/index.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { readRows } from "../../src/tasks/read/folder.ts";
import type { Example, Task } from "../../src/tasks/task.ts";
import { needs, shared } from "../shared.ts";
import { dataFolder } from "./dataFolder.ts";

function sizesOf({ train, dev, test }: Task): number[] {
  return [train.length, dev.length, test.length];
}

/** The share of the most frequent class, in percent. */
function largestShare(examples: readonly Example[]): number {
  const counts = [0, 1, 2].map((label) => examples.filter(({ gold }) => gold[0] === label).length);
  return (100 * Math.max(...counts)) / examples.length;
}

// What the authors' code uses of the public files under data seed 0; of BoolQ only the validation file is there.
for (const [name, folder, sizes, percent] of [
  ["SST-2", "sst2-full", [1000, 500, 872], 50.9],
  ["RTE", "superglue/RTE", [1000, 500, 277], 52.7],
  ["RTE", "rte-glue", [1000, 500, 277], 52.7],
  ["CB", "superglue/CB", [150, 100, 56], 50],
  ["WSC", "superglue/WSC", [54, 500, 104], 63.5],
  ["WIC", "superglue/WiC", [1000, 500, 638], 50],
  ["COPA", "superglue/COPA", [300, 100, 100], 55],
  ["MultiRC", "superglue/MultiRC", [1000, 500, 1000], undefined],
  ["SST-5", "sst5-full", [1000, 500, 1000], undefined],
  ["TREC", "trec-full", [1000, 500, 500], undefined],
] as const) {
  const data = shared(`data/${folder}`);
  test.skipIf(!data)(`${name} has the paper's real sizes; ${needs(`data/${folder}`)}`, async () => {
    const task = await loadTask(name, { data: data! });
    expect(sizesOf(task)).toEqual(sizes);
    if (percent !== undefined) expect(largestShare(task.test)).toBeCloseTo(percent, 1);
  });
}

// All rows of a file: how many examples they give, and where it is known, the majority's share in percent.
for (const [name, file, count, percent] of [
  ["MultiRC", "superglue/MultiRC/train.jsonl", 27243, undefined],
  ["MultiRC", "superglue/MultiRC/val.jsonl", 4848, 57.2],
  ["BoolQ", "superglue/BoolQ/val.jsonl", 3270, 62.2],
  ["BoolQ", "fewglue_32dev/BoolQ/train.jsonl", 32, undefined],
  ["ReCoRD", "fewglue_32dev/ReCoRD/train.jsonl", 32, undefined],
  ["ReCoRD", "fixtures/allennlp-record.json", 2, undefined],
  ["DROP", "drop/drop_v0_dev.jsonl.gz", 9536, undefined],
  ["DROP", "drop/drop_contrast_sets_test.json", 947, undefined],
  ["DROP", "fixtures/allennlp-drop.json", 19, undefined],
  ["SQuAD", "fixtures/allennlp-squad.json", 5, undefined],
  ["TREC", "trec-full/TREC.train.all", 5452, undefined],
  ["RTE", "fixtures/allennlp-superglue_rte.jsonl", 4, undefined],
] as const) {
  const path = shared(`data/${file}`);
  test.skipIf(!path)(`${name} reads all of its file; ${needs(`data/${file}`)}`, async () => {
    const { examples } = makeExamples(findTask(name), await readRows(path!));
    expect(examples.length).toBe(count);
    if (percent !== undefined) expect(largestShare(examples)).toBeCloseTo(percent, 1);
  });
}

/** Whether a command is there. */
function runs(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const squad = runs("unzip", "-v") ? shared("data/squad/dev-v1.1.json.zip") : undefined;

test.skipIf(!squad)(`SQuAD reads the original file; unzip, ${needs("data/squad/dev-v1.1.json.zip")}`, async () => {
  const file = join(dataFolder({}), "dev.json");
  writeFileSync(file, execFileSync("unzip", ["-p", squad!], { maxBuffer: 2 ** 26 }));
  const { examples } = makeExamples(findTask("SQuAD"), await readRows(file));
  expect(examples.length).toBe(10570);
  expect(Math.max(...examples.map(({ gold }) => gold.length))).toBe(6);
});

const archives = shared("data/lmbff-RTE.tar.xz") && runs("xz", "--version") ? shared("data") : undefined;

/** Unpacks folders of the authors' K-shot splits of a task for the length of a test. */
function unpacked(task: string, ...folders: string[]): string {
  const into = dataFolder({});
  const archive = join(archives!, `lmbff-${task}.tar.xz`);
  execFileSync("tar", ["-xJf", archive, "-C", into, ...folders.map((folder) => `${task}/${folder}`)]);
  return join(into, task);
}

describe.skipIf(!archives)(`the authors' K-shot splits; xz, ${needs("data/lmbff-RTE.tar.xz")}`, () => {
  test.each([
    ["RTE", "RTE", "rte-glue"],
    ["TREC", "trec", "trec-full"],
  ])("those of %s come out row for row", async (name, archive, full) => {
    const splits = [
      [16, 13],
      [16, 87],
      [512, 42],
    ] as const;
    const folder = unpacked(archive, ...splits.map((split) => split.join("-")));
    for (const [k, seed] of splits) {
      const stored = await loadTask(name, { data: join(folder, `${k}-${seed}`), split: "files" });
      const task = await loadTask(name, { data: join(archives!, full), k, seed });
      expect(stored.train.length).toBeGreaterThanOrEqual(32);
      expect([task.train, task.dev, task.test]).toEqual([stored.train, stored.dev, stored.test]);
    }
  });

  test("TREC's third class has too few rows at 512, which is mentioned", async () => {
    const { remark, ...task } = await loadTask("TREC", { data: join(archives!, "trec-full"), k: 512, seed: 42 });
    expect(sizesOf(task)).toEqual([2646, 2243, 500]);
    expect(remark).toMatch(
      /^k 512, but unequal classes: train 512\/512\/86\/512\/512\/512, dev \d+\/512\/0\/\d+\/\d+\/\d+$/,
    );
  });

  test("of SST-5's 2,210 test rows the authors' 1,000 are drawn", async () => {
    const stored = readFileSync(join(unpacked("sst-5", "16-13"), "16-13", "test.csv"), "utf8")
      .trim()
      .split("\n");
    const { test } = await loadTask("SST-5", { data: join(archives!, "sst5-full"), k: 16, seed: 13 });
    expect(test.map(({ gold }) => String(gold[0]))).toEqual(stored.map((line) => line[0]));
  });

  test.each([
    ["SST-2", "SST-2", [32, 32, 872]],
    ["SST-5", "sst-5", [80, 80, 1000]],
    ["MNLI", "MNLI", [48, 48, 1000]],
    ["SNLI", "SNLI", [48, 48, 1000]],
  ])("those of %s are read unchanged", async (name, archive, sizes) => {
    const task = await loadTask(name, { data: join(unpacked(archive, "16-13"), "16-13"), split: "files" });
    expect(sizesOf(task)).toEqual(sizes);
    expect(task.remark).toBeUndefined();
  });
});
