import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { promptPage } from "../../src/lab/promptPage.ts";
import { tasks } from "../../src/tasks/index.ts";

let page: string;
beforeAll(async () => {
  page = await promptPage();
});

test("the committed page of prompts is what the tasks' code makes", () => {
  expect(page).toBe(readFileSync(resolve("notebooks/prompts.md"), "utf8"));
});

/** What stands in the first block of a task under one of the page's two heads. */
function templateOf(head: "continue a text" | "fill a mask", task: string): string {
  const part = page.split("\n## ").find((each) => each.startsWith(`For models that ${head}`))!;
  const section = part.split("\n### ").find((each) => each.startsWith(`${task}\n`))!;
  return /```text\n(.*?)\n```/s.exec(section)![1]!;
}

// The templates as the code released with the paper has them; ⏎ is their last line break.
test.each([
  ["SST-2", "{sentence} It was"],
  ["RTE", '{premise}\nDoes this mean that "{hypothesis}" is true? Yes or No?⏎'],
  ["CB", 'Suppose {premise} Can we infer that "{hypothesis}"? Yes, No, or Maybe?⏎'],
  ["BoolQ", "{passage} {question}?⏎"],
  ["WSC", '{text}\nIn the previous sentence, does the pronoun "{span2_text}" refer to {span1_text}? Yes or No?⏎'],
  ["WIC", 'Does the word "{word}" have the same meaning in these two sentences? Yes, No?\n{sentence1}\n{sentence2}⏎'],
  ["MultiRC", '{paragraph}\nQuestion: {question}\nI found this answer "{answer}". Is that correct? Yes or No?⏎'],
  ["COPA", "{premise} so"],
  ["ReCoRD", "{passage}\n-"],
  ["SQuAD", "Title: {title}\nContext: {context}\nQuestion: {question}\nAnswer:"],
  ["DROP", "Passage: {passage}\nQuestion: {question}\nAnswer:"],
])("%s has the template of Table 14", (task, template) => {
  expect(templateOf("continue a text", task)).toBe(template);
});

test.each([
  ["SST-2", "{sentence} It was<mask>."],
  ["SST-5", "{sentence} It was<mask>."],
  ["SNLI", "{premise}?<mask>, {hypothesis}"],
  ["MNLI", "{premise}?<mask>, {hypothesis}"],
  ["RTE", "{premise}?<mask>, {hypothesis}"],
  ["TREC", "<mask>: {text}"],
])("%s has the template of Table 13", (task, template) => {
  expect(templateOf("fill a mask", task)).toBe(template);
});

test("the page leaves out no form of a task", () => {
  const forms = tasks.flatMap(({ autoregressive, masked }) => [autoregressive, masked]).filter(Boolean);
  expect(page.match(/^### /gm)).toHaveLength(forms.length);
});
