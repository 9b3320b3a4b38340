import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { GgufFile, Metadata } from "../../../src/checkpoints/gguf/header.ts";
import { makeTokenizerFiles } from "../../../src/checkpoints/gguf/tokenizer.ts";
import { makePreTokenizer } from "../../../src/text/pipeline.ts";
import { loadTokenizer, makeTokenizer, type Tokenizer } from "../../../src/text/tokenizer.ts";
import { givenTokenizerFiles } from "../../../src/text/tokenizerFiles.ts";
import { needs, shared } from "../../shared.ts";

const filesOf = (metadata: Metadata) => {
  const named = Object.entries(metadata).map(([key, value]) => [`tokenizer.ggml.${key}`, value]);
  return makeTokenizerFiles({ path: "a.gguf", tensors: new Map(), metadata: Object.fromEntries(named) } as GgufFile);
};
const tokenizerOf = (metadata: Metadata): Tokenizer => makeTokenizer(givenTokenizerFiles("a.gguf", filesOf(metadata)));

/** How Python's libraries split texts; words.py made it. */
const { texts, words }: { texts: string[]; words: Record<string, string[][]> } = JSON.parse(
  readFileSync(join(import.meta.dirname, "words.json"), "utf8"),
);

describe("a byte-level tokenizer", () => {
  const small = {
    model: "gpt2",
    tokens: ["a", "b", "Ġ", "ab", "<s>", " x"],
    merges: ["a b"],
    token_type: [1, 1, 1, 1, 3, 4],
  };

  test.each(Object.entries(words))("splits texts as Python's libraries do, by the name %s", (pre, wanted) => {
    const split = makePreTokenizer(filesOf({ ...small, pre })["tokenizer.json"]!.pre_tokenizer);
    expect(texts.map((text) => split(text, true))).toEqual(wanted);
  });

  test("looks for control and added tokens first, leaves out control tokens of texts, and begins where the file says so", () => {
    const files = filesOf({ ...small, pre: "gpt-2", add_bos_token: true, bos_token_id: 4, eos_token_id: 4 });
    const { encode, decode, special } = makeTokenizer(givenTokenizerFiles("a.gguf", files));
    expect(encode("ab<s> xab b")).toEqual([3, 4, 5, 3, 2, 1]);
    expect(decode([4, 3, 2, 1])).toBe("ab b");
    expect(special.begin).toBe(4);
    expect(files["tokenizer_config.json"]).toMatchObject({ add_bos_token: true, bos_token: "<s>", eos_token: "<s>" });
    expect(tokenizerOf({ ...small, pre: "gpt-2", add_bos_token: false, bos_token_id: 4 }).special.begin).toBeNull();
  });

  test("takes a word that is a token whole where Llama 3's way says so, though no merges make it", () => {
    const whole = { ...small, tokens: [...small.tokens, "Ġbb"], token_type: [...small.token_type, 1] };
    expect(tokenizerOf({ ...whole, pre: "llama-bpe" }).encode(" bb")).toEqual([6]);
    expect(tokenizerOf({ ...whole, pre: "gpt-2" }).encode(" bb")).toEqual([2, 1, 1]);
  });
});

const BYTES = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);

describe("a SentencePiece tokenizer", () => {
  const pieces = ["▁", "t", "h", "e", "th", "he", "▁the", "▁t"];
  const metadata = {
    ...{ model: "llama", tokens: ["<unk>", "<s>", "</s>", ...BYTES, ...pieces], bos_token_id: 1, eos_token_id: 2 },
    ...{ unknown_token_id: 0, token_type: [2, 3, 3, ...BYTES.map(() => 6), ...pieces.map(() => 1)] },
    scores: [0, 0, 0, ...BYTES.map(() => 0), -9, -10, -11, -12, -3, -2, -1, -4],
  };
  const id = (token: string): number => metadata.tokens.indexOf(token);
  const { encode, decode, special } = tokenizerOf(metadata);

  test("joins the pair of the highest score first, and writes what has no token as its bytes", () => {
    expect(encode("the")).toEqual([id("▁the")]);
    expect(encode("hthe")).toEqual(["▁", "h", "t", "he"].map(id)); // "he" scores more than "th"
    expect(encode("the\n</s>é")).toEqual("▁the,<0x0A>,</s>,▁,<0xC3>,<0xA9>".split(",").map(id));
    expect(decode(encode("the é"))).toBe("the é");
    expect(special.begin).toBe(1); // as llama.cpp does where the file says nothing
  });

  test("puts no space before a text where the file says so", () => {
    expect(tokenizerOf({ ...metadata, add_space_prefix: false }).encode("th e")).toEqual(["th", "▁", "e"].map(id));
  });

  const llama2 = shared("tokenizers/llama2/tokenizer.json");
  test.skipIf(!llama2)(
    `of Llama 2 gives the ids of its tokenizer.json${llama2 ? "" : `: ${needs("tokenizers/llama2/tokenizer.json")}`}`,
    () => {
      const vocab: Record<string, number> = JSON.parse(readFileSync(llama2!, "utf8")).model.vocab;
      const tokens = Object.entries(vocab)
        .sort(([, a], [, b]) => a - b)
        .map(([token]) => token);
      const types = tokens.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1));
      // Its pieces are numbered by their scores, but for those of spaces, which were added.
      const scores = tokens.map((token, i) => (i < 259 ? 0 : /^▁▁+$/.test(token) ? -1e9 : 259 - i));
      const made = tokenizerOf({
        model: "llama",
        tokens,
        token_type: types,
        scores,
        bos_token_id: 1,
        unknown_token_id: 0,
      });
      const own = loadTokenizer(join(llama2!, ".."));
      for (const text of [
        ...texts,
        "the quick brown fox",
        "  antidisestablishmentarianism, naïvely: f(x) = x²\n\n\t</s> <s>y",
      ])
        expect(made.encode(text)).toEqual(own.encode(text));
    },
  );
});
