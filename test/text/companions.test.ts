import { expect, test } from "vitest";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { folderWith, tinyMerges } from "./fixtures.ts";

/** GPT-2's kind in two files: 94 visible ASCII characters, the space, four special tokens and a few merges. */
const letters = [..."Ġ", ...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))];
const merged = tinyMerges
  .split("\n")
  .slice(1, 9)
  .map((merge) => merge.replace(" ", ""));
const tokens = ["<s>", "<pad>", "</s>", "<unk>", ...letters, ...merged];
const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
const next = tokens.length;

const files = { "vocab.json": JSON.stringify(vocab), "merges.txt": tinyMerges.split("\n").slice(0, 9).join("\n") };
const text = "a [A] great [B]</s> <s>x";

function idsWith(beside: Readonly<Record<string, object>>, rows?: number): (number | string)[] {
  const added = Object.fromEntries(Object.entries(beside).map(([name, value]) => [name, JSON.stringify(value)]));
  const ids = loadTokenizer(folderWith({ ...files, ...added }), rows).encode(text);
  return ids.map((id) => tokens[id] ?? id);
}

const named = { bos_token: "</s>", eos_token: "</s>", unk_token: "</s>", pad_token: "<pad>" };
const flags = { lstrip: true, rstrip: true, single_word: false, normalized: true, special: false };
const [a, b] = [
  ["[", "A", "]"],
  ["[", "B", "]"],
];
const s = ["<", "s", ">"];

// As AutoTokenizer of transformers 5.24.0 splits the same text with OPT's files and the same ones beside them.
test.each([
  [
    "added_tokens.json and the special tokens of special_tokens_map.json",
    {
      "added_tokens.json": { "[A]": next, "[B]": next + 1 },
      "special_tokens_map.json": { ...named, additional_special_tokens: ["[B]"] },
    },
    ["a", "Ġ", next, "Ġgreat", "Ġ", next + 1, "</s>", "Ġ", ...s, "x"],
  ],
  [
    "added_tokens_decoder of tokenizer_config.json, which takes the place of added_tokens.json",
    {
      "added_tokens.json": { "[A]": next, "[B]": next + 1 },
      "tokenizer_config.json": { ...named, added_tokens_decoder: { [next]: { content: "[A]", ...flags } } },
    },
    ["a", next, "g", "re", "at", "Ġ", ...b!, "</s>", "Ġ", ...s, "x"],
  ],
  [
    "special tokens without an id, which get the next ones",
    { "special_tokens_map.json": { ...named, additional_special_tokens: ["[A]", { content: "[B]", lstrip: true }] } },
    ["a", "Ġ", next, "Ġgreat", next + 1, "</s>", "Ġ", ...s, "x"],
  ],
] as const)("tokens come from %s", (_, beside, want) => {
  expect(idsWith(beside)).toEqual(want);
});

test("special tokens without an id are left out where the model has no row for them", () => {
  const beside = { "special_tokens_map.json": { ...named, additional_special_tokens: ["[A]", "[B]"] } };
  expect(idsWith(beside, next + 1)).toContain(next);
  expect(idsWith(beside, next + 1)).not.toContain(next + 1);
  expect(idsWith(beside, next)).toEqual(["a", "Ġ", ...a!, "Ġgreat", "Ġ", ...b!, "</s>", "Ġ", ...s, "x"]);
});

test("where no file names special tokens, those of RoBERTa and OPT are found", () => {
  expect(idsWith({}).slice(-4)).toEqual(["</s>", "Ġ", "<s>", "x"]);
});

test("tokenizer_config.json says whether texts get a space before them, after added tokens too", () => {
  const beside = { "tokenizer_config.json": { ...named, add_prefix_space: true } };
  const added = Object.fromEntries(Object.entries(beside).map(([name, value]) => [name, JSON.stringify(value)]));
  const { encode } = loadTokenizer(folderWith({ ...files, ...added }));
  expect(encode("great</s>great").map((id) => tokens[id])).toEqual(["Ġgreat", "</s>", "Ġgreat"]);
});

test.each([
  ["an id that is not the next", { "[A]": next + 5 }, `"[A]" has the id ${next + 5}, but ${next} is the next`],
  ["another id than in the vocabulary", { "</s>": 9 }, `"</s>" has the id 9, but 2 in the vocabulary`],
  ["an id that is a text", { "[A]": "x" }, `with the id "x" needs a text and a whole number`],
])("an added token with %s is refused by its name", (_, added, message) => {
  expect(() => idsWith({ "added_tokens.json": added })).toThrow(message);
});
