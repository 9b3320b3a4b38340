import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { normalise } from "../../src/tasks/deduplicate.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Example, Task } from "../../src/tasks/task.ts";
import { needs, shared } from "../shared.ts";
import { dataFolder, sentencesTsv } from "./dataFolder.ts";

function sizesOf({ train, dev, test }: Task): number[] {
  return [train.length, dev.length, test.length];
}

function prompts(examples: readonly Example[]): string[] {
  return examples.map(({ prompt }) => prompt);
}

test("the default sentences give the paper's sizes without any text twice", () => {
  const task = loadTask("SST-2");
  expect(sizesOf(task)).toEqual([1000, 500, 1000]);
  const all = [...task.train, ...task.dev, ...task.test];
  expect(new Set(all.map(({ prompt }) => normalise(prompt))).size).toBe(2500);
  expect(task.data).toMatch(/^npm:sentiment@5\.0\.2 \(imdb, amazon, yelp\), sha256 [0-9a-f]{12}$/);
});

test("of the 3,000 default sentences 2,972 differ, and asking for more shrinks all parts alike", () => {
  const task = loadTask("SST-2", { train: 2000, dev: 1000, test: 2000 });
  expect(sizesOf(task)).toEqual([1189, 594, 1189]);
  const positive = [...task.train, ...task.dev, ...task.test].filter(({ gold }) => gold === 1).length;
  expect(positive).toBe(1486);
});

test("a seed draws the same rows every time and another seed draws others", () => {
  const [first, again, other] = [0, 0, 1].map((seed) => loadTask("SST-2", { train: 50, dev: 20, test: 30, seed }));
  expect(again).toEqual(first);
  expect(prompts(other!.train)).not.toEqual(prompts(first!.train));
});

test("a single file is split in three without overlap, a repeated text only once", () => {
  const folder = dataFolder({ "a.tsv": `${sentencesTsv(10)}SENTENCE, number 3!\t1\n` });
  const task = loadTask("sst2", { data: join(folder, "a.tsv"), train: 4, dev: 2, test: 4 });
  expect(sizesOf(task)).toEqual([4, 2, 4]);
  const all = prompts([...task.train, ...task.dev, ...task.test]).sort();
  expect(all).toEqual(Array.from({ length: 10 }, (_, index) => `sentence number ${index} It was`));
});

test("a folder's train file gives train and dev rows, its test file test rows, at most as many as asked", () => {
  const data = dataFolder({
    "train.tsv": sentencesTsv(9),
    "dev.tsv": sentencesTsv(3, "dev"),
    "test.tsv": sentencesTsv(5, "test"),
  });
  const task = loadTask("SST-2", { data, train: 6, dev: 3, test: 4 });
  expect(sizesOf(task)).toEqual([6, 3, 4]);
  expect(prompts([...task.train, ...task.dev]).sort()).toEqual(
    Array.from({ length: 9 }, (_, index) => `sentence number ${index} It was`),
  );
  expect(prompts(task.test).every((prompt) => prompt.startsWith("test number"))).toBe(true);
  expect(sizesOf(loadTask("SST-2", { data }))).toEqual([6, 3, 5]);
});

test("without a labelled test file the validation file is the test set (the paper's way)", () => {
  const validation = '{"sentence": "v", "label": 1}\n';
  const unlabelled = dataFolder({
    "train.tsv": sentencesTsv(4),
    "val.jsonl": validation,
    "test.tsv": "index\tsentence\n0\tx\n",
  });
  expect(prompts(loadTask("SST-2", { data: unlabelled }).test)).toEqual(["v It was"]);
  const minusOne = dataFolder({
    "train.tsv": sentencesTsv(4),
    "validation.jsonl": validation,
    "test.jsonl": '{"text": "x", "label": -1}\n',
  });
  expect(prompts(loadTask("SST-2", { data: minusOne }).test)).toEqual(["v It was"]);
});

test("the data are named by their last folder and file, never by a path of this machine", () => {
  const data = dataFolder({ "train.tsv": sentencesTsv(9), "test.tsv": sentencesTsv(5, "test") });
  const folder = basename(data);
  expect(loadTask("SST-2", { data }).data).toMatch(
    new RegExp(`^${folder}/train\\.tsv \\+ ${folder}/test\\.tsv, sha256 [0-9a-f]{12}$`),
  );
  expect(loadTask("SST-2", { data: join(data, "train.tsv") }).data).toMatch(
    new RegExp(`^${folder}/train\\.tsv, sha256 [0-9a-f]{12}$`),
  );
});

test("the name of the data changes with a byte of it", () => {
  const [one, two] = [sentencesTsv(8), sentencesTsv(8).replace("number 7", "number 8")].map(
    (text) => loadTask("SST-2", { data: join(dataFolder({ "a.tsv": text }), "a.tsv") }).data.split("sha256 ")[1],
  );
  expect(one).toMatch(/^[0-9a-f]{12}$/);
  expect(two).not.toBe(one);
});

test.each([
  [
    "sentence\tlabel\nfine\t1\ngood\n",
    'line 3: the row has no label (a field label or class; it has "sentence"); add it or drop the row.',
  ],
  [
    "sentence\tlabel\n \t1\n",
    'line 2: the row has no sentence (a field sentence or text; it has "label"); add it or drop the row.',
  ],
  [
    "sentence\tlabel\nfine\t2\n",
    'line 2: the label "2" is none of 0 (terrible), 1 (great); correct the row or drop it.',
  ],
  [
    "sentence\tlabel\nfine\tpositive\n",
    'line 2: the label "positive" is none of 0 (terrible), 1 (great); correct the row or drop it.',
  ],
])("a bad row is refused with its file and line: %j", (text, sentence) => {
  const file = join(dataFolder({ "a.tsv": text }), "a.tsv");
  expect(() => loadTask("SST-2", { data: file })).toThrow(new RegExp(`^${escaped(`${file} ${sentence}`)}$`));
});

test("a sentence that is no text is refused", () => {
  const file = join(dataFolder({ "a.jsonl": '{"text": 5, "label": 1}\n' }), "a.jsonl");
  expect(() => loadTask("SST-2", { data: file })).toThrow(
    `${file} line 1: the sentence is 5 and not text; correct it.`,
  );
});

test("too few rows and impossible sizes are refused", () => {
  const file = join(dataFolder({ "a.tsv": sentencesTsv(2) }), "a.tsv");
  expect(() => loadTask("SST-2", { data: file })).toThrow(
    `${file} has too few rows (2) for train, dev, test to have one each; give more rows.`,
  );
  expect(() => loadTask("SST-2", { dev: 0 })).toThrow(
    "The dev part must have a whole number of examples, at least 1, not 0.",
  );
  expect(() => loadTask("SST-2", { train: 2.5 })).toThrow(
    "The train part must have a whole number of examples, at least 1, not 2.5.",
  );
});

test("a folder without the needed files is refused with what it holds", () => {
  const empty = dataFolder({});
  expect(() => loadTask("SST-2", { data: empty })).toThrow(
    `The data folder ${empty} has no file train.* (.tsv, .csv, .jsonl, .json); it holds nothing: add the file, or name a single file to have it split in three.`,
  );
  const untested = dataFolder({ "train.tsv": sentencesTsv(4) });
  expect(() => loadTask("SST-2", { data: untested })).toThrow(
    `The data folder ${untested} has no file test.*, dev.*, val.* or validation.* (.tsv, .csv, .jsonl, .json); it holds train.tsv: add the file`,
  );
  expect(() => loadTask("SST-2", { data: "no/such/folder" })).toThrow(
    "There is no data folder or file no/such/folder; check its path.",
  );
});

const sst2Folder = shared("data/sst2-full");

test.skipIf(sst2Folder === undefined)(`SST-2's own files are read: ${needs("data/sst2-full")}`, () => {
  const task = loadTask("SST-2", { data: sst2Folder! });
  expect(sizesOf(task)).toEqual([1000, 500, 872]);
  const positive = task.test.filter(({ gold }) => gold === 1).length;
  expect(positive).toBe(444);
  const lines = readFileSync(join(sst2Folder!, "train.tsv"), "utf8").split("\n");
  const sentences = new Set(lines.map((line) => `${line.split("\t")[0]!.trim()} It was`));
  expect([...task.train, ...task.dev].every(({ prompt }) => sentences.has(prompt))).toBe(true);
});

const rteFolder = shared("data/superglue/RTE");

test.skipIf(rteFolder === undefined)(
  `a SuperGLUE folder's rows are read, and another task's are refused: ${needs("data/superglue/RTE")}`,
  () => {
    expect(() => loadTask("SST-2", { data: rteFolder! })).toThrow(
      /train\.jsonl line 1: the row has no sentence .*"premise"/,
    );
  },
);

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
