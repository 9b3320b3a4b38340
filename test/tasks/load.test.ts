import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { readRun } from "../../src/record/read.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Example, Task, TaskDefinition } from "../../src/tasks/task.ts";
import { needs, shared } from "../shared.ts";
import { dataFolder, sentencesTsv } from "./dataFolder.ts";

/** The first digits of a hash. */
const DIGITS: unknown = expect.stringMatching(/^[0-9a-f]{12}$/);

function sizesOf({ train, dev, test }: Task): number[] {
  return [train.length, dev.length, test.length];
}

function prompts(examples: readonly Example[]): string[] {
  return examples.map(({ autoregressive }) => autoregressive!.prompt);
}

test("the default sentences give the paper's sizes without any text twice", async () => {
  const task = await loadTask("SST-2");
  expect(sizesOf(task)).toEqual([1000, 500, 1000]);
  const all = [...task.train, ...task.dev, ...task.test];
  const words = prompts(all).map((prompt) =>
    prompt
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu)!
      .join(" "),
  );
  expect(new Set(words).size).toBe(2500);
  expect([task.data.dropped, task.remark]).toEqual([undefined, undefined]);
  expect(task.data).toMatchObject({ files: ["npm:sentiment@5.0.2 (imdb, amazon, yelp)"], sha256: DIGITS });
});

test("the default rows are those of the published runs", async () => {
  const published = join(import.meta.dirname, "../../data/runs/sst-2-opt-reviews-mezo-seed1.jsonl");
  const { data, split } = readRun(published).header;
  const task = await loadTask("SST-2", { seed: 1 });
  const [train, dev, test] = sizesOf(task);
  expect({ data: task.data, split: { train, dev, test } }).toMatchObject({ data, split });
  // The texts as the version drew them that made the runs.
  const hash = createHash("sha256").update(JSON.stringify([task.train, task.dev, task.test].map(prompts)));
  expect(hash.digest("hex").slice(0, 16)).toBe("71b12999d9c922e2");
});

test("of the 3,000 default sentences 2,972 differ, and asking for more shrinks all parts alike", async () => {
  const task = await loadTask("SST-2", { train: 2000, dev: 1000, test: 2000 });
  expect(sizesOf(task)).toEqual([1189, 594, 1189]);
  const positive = [...task.train, ...task.dev, ...task.test].filter(({ gold }) => gold[0] === 1).length;
  expect(positive).toBe(1486);
});

test("a seed draws the same rows every time and another seed draws others", async () => {
  const [first, again, other] = await Promise.all(
    [0, 0, 1].map((seed) => loadTask("SST-2", { train: 50, dev: 20, test: 30, seed })),
  );
  expect(again).toEqual(first);
  expect(prompts(other!.train)).not.toEqual(prompts(first!.train));
});

test("a single file is split in three without overlap, a repeated text only once", async () => {
  const folder = dataFolder({ "a.tsv": `${sentencesTsv(10)} sentence  number 3\t1\n` });
  const task = await loadTask("sst2", { data: join(folder, "a.tsv"), train: 4, dev: 2, test: 4 });
  expect(sizesOf(task)).toEqual([4, 2, 4]);
  const all = prompts([...task.train, ...task.dev, ...task.test]).sort();
  expect(all).toEqual(Array.from({ length: 10 }, (_, index) => `sentence number ${index} It was`));
});

test("a folder's train file gives train and dev rows, its test file test rows, at most as many as asked", async () => {
  const data = dataFolder({
    "train.tsv": sentencesTsv(9),
    "dev.tsv": sentencesTsv(3, "dev"),
    "test.tsv": sentencesTsv(5, "test"),
  });
  const task = await loadTask("SST-2", { data, train: 6, dev: 3, test: 4 });
  expect(sizesOf(task)).toEqual([6, 3, 4]);
  expect(prompts([...task.train, ...task.dev]).sort()).toEqual(
    Array.from({ length: 9 }, (_, index) => `sentence number ${index} It was`),
  );
  expect(prompts(task.test).every((prompt) => prompt.startsWith("test number"))).toBe(true);
  expect(sizesOf(await loadTask("SST-2", { data, split: "proportional" }))).toEqual([6, 3, 5]);
});

test("of the authors' K-shot folders the one of k and seed is read unchanged, and at most as many test rows as asked", async () => {
  const data = dataFolder({
    "16-13/train.tsv": sentencesTsv(32),
    "16-13/dev.tsv": sentencesTsv(30, "dev"),
    "16-13/test.tsv": sentencesTsv(9, "test"),
  });
  const task = await loadTask("SST-2", { data, k: 16, seed: 13, test: 5 });
  expect(sizesOf(task)).toEqual([32, 30, 5]);
  expect(prompts(task.dev).every((prompt) => prompt.startsWith("dev number"))).toBe(true);
  const files = ["16-13/train.tsv", "16-13/dev.tsv", "16-13/test.tsv"];
  expect(task.data).toEqual({ files, sha256: DIGITS, rows: 71 });
  await expect(loadTask("SST-2", { data, k: 16, seed: 21 })).rejects.toThrow("has no file train.*");
});

test("without a labelled test file the validation file is the test set (the paper's way)", async () => {
  const validation = '{"sentence": "v", "label": 1}\n';
  const unlabelled = dataFolder({
    "train.tsv": sentencesTsv(4),
    "val.jsonl": validation,
    "test.tsv": "index\tsentence\n0\tx\n",
  });
  expect(prompts((await loadTask("SST-2", { data: unlabelled, split: "proportional" })).test)).toEqual(["v It was"]);
  const minusOne = dataFolder({
    "train.tsv": sentencesTsv(4),
    "validation.jsonl": validation,
    "test.jsonl": '{"text": "x", "label": -1}\n',
  });
  expect(prompts((await loadTask("SST-2", { data: minusOne, split: "proportional" })).test)).toEqual(["v It was"]);
});

test("the data are named by their last folder and file, never by a path of this machine", async () => {
  const data = dataFolder({ "train.tsv": sentencesTsv(9), "test.tsv": sentencesTsv(5, "test") });
  const folder = basename(data);
  const both = await loadTask("SST-2", { data, split: "proportional" });
  expect(both.data).toEqual({ files: [`${folder}/train.tsv`, `${folder}/test.tsv`], sha256: DIGITS, rows: 14 });
  const one = await loadTask("SST-2", { data: join(data, "train.tsv") });
  expect(one.data).toEqual({ files: [`${folder}/train.tsv`], sha256: DIGITS, rows: 9 });
});

test("the name of the data changes with a byte of it", async () => {
  const [one, two] = await Promise.all(
    [sentencesTsv(8), sentencesTsv(8).replace("number 7", "number 8")].map(async (text) => {
      const { data } = await loadTask("SST-2", { data: join(dataFolder({ "a.tsv": text }), "a.tsv") });
      return data.sha256;
    }),
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
    'line 2: the label "2" is none of 0 (negative), 1 (positive); correct the row or drop it.',
  ],
  [
    "sentence\tlabel\nfine\tlovely\n",
    'line 2: the label "lovely" is none of 0 (negative), 1 (positive); correct the row or drop it.',
  ],
])("a bad row is refused with its file and line: %j", async (text, sentence) => {
  const file = join(dataFolder({ "a.tsv": text }), "a.tsv");
  await expect(loadTask("SST-2", { data: file })).rejects.toThrow(new RegExp(`^${escaped(`${file} ${sentence}`)}$`));
});

test("a sentence that is not text is refused", async () => {
  const file = join(dataFolder({ "a.jsonl": '{"text": 5, "label": 1}\n' }), "a.jsonl");
  await expect(loadTask("SST-2", { data: file })).rejects.toThrow(
    `${file} line 1: the sentence is 5 and not text; correct it.`,
  );
});

test("too few rows and impossible sizes are refused", async () => {
  const file = join(dataFolder({ "a.tsv": sentencesTsv(2) }), "a.tsv");
  await expect(loadTask("SST-2", { data: file })).rejects.toThrow(
    `${file} has too few rows (2) for train, dev, test to have one each; give more rows.`,
  );
  await expect(loadTask("SST-2", { dev: 0 })).rejects.toThrow(
    "The dev part must have a whole number of examples, at least 1, not 0.",
  );
  await expect(loadTask("SST-2", { train: 2.5 })).rejects.toThrow(
    "The train part must have a whole number of examples, at least 1, not 2.5.",
  );
});

test("a folder without the needed files is refused with what it holds", async () => {
  const empty = dataFolder({});
  await expect(loadTask("SST-2", { data: empty })).rejects.toThrow(
    `The data folder ${empty} has no file train.* (.tsv, .csv, .jsonl, .json, .txt, .parquet); it holds nothing: add the file, or name a single file to have it split in three.`,
  );
  const untested = dataFolder({ "train.tsv": sentencesTsv(4) });
  await expect(loadTask("SST-2", { data: untested })).rejects.toThrow(
    `The data folder ${untested} has no file test.*, dev.*, val.* or validation.* (.tsv, .csv, .jsonl, .json, .txt, .parquet); it holds train.tsv: add the file`,
  );
  await expect(loadTask("SST-2", { data: "no/such/folder" })).rejects.toThrow(
    "There is no data folder or file no/such/folder; check its path.",
  );
});

// Python with NumPy 2: np.random.seed(3), np.random.permutation(9), of which the first six are drawn and the last two of these are dev.
test("a folder's parts are the authors' for the seed", async () => {
  const data = dataFolder({ "train.tsv": sentencesTsv(9), "test.tsv": sentencesTsv(4, "test") });
  const task = await loadTask("SST-2", { data, train: 4, dev: 2, test: 3, seed: 3 });
  const numbers = (examples: readonly Example[]): number[] => prompts(examples).map((text) => Number(/\d+/.exec(text)));
  expect([task.train, task.dev, task.test].map(numbers)).toEqual([
    [6, 2, 7, 4],
    [5, 0],
    [3, 1, 0],
  ]);
  const few = await loadTask("SST-2", { data, train: 4, dev: 8, test: 3, seed: 3 });
  expect(sizesOf(few)).toEqual([1, 8, 3]);
  await expect(loadTask("SST-2", { data, dev: 9 })).rejects.toThrow(
    /train\.tsv has 9 rows, of which 9 were to be dev and the rest train: ask for fewer dev rows, or take split "proportional"\.$/,
  );
});

test("the split of files reads a folder's files unchanged", async () => {
  const files = {
    "train.tsv": sentencesTsv(4),
    "dev.tsv": sentencesTsv(3, "dev"),
    "test.tsv": sentencesTsv(2, "test"),
  };
  const task = await loadTask("SST-2", { data: dataFolder(files), split: "files" });
  expect(prompts(task.dev)).toEqual(["dev number 0 It was", "dev number 1 It was", "dev number 2 It was"]);
  expect(sizesOf(task)).toEqual([4, 3, 2]);
});

test("k rows per class are drawn for train and the next k for dev, and classes with too few rows are mentioned", async () => {
  const lines = Array.from({ length: 12 }, (_, i) => `${i < 5 ? 1 : 0}\tsentence ${i}`);
  const data = dataFolder({ "train.tsv": ["label\ttext", ...lines].join("\n"), "test.tsv": sentencesTsv(6, "test") });
  const task = await loadTask("SST-2", { data, k: 3 });
  const golds = (examples: readonly Example[]): number[] => examples.map(({ gold }) => gold[0]!).sort();
  expect([golds(task.train), golds(task.dev)]).toEqual([
    [0, 0, 0, 1, 1, 1],
    [0, 0, 0, 1, 1],
  ]);
  expect(task.remark).toBe("k 3, but unequal classes: train 3/3, dev 3/2");
  expect(new Set(prompts([...task.train, ...task.dev])).size).toBe(11);
  expect((await loadTask("SST-2", { data, k: 2 })).remark).toBeUndefined();
  await expect(loadTask("SST-2", { data, k: 2, train: 5 })).rejects.toThrow(/train cannot be given beside it/);
  const alone = await loadTask("SST-2", { data: join(data, "train.tsv"), k: 2, test: 2 });
  expect(sizesOf(alone)).toEqual([4, 4, 2]);
  await expect(loadTask("SST-2", { data, k: 7 })).rejects.toThrow(/none is left for dev; ask for a smaller k/);
});

test("without data a task has its samples, marked as such, and they can be asked for", async () => {
  const rte = await loadTask("RTE");
  expect(rte.data).toMatchObject({ files: ["samples of RTE"], sha256: DIGITS });
  expect(rte.train.length + rte.dev.length + rte.test.length).toBe(32);
  expect((await loadTask("SST-2", { data: "samples" })).data.files).toEqual(["samples of SST-2"]);
});

const mood: TaskDefinition = {
  name: "Mood",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: { prompt: ({ line }) => `${line}\nMood:`, options: () => [" low", " high"] },
  gold: ({ high }) => [Number(high)],
};

test("a task from outside the kit is loaded under the same rules", async () => {
  const rows = Array.from({ length: 6 }, (_, i) => `day ${i},${i % 2}`);
  const file = join(dataFolder({ "my.csv": ["line,high", ...rows].join("\n") }), "my.csv");
  const task = await loadTask(mood, { data: file, train: 2, dev: 2, test: 2 });
  expect(sizesOf(task)).toEqual([2, 2, 2]);
  expect(prompts(task.train)[0]).toMatch(/^day \d\nMood:$/);
  await expect(loadTask(mood)).rejects.toThrow("Mood has no rows of its own in the kit: name a data folder or file.");
  await expect(loadTask({ ...mood, gold: () => [2] }, { data: file })).rejects.toThrow(
    /my\.csv line 2: the right answers \[2\] are not among the 2 options, counted from 0; name at least one of them; 5 other rows cannot be used either\.$/,
  );
});

test.each([
  [{ name: " " }, "needs a name"],
  [{ metric: "BLEU" }, 'needs the metric "accuracy" or "F1", not "BLEU"'],
  [{ loss: "hinge" }, 'needs the loss "candidates" or "answer", not "hinge"'],
  [{ autoregressive: undefined }, "needs a form: autoregressive, masked or both"],
  [{ metric: "F1" }, 'leave out "masked" and take the loss "answer"'],
  [{ gold: 1 }, "needs a function gold"],
  [{ labels: [] }, "has labels, which no task has"],
])("a definition changed by %j is refused", async (changes, sentence) => {
  await expect(loadTask({ ...mood, ...changes } as TaskDefinition)).rejects.toThrow(sentence);
});

test("unknown options, and splits that do not apply, are refused", async () => {
  await expect(loadTask("SST-2", { shots: 1 } as object)).rejects.toThrow(
    "Loading a task has no option shots: it has data, train, dev, test, k, split, seed, splitSeed, encoding, quoting, revision, token, onProgress.",
  );
  await expect(loadTask("SST-2", { split: "random" as "paper" })).rejects.toThrow(
    'There is no split "random": choose one of paper, proportional, files.',
  );
  await expect(loadTask("SST-2", { split: "paper" })).rejects.toThrow(/is one set of rows, which has no split "paper"/);
  await expect(loadTask("SST-2", { split: "files", train: 3 })).rejects.toThrow(/train cannot be given beside it/);
  await expect(loadTask("SST-2", { seed: -1 })).rejects.toThrow(/at seed -1: give a whole number/);
});

const sst2Folder = shared("data/sst2-full");

test.skipIf(sst2Folder === undefined)(`SST-2's own files are read: ${needs("data/sst2-full")}`, async () => {
  const task = await loadTask("SST-2", { data: sst2Folder! });
  expect(sizesOf(task)).toEqual([1000, 500, 872]);
  const positive = task.test.filter(({ gold }) => gold[0] === 1).length;
  expect(positive).toBe(444);
  const lines = readFileSync(join(sst2Folder!, "train.tsv"), "utf8").split("\n");
  const sentences = new Set(lines.map((line) => `${line.split("\t")[0]!.trim()} It was`));
  expect([...task.train, ...task.dev].every(({ autoregressive }) => sentences.has(autoregressive!.prompt))).toBe(true);
});

const rteFolder = shared("data/superglue/RTE");

test.skipIf(rteFolder === undefined)(
  `a SuperGLUE folder's rows are read, and another task's are refused: ${needs("data/superglue/RTE")}`,
  async () => {
    await expect(loadTask("SST-2", { data: rteFolder! })).rejects.toThrow(
      /train\.jsonl line 1: the row has no sentence .*"premise"/,
    );
  },
);

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
