import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ClassificationOptions, classification } from "../../src/tasks/classification.ts";
import { definitionOf } from "../../src/tasks/index.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Example } from "../../src/tasks/task.ts";
import { MASK, type MaskedPrompt } from "../../src/text/maskedPrompt.ts";

const MOODS = { angry: " angry", glad: " happy" };
const spec: ClassificationOptions = { text: "text", label: "mood", classes: MOODS };

/** Writes rows under a header, and gives the file. */
function csv(header: string, rows: readonly string[], name = "rows.csv"): string {
  const file = join(mkdtempSync(join(tmpdir(), "classification-")), name);
  writeFileSync(file, `${[header, ...rows].join("\n")}\n`);
  return file;
}

/** Rows with texts of their own and these labels in turn. */
const labelled = (count: number, ...labels: readonly string[]): string[] =>
  Array.from({ length: count }, (_, i) => `text ${i},${labels[i % labels.length]}`);

const printed = ({ parts }: MaskedPrompt): string[] => parts.map((part) => (part === MASK ? "MASK" : part.text));

const all = ({ train, dev, test }: Record<"train" | "dev" | "test", readonly Example[]>): Example[] => [
  ...train,
  ...dev,
  ...test,
];

test.each<[string, Partial<ClassificationOptions>, string, string[]]>([
  ["the label column's name", {}, "so late mood:", ["so late", " mood:", "MASK"]],
  [
    "a prompt",
    { prompt: "{text} The customer is" },
    "so late The customer is",
    ["so late", " The customer is", "MASK"],
  ],
  [
    "text before the row's",
    { prompt: "He wrote: {text}\n=>" },
    "He wrote: so late\n=>",
    ["He wrote:", " so late", "\n=>", "MASK"],
  ],
  ["several texts", { text: ["title", "text"] }, "parcel so late mood:", ["parcel", " so late", " mood:", "MASK"]],
  [
    "several texts in a prompt",
    { text: ["title", "text"], prompt: "{text} ({title}) It was " },
    "so late (parcel) It was ",
    ["so late", " (", "parcel", ") It was", "MASK"],
  ],
])("a row is put to both kinds of models with %s", (_what, change, prompt, parts) => {
  const { autoregressive, masked, gold } = classification({ ...spec, ...change });
  const row = { title: "parcel", text: " so late\n", mood: "glad" };
  expect(autoregressive!.prompt(row)).toBe(prompt);
  expect(printed(masked!.prompt(row))).toEqual(parts);
  expect([autoregressive!.options(row), masked!.options(row)]).toEqual([Object.values(MOODS), Object.values(MOODS)]);
  expect(gold(row)).toEqual([1]);
});

describe("the classes are", () => {
  test("those of the file where none are named, the most frequent first and then by name, and are their own answers", async () => {
    const data = csv("text,mood", [
      ...labelled(12, "sad", "calm"),
      ...labelled(5, "glad").map((row) => `more ${row}`),
      "x,glad",
      "y,glad",
    ]);
    const task = await loadTask(classification({ text: "text", label: "mood" }), { data });
    const { classNames, spec: decided } = definitionOf(task);
    expect(classNames).toEqual(["glad", "calm", "sad"]);
    expect(all(task)[0]!.autoregressive!.options).toEqual([" glad", " calm", " sad"]);
    expect(task.name).toBe("mood classification");
    // What a file holds of the task makes it again, classes and all.
    const again = classification(JSON.parse(JSON.stringify(decided)));
    expect((await loadTask(again, { data })).test).toEqual(task.test);
  });

  test("those of the train file of a folder", async () => {
    const folder = mkdtempSync(join(tmpdir(), "classification-"));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "train.csv"), `text,mood\n${labelled(9, "sad", "calm", "sad").join("\n")}\n`);
    for (const part of ["dev", "test"]) writeFileSync(join(folder, `${part}.csv`), `text,mood\n${part},calm\n`);
    const task = await loadTask(classification({ text: "text", label: "mood" }), { data: folder, split: "files" });
    expect(definitionOf(task).classNames).toEqual(["sad", "calm"]);
    expect(task.test[0]!.gold).toEqual([1]);
  });

  test("found as they are written, or else in any case; as numbers too; and a row without a label is left out", async () => {
    const rows = [...labelled(8, "Angry", "glad"), "new,", "newer, "];
    const task = await loadTask(classification(spec), { data: csv("text,mood", rows) });
    expect(task.data).toMatchObject({ rows: 10, dropped: [{ reason: "unlabelled", rows: 2 }] });
    const { gold } = classification({ ...spec, classes: ["1", "0"] });
    expect([gold({ mood: 0 }), gold({ mood: "1" }), gold({ mood: 1n })]).toEqual([[1], [0], [0]]);
    const both = classification({ ...spec, classes: ["A", "a"] });
    expect([both.gold({ mood: "A" }), both.gold({ mood: "a" })]).toEqual([[0], [1]]);
  });
});

test.each<[string, Partial<ClassificationOptions>, RegExp]>([
  ["no text column", { text: "" }, /the name of its text column, or of several, not ""/],
  ["no label column", { label: "" }, /the name of its label column, not ""/],
  ["a prompt without the text", { prompt: "It was" }, /"It was" does not have the text column \{text\}/],
  ["a prompt with another column", { prompt: "{text} {body}" }, /has \{body\}, which is no text column \(text\)/],
  ["one class", { classes: ["angry"] }, /at least two classes/],
  ["two classes of one answer", { classes: { a: " x", b: " x" } }, /different ones with different answers/],
  ["a blank answer", { classes: { a: " ", b: " x" } }, /"a" has the answer " ": give a text, such as " a"/],
  ["an answer without its space", { classes: { a: "angry", b: " x" } }, /begin it with a space, " angry"/],
  ["an unknown option", { column: "x" } as object, /A classification has no option column: it has name, text/],
])("a classification with %s is refused", (_what, change, sentence) => {
  expect(() => classification({ ...spec, ...change })).toThrow(sentence);
});

test.each<[string, string, string[], ClassificationOptions, RegExp]>([
  [
    "another label",
    "text,mood",
    [...labelled(5, "glad"), "x,bored"],
    spec,
    /line 7: the label "bored" is none of angry, glad/,
  ],
  [
    "no such column",
    "body,mood",
    labelled(5, "glad"),
    spec,
    /line 2: the row has no column "text", but "body", "mood"/,
  ],
  ["no label column", "text,feeling", labelled(5, "glad"), spec, /has no column "mood", but "text", "feeling"/],
  ["a blank text", "text,mood", [...labelled(5, "glad"), " ,glad"], spec, /line 7: the row has no text \(in text\)/],
  [
    "one label alone",
    "text,mood",
    labelled(5, "glad"),
    { text: "text", label: "mood" },
    /of 5 rows it has "glad" alone/,
  ],
  [
    "a column that is no label",
    "mood,text",
    labelled(5, "glad"),
    { text: "text", label: "mood" },
    /another label in every row/,
  ],
  [
    "a misspelt label column",
    "text,mood",
    labelled(5, "glad"),
    { text: "text", label: "mod" },
    /rows.csv: the row has no column "mod", but "text", "mood"/,
  ],
])("a file with %s is refused by its name", async (_what, header, rows, options, sentence) => {
  await expect(loadTask(classification(options), { data: csv(header, rows) })).rejects.toThrow(sentence);
});

test("classes that the data decide are not known before", () => {
  const undecided = classification({ text: "text", label: "mood" });
  expect(() => definitionOf(undecided)).toThrow(/give the task as loadTask returns it, or name the classes/);
  expect(() => undecided.gold({ mood: "glad" })).toThrow(/or name its classes/);
});
