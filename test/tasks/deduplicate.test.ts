import { join } from "node:path";
import { expect, test } from "vitest";
import { deduplicate } from "../../src/tasks/examples.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Example, TaskDefinition } from "../../src/tasks/task.ts";
import { dataFolder } from "./dataFolder.ts";

const example = (prompt: string, gold = 0): Example => ({
  autoregressive: { prompt, options: [" bad", " good"] },
  gold: [gold],
});

// pandas 3.1: DataFrame.drop_duplicates("text") keeps every one of these.
test.each([
  ["emoticons and emoji", ["good :)", "good :(", "good 👍", "good 👎", "good"]],
  ["vowel signs", ["किताब", "किताबी", "किताबे"]],
  ["signs that change the meaning", ["up 5 %", "up 5", "C", "C++", "C#", "-3", "3", "$3"]],
  ["case", ["us", "US"]],
  ["accents", ["ou", "où"]],
])("texts that differ in %s are different", (_, texts) => {
  expect(deduplicate(texts.map((text) => example(text)))).toEqual({
    examples: texts.map((text) => example(text)),
    repeated: 0,
    contradicting: 0,
  });
});

test("white space and the Unicode form of a letter make no difference, and the first example stays", () => {
  const first = example("a caf\u00e9");
  const found = deduplicate([first, example(" a\u00a0 cafe\u0301\n"), example("a caf\u00e9", 1)]);
  expect(found).toEqual({ examples: [first], repeated: 1, contradicting: 1 });
});

test("rows of one file that repeat or contradict an earlier one are left out, counted and mentioned", async () => {
  const rows = ["fine,1", "fine ,1", "fine,0", "bad,0", "bad,0", "so so,1"];
  const file = join(dataFolder({ "a.csv": ["sentence,label", ...rows].join("\n") }), "a.csv");
  const task = await loadTask("SST-2", { data: file });
  const golds = [...task.train, ...task.dev, ...task.test].map(({ autoregressive, gold }) => [
    autoregressive!.prompt,
    gold[0],
  ]);
  expect(Object.fromEntries(golds)).toEqual({ "fine It was": 1, "bad It was": 0, "so so It was": 1 });
  expect(task.data.dropped).toEqual([
    { reason: "repeated", rows: 2 },
    { reason: "contradicting", rows: 1 },
  ]);
  expect(task.remark).toBe(
    "left out: 2 rows that repeat an earlier one, 1 row that has the text of an earlier one and another label",
  );
});

test("a file that loses no row has no remark", async () => {
  const file = join(dataFolder({ "a.csv": "sentence,label\na,1\nb,0\nc,1\n" }), "a.csv");
  const task = await loadTask("SST-2", { data: file });
  expect("dropped" in task.data || "remark" in task).toBe(false);
});

const stories: TaskDefinition = {
  name: "stories",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: { prompt: ({ text }) => `${text} It was`, options: () => [" great", " great"] },
  gold: () => [0],
};

test("two options that are alike are refused, unless each is right by itself", async () => {
  const file = join(dataFolder({ "a.csv": "text\na\nb\nc\n" }), "a.csv");
  await expect(loadTask(stories, { data: file })).rejects.toThrow(
    /a\.csv line 2: two of the options are " great", so the model cannot choose between them; give other words/,
  );
  const written = { ...stories, metric: "F1", loss: "answer" } as const;
  expect((await loadTask(written, { data: file })).test.length).toBe(1);
});
