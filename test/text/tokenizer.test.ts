import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import seedrandom from "seedrandom";
import { expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { decodeAfter, loadTokenizer } from "../../src/text/tokenizer.ts";
import { codes, folderWith, tinyMerges, tinyTokenizer, tinyVocab } from "./fixtures.ts";

test("vocab.json and merges.txt give byte-level BPE: merges by rank, no begin or end token", () => {
  const tokenizer = tinyTokenizer();
  expect(tokenizer.encode("It was great")).toEqual([...codes("It was"), 204]);
  expect(tokenizer.encode("great bad")).toEqual([103, 201, 203, 207]);
  expect(tokenizer.encode("")).toEqual([]);
});

test("U+FEFF is no white space, as in the Rust library: it takes the space before it", () => {
  expect(tinyTokenizer().encode("a \ufeffb")).toEqual([97, 208, 187, 191, 98]);
});

test("special tokens in the vocabulary are recognised in a text, and <mask> takes the space before it", () => {
  expect(tinyTokenizer().encode("<s>so <mask>.")).toEqual([1, ...codes("so"), 2, 46]);
});

test("tokens are found by name, and the size is the largest id plus one", () => {
  const tokenizer = tinyTokenizer();
  expect([tokenizer.id("Ġgreat"), tokenizer.id("<s>"), tokenizer.id("nothing")]).toEqual([204, 1, undefined]);
  expect(tokenizer.size).toBe(240);
});

test("decoding undoes encoding exactly, drops special and unknown ids, and of no ids is empty", () => {
  const tokenizer = tinyTokenizer();
  const text = "a great , bad one . It 's\n\n  odd !";
  expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  expect(tokenizer.decode([1, 72, 105, 150, 99999])).toBe("Hi");
  expect(tokenizer.decode([])).toBe("");
});

test("what continues a text keeps the space before it, which SentencePiece's decoder drops from a text's beginning", () => {
  const vocab = { "<unk>": 0, "▁": 1, "▁go": 2, "▁on": 3, g: 4, o: 5, n: 6 };
  const decoders = [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "Fuse" },
    { type: "Strip", content: " ", start: 1, stop: 0 },
  ];
  const model = { type: "BPE", vocab, merges: [], unk_token: "<unk>" };
  const json = { model, decoder: { type: "Sequence", decoders }, added_tokens: [] };
  const tokenizer = loadTokenizer(folderWith({ "tokenizer.json": JSON.stringify(json) }));
  expect(tokenizer.decode([3])).toBe("on");
  expect(decodeAfter(tokenizer, [2])([3])).toBe(" on");
  expect(decodeAfter(tokenizer, [])([2, 3])).toBe("go on");
});

/** Strings of what tokenizers stumble over, U+FEFF and U+0085 aside, which JavaScript's white space has and has not. */
function randomTexts(count: number): string[] {
  const random = seedrandom.alea("texts");
  const parts = " |  |\n|\n\n|\n\n\n|\t|\r\n|\u00a0|\u3000|a|film|It's|12|é|中文|😀|.|--|<s>|</s>|<mask>|<pad>".split(
    "|",
  );
  const pick = (): string => parts[Math.floor(random() * parts.length)]!;
  return Array.from({ length: count }, () => Array.from({ length: 10 * random() }, pick).join(""));
}

test.each(["opt-reviews", "roberta-reviews"])("3,000 texts have the ids that the library gives them: %s", (name) => {
  const folder = join(import.meta.dirname, "../../data/models", name);
  const json = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8"));
  const alone = new LibraryTokenizer(json, {});
  const { encode } = loadTokenizer(folder);
  for (const text of randomTexts(3000))
    expect([text, encode(text)]).toEqual([text, alone.encode(text, { add_special_tokens: false }).ids]);
});

test("paragraphs that were seen before are encoded as if they were new", () => {
  const used = tinyTokenizer();
  const parts = ["a great\n\nbad", "\n\n", "\n\n\n", " \n\n ", "x", "<mask>", "<s>", "\n\n great", "bad\n\n", "q"];
  for (let i = 0; i < 200; i++) {
    const text = Array.from({ length: 5 }, (_, k) => parts[(i * (k + 3) + k * k) % parts.length]).join("");
    const ids = used.encode(text);
    expect(ids).toEqual(tinyTokenizer().encode(text));
    ids.fill(0); // callers may change what they got
  }
});

test("an empty line between paragraphs is two line breaks", () => {
  expect(tinyTokenizer().encode("a great\n\nbad")).toEqual([97, 204, 10, 10, ...codes("b"), 206]);
});

test("tokenizer.json is preferred, and its begin and end tokens are not added", () => {
  const json = {
    added_tokens: [{ id: 1, content: "<s>", special: true }],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab: tinyVocab, merges: [] },
  };
  const files = { "tokenizer.json": JSON.stringify(json), "vocab.json": "{}", "merges.txt": "" };
  expect(loadTokenizer(folderWith(files)).encode("It was")).toEqual(codes("It was"));
});

test.each([
  [
    "none of the files",
    {},
    /^Reading the model folder .*: no tokenizer there; add its tokenizer\.json, or vocab\.json and merges\.txt/,
  ],
  ["vocab.json without merges.txt", { "vocab.json": "{}" }, /no tokenizer there/],
  ["a tokenizer.json that is not JSON", { "tokenizer.json": "{" }, /tokenizer\.json: .*must be JSON/],
  ["a tokenizer.json that is a number", { "tokenizer.json": "3" }, /tokenizer\.json: it is not a JSON object/],
  ["a tokenizer.json of another kind", { "tokenizer.json": "{}" }, /tokenizer\.json: .*must be a tokenizer/],
  [
    "a normalizer of ten thousand in one another",
    {
      "tokenizer.json": `{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"normalizer":${'{"type":"Sequence","normalizers":['.repeat(10_000)}${"]}".repeat(10_000)}}`,
    },
    /tokenizer\.json: its parts are nested too deeply/,
  ],
  [
    "a decoder of another kind",
    {
      "tokenizer.json":
        '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"decoder":{"type":"Sequence","decoders":[null]}}',
    },
    /The tokenizer has a decoder of type nothing, which the kit does not compute/,
  ],
  [
    "a model that is the name of a method",
    { "tokenizer.json": '{"model":{"type":"constructor","vocab":{"a":0}}}' },
    /The tokenizer has a model of type "constructor", which the kit does not compute: it knows BPE, Unigram/,
  ],
  [
    "a vocab.json that is a list",
    { "vocab.json": "[1]", "merges.txt": tinyMerges },
    /vocab\.json: it is not a JSON object/,
  ],
  [
    "a vocab.json of texts",
    { "vocab.json": '{"a":"b"}', "merges.txt": tinyMerges },
    /vocab\.json: the token "a" has the id "b", which is not a whole number/,
  ],
  [
    "a vocab.json with an id that no vocabulary has",
    { "vocab.json": '{"a":0,"b":4294967294}', "merges.txt": "" },
    /vocab\.json: the token "b" has the id 4294967294, far more than its 2 tokens need/,
  ],
  ["a vocab.json with a negative id", { "vocab.json": '{"a":-1}', "merges.txt": "" }, /"a" has the id -1, which is no/],
  ["a vocab.json with half an id", { "vocab.json": '{"a":0.5}', "merges.txt": "" }, /"a" has the id 0\.5, which is no/],
  [
    "a vocab.json with an id twice",
    { "vocab.json": '{"a":3,"b":3}', "merges.txt": "" },
    /the token "b" has the id 3, which "a" has too/,
  ],
  [
    "a vocab.json with a token twice",
    { "vocab.json": '{"a":3,"b":4,"a":5}', "merges.txt": "" },
    /vocab\.json: it has "a" twice/,
  ],
  [
    "a merge of three tokens",
    { "vocab.json": '{"a":0,"b":1,"ab":2}', "merges.txt": "#version: 0.2\na b\na b c" },
    /its merge 2 is "a b c" instead of two tokens/,
  ],
  [
    "a merge that makes no token",
    { "vocab.json": '{"a":0,"b":1}', "merges.txt": "a b" },
    /merges\.txt: its merge 1 is "a b", but "ab" is not in the vocabulary/,
  ],
])("%s is a clear error", (_, files: Record<string, string>, found) => {
  const folder = folderWith(files);
  expect(() => loadTokenizer(folder)).toThrow(KitError);
  expect(() => loadTokenizer(folder)).toThrow(found);
});
