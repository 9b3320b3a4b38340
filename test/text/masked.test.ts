import { join } from "node:path";
import { expect, test } from "vitest";
import { findTask } from "../../src/tasks/index.ts";
import { encodeMasked, MASK, type MaskedPart } from "../../src/text/maskedPrompt.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { needs, shared } from "../shared.ts";
import { codes, tinyTokenizer } from "./fixtures.ts";

function encode(parts: readonly MaskedPart[], maxLength = 100, options: readonly string[] = [" great", " bad"]) {
  return encodeMasked({ tokenizer: tinyTokenizer(), begin: 0, end: 9, mask: 2, prompt: { parts, maxLength }, options });
}

const parts: readonly MaskedPart[] = [{ text: "a g" }, { text: " It was" }, MASK, { text: "." }];

test("pieces are encoded one by one between the begin and the end token, with the mask's place and the answers' ids", () => {
  const { candidates, shared } = encode([{ text: "a g" }, { text: "reat" }, MASK, { text: "." }]);
  // In one piece the text would be "a" and " great", 97 and 204.
  expect([...shared!.ids]).toEqual([0, 97, 200, 201, 203, 2, 46, 9]);
  expect(shared!.at).toBe(5);
  expect(shared!.answers).toEqual([204, 207]);
  expect(candidates).toEqual([]);
});

test("a piece with a limit is cut after it, and the whole loses its tail with the end token", () => {
  expect([...encode([{ text: "long text", maxTokens: 3 }, MASK]).shared!.ids]).toEqual([0, ...codes("lon"), 2, 9]);
  const { ids, at } = encode([MASK, { text: "abcdef" }], 5).shared!;
  expect([...ids]).toEqual([0, 2, ...codes("abc")]);
  expect(at).toBe(1);
});

test("where the tail's cut would take the mask, the longest piece before it is shortened; without room, or a mask, it is an error", () => {
  expect(encode(parts, 11).shared!.ids[10]).toBe(2);
  const { ids, at } = encode([{ text: "abcdefgh" }, { text: "It" }, MASK, { text: "." }], 9).shared!;
  expect([...ids]).toEqual([0, ...codes("abcIt"), 2, 46, 9]);
  expect(at).toBe(6);
  const both = encode([{ text: "abcdefgh" }, MASK, { text: "ijklmnop" }], 8).shared!;
  expect([both.ids.length, both.ids[both.at]]).toEqual([8, 2]);
  expect(() => encode([{ text: "abcd" }, MASK, { text: "." }], 3)).toThrow(
    "4 tokens come before the mask and 3 fit in all; shorten the text or raise maxLength.",
  );
  expect(() => encode([{ text: "a" }])).toThrow("none of its parts is MASK; add it.");
});

test("an option of several tokens is represented by its first", () => {
  const { answers } = encode(parts, 100, [" great", " good"]).shared!;
  expect(answers).toEqual([204, tinyTokenizer().encode(" good")[0]]);
});

test("an option without a space before it, and two that begin with the same token, are refused", () => {
  expect(() => encode(parts, 100, [" great", "bad"])).toThrow('the option "bad" for a mask: give a word with a space');
  expect(() => encode(parts, 100, [" great", " bad", " great bad"])).toThrow(
    'Encoding the options for a mask: " great" and " great bad" begin with the same token',
  );
});

const roberta = shared("tokenizers/roberta/tokenizer.json");

// Ids of the Rust library tokenizers 0.22 for the pieces.
test.skipIf(!roberta)(
  `RoBERTa's ids of Table 13's prompts are the published; ${needs("tokenizers/roberta/tokenizer.json")}`,
  () => {
    const tokenizer = loadTokenizer(join(roberta!, ".."));
    const mask = tokenizer.id("<mask>")!;
    const encodeRow = (task: string, row: Readonly<Record<string, unknown>>) => {
      const { prompt, options } = findTask(task).masked!;
      return encodeMasked({ tokenizer, begin: 0, end: 2, mask, prompt: prompt(row), options: options(row) }).shared!;
    };
    expect(mask).toBe(50264);
    const sst2 = encodeRow("SST-2", { sentence: "well worth revisiting as many times ", label: 1 });
    expect([[...sst2.ids], sst2.at, sst2.answers]).toEqual([
      [0, 3056, 966, 25614, 2838, 25, 171, 498, 1437, 85, 21, 50264, 4, 2],
      11,
      [6587, 372],
    ]);
    const rte = encodeRow("RTE", { premise: "Reagan was wounded.", hypothesis: "Reagan survived." });
    expect([[...rte.ids], rte.answers]).toEqual([
      [0, 9064, 7060, 21, 5424, 116, 50264, 6, 769, 7060, 5601, 4, 2],
      [3216, 440],
    ]);
    const answersOf = (task: string): readonly number[] =>
      encodeRow(task, { text: "a.", premise: "a.", hypothesis: "b" }).answers;
    expect(answersOf("SST-5")).toEqual([6587, 1099, 8578, 205, 372]);
    expect(answersOf("MNLI")).toEqual([3216, 5359, 440]);
    expect(answersOf("TREC")).toEqual([33425, 46718, 43819, 3861, 16287, 12270]);
  },
);
