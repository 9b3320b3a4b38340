import { join } from "node:path";
import { expect, test } from "vitest";
import { findTask, tasks } from "../../src/tasks/index.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { MASK, type MaskedPrompt } from "../../src/text/maskedPrompt.ts";
import { encodeGeneration, encodePrompt } from "../../src/text/prompt.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { layouts } from "./layouts.ts";

const tokenizer = loadTokenizer(join(import.meta.dirname, "../../data/models/opt-reviews"));

/** A masked prompt as it is printed in Table 13, without the begin and end tokens. */
function printed({ parts }: MaskedPrompt): string {
  return parts.map((part) => (part === MASK ? "<mask>" : part.text)).join("");
}

test.each(layouts)(
  "$task reads $layout and asks as the paper does",
  ({ task, record, autoregressive, masked, gold }) => {
    const definition = findTask(task);
    const rows = definition.unpack?.(record) ?? [record];
    expect(rows.length).toBe(1);
    const row = rows[0]!;
    expect(definition.gold(row)).toEqual(gold);
    expect(
      definition.autoregressive && [definition.autoregressive.prompt(row), ...definition.autoregressive.options(row)],
    ).toEqual(autoregressive);
    expect(definition.masked && [printed(definition.masked.prompt(row)), ...definition.masked.options(row)]).toEqual(
      masked,
    );
  },
);

/** The authors' prompts without content (their `encode_sfc`); other tasks have none there. */
const CONTENT_FREE: Readonly<Record<string, string>> = {
  ...{ "SST-2": " It was", RTE: "", CB: "", BoolQ: "", WSC: "", WIC: "", MultiRC: "", ReCoRD: "-" },
};
const CONJUNCTIONS: Readonly<Record<string, string>> = { cause: "because", effect: "so" };

test.each(layouts)("$task has the authors' prompt without content: $layout", ({ task, record }) => {
  const { autoregressive, unpack } = findTask(task);
  const row = (unpack?.(record) ?? [record])[0]!;
  const expected = task === "COPA" ? CONJUNCTIONS[String(row.question)] : CONTENT_FREE[task];
  expect(autoregressive?.contentFree?.(row)).toBe(expected);
});

test("COPA's prompt without content is the conjunction that its question asks for", () => {
  const row = { premise: "p", choice1: "a", choice2: "b", label: 0 };
  for (const [question, word] of Object.entries(CONJUNCTIONS))
    expect(findTask("COPA").autoregressive!.contentFree!({ ...row, question })).toBe(word);
});

test("every task has a layout above", () => {
  expect(new Set(layouts.map(({ task }) => task))).toEqual(new Set(tasks.map(({ name }) => name)));
});

test.each(tasks.map(({ name }) => [name] as const))("%s keeps the contract on all its samples", async (name) => {
  const task = await loadTask(name, { data: "samples" });
  const examples = [...task.train, ...task.dev, ...task.test];
  expect(examples.length).toBeGreaterThan(30);
  for (const { autoregressive, masked, gold } of examples) {
    const { options } = (autoregressive ?? masked)!;
    expect(options.length).toBeGreaterThan(0);
    expect(gold.every((index) => options[index]!.trim() !== "")).toBe(true);
    expect(masked?.prompt.parts.filter((part) => part === MASK).length ?? 1).toBe(1);
    if (!autoregressive) continue;
    const example = { tokenizer, begin: 0, maxLength: 2048, demonstrations: [], ...autoregressive };
    const { candidates } = encodePrompt(example);
    expect(candidates.every(({ ids, optionLength }) => optionLength >= 1 && optionLength < ids.length)).toBe(true);
    if (task.metric === "F1") expect(encodeGeneration(example).length).toBeLessThan(candidates[0]!.ids.length);
  }
});

test.each([
  [
    "ReCoRD",
    { passage: "p", query: "@placeholder", entities: ["A"], answers: ["B"] },
    'none of the answers ["B"] is among the entities',
  ],
  ["SQuAD", { title: "t", context: "c", question: "q", answers: { text: [] } }, "the answer is []"],
  ["COPA", { premise: "p", question: "why", choice1: "a", choice2: "b", label: 0 }, 'the question is "why"'],
  ["CB", { premise: "p", hypothesis: "h", label: "maybe" }, "none of 0 (entailment), 1 (contradiction), 2 (neutral)"],
  ["TREC", { text: "q", label: 6 }, "the label 6 is none of 0 (DESC), 1 (ENTY), 2 (ABBR)"],
])("%s says what is wrong with %j", (name, row, sentence) => {
  const { gold, autoregressive } = findTask(name);
  expect(() => [gold(row), autoregressive!.prompt(row)]).toThrow(sentence);
});
