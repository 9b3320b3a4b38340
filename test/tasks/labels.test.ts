import { join } from "node:path";
import { expect, test } from "vitest";
import { labelField } from "../../src/tasks/definitions/fields.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { dataFolder, sentencesTsv } from "./dataFolder.ts";

const labelOf = (classes: readonly string[], label: unknown): number => labelField({ label }, ["label"], classes);

// huggingface/datasets' ClassLabel(names=…).str2int gives the same: a name goes before a position.
test.each([
  [
    ["5", "4", "3", "2", "1"],
    ["5", "4", "3", "2", "1"],
  ],
  [
    ["1", "0"],
    ["1", "0"],
  ],
  [
    ["1", "0"],
    [1, 0],
  ],
  [
    ["1.0", "0.0"],
    ["1", 0],
  ],
  [
    ["yes", "Yes"],
    ["yes", "Yes"],
  ],
])("classes named %j are found by name, whatever their positions", (classes, labels) => {
  expect(labels.map((label) => labelOf(classes, label))).toEqual(labels.map((_, i) => i));
});

test("where classes are named by numbers, positions are not accepted", () => {
  expect(() => labelOf(["1", "2", "3"], 0)).toThrow("the label 0 is none of 1, 2, 3; correct the row or drop it.");
});

test.each([
  ["1.0", 1],
  [" 1 ", 1],
  ["1.", 1],
  [1, 1],
  ["0.0", 0],
  ["POSITIVE ", 1],
])("the label %j of a column with gaps, with spaces or in other letters is class %i", (label, index) => {
  expect(labelOf(["negative", "positive"], label)).toBe(index);
});

test.each([[true], ["True"], ["TRUE"], ["true"], ["1.0"], [1]])("%j is true", (label) => {
  expect(labelOf(["false", "true"], label)).toBe(1);
});

test.each([["0.5"], ["2"], ["01"], ["1e0"], ["-2"], [[1]], [{}], [true], ["nan"]])(
  "%j is not one of two classes",
  (label) => {
    expect(() => labelOf(["negative", "positive"], label)).toThrow(
      /is none of 0 \(negative\), 1 \(positive\); correct/,
    );
  },
);

test("−1 means no label, unless a class has that name", () => {
  for (const none of [-1, "-1", "-1.0", "-"])
    expect(() => labelOf(["negative", "positive"], none)).toThrow(/which means that the row has none/);
  expect(labelOf(["-1", "1"], -1)).toBe(0);
});

test("rows without a label are left out and counted, also where only their text is missing too", async () => {
  const rows = ["a,1", "b,0", "c,-1", "d,1.0", ",-1"];
  const file = join(dataFolder({ "a.csv": ["sentence,label", ...rows].join("\n") }), "a.csv");
  const task = await loadTask("SST-2", { data: file });
  expect(task.train.length + task.dev.length + task.test.length).toBe(3);
  expect(task.data.dropped).toEqual([{ reason: "unlabelled", rows: 2 }]);
  expect(task.remark).toBe("left out: 2 rows that have no label");
});

test("a file without any label is refused, and a folder's unlabelled test file is skipped", async () => {
  const test = "sentence,label\na,-1\nb,-1\n";
  const folder = dataFolder({ "train.tsv": sentencesTsv(6), "test.csv": test });
  await expect(loadTask("SST-2", { data: join(folder, "test.csv") })).rejects.toThrow(
    /test\.csv has no labels: all of its 2 rows say −1, as in public test sets; give the train or validation file\.$/,
  );
  await expect(loadTask("SST-2", { data: folder, split: "proportional" })).rejects.toThrow(/test\.csv has no labels/);
  const whole = dataFolder({ "train.tsv": sentencesTsv(6), "test.csv": test, "validation.tsv": sentencesTsv(2, "v") });
  expect((await loadTask("SST-2", { data: whole, split: "proportional" })).test.length).toBe(2);
});

test("SNLI's rows whose annotators did not agree are left out, counted over all files", async () => {
  const rows = ["a\tb\tneutral", "c\td\t-", "e\tf\tentailment", "g\th\tcontradiction"];
  const tsv = ["sentence1\tsentence2\tgold_label", ...rows, ""].join("\n");
  const data = dataFolder({ "train.tsv": tsv, "dev.tsv": tsv, "test.tsv": tsv });
  const task = await loadTask("SNLI", { data, split: "files" });
  expect([task.train.length, task.dev.length, task.test.length]).toEqual([3, 3, 3]);
  expect(task.data.dropped).toEqual([{ reason: "unlabelled", rows: 3 }]);
});

test("an error names the first unusable row, and the number of the others", async () => {
  const file = join(dataFolder({ "a.csv": "sentence,label\na,1\n,0\nb,7\nc,\n" }), "a.csv");
  await expect(loadTask("SST-2", { data: file })).rejects.toThrow(
    /a\.csv line 3: the row has no sentence \(.*\); add it or drop the row; 2 other rows cannot be used either\.$/,
  );
});

test("a row that is nested too deeply is refused as a row", async () => {
  const deep = `${"[".repeat(5000)}1${"]".repeat(5000)}`;
  const file = join(
    dataFolder({ "a.jsonl": `{"sentence":"a","label":${deep}}\n{"sentence":${deep},"label":1}\n` }),
    "a.jsonl",
  );
  await expect(loadTask("SST-2", { data: file })).rejects.toThrow(
    /a\.jsonl line 1: the label \[\[\[\["…"\]\]\]\] is none of .*; another row cannot be used either\.$/,
  );
});

test("the 64-bit integers of Parquet are labels too", () => {
  expect(labelOf(["negative", "positive"], 1n)).toBe(1);
});
