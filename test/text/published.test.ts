import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodePrompt } from "../../src/text/prompt.ts";
import { loadTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import { needs, shared } from "../shared.ts";
import { folderWith } from "./fixtures.ts";

const opt = shared("tokenizers/opt/tokenizer.json");
const roberta = shared("tokenizers/roberta/tokenizer.json");
const llama = shared("tokenizers/llama2/tokenizer.json");
const sentences = shared("data/sst2-full/test.tsv");

const loaded = new Map<string, Tokenizer>();

function load(file: string): Tokenizer {
  const tokenizer = loaded.get(file) ?? loadTokenizer(join(file, ".."));
  loaded.set(file, tokenizer);
  return tokenizer;
}

// Ids that the Rust library tokenizers 0.23.3 gives for the same files.
const texts: [string, number[], number[]][] = [
  ["\ufeffHello world", [43251, 2023, 9470, 31414, 232], [28705, 31759, 16230, 1526]],
  ["a \ufeffb", [102, 33549, 2023, 9470, 428], [264, 28705, 31759, 28726]],
  ["x \u0085 y", [1178, 5505, 5782, 1423], [1318, 28705, 31363, 337]],
  [
    "It's 2 o'clock — naïve 中文 😀!",
    [243, 18, 132, 1021, 108, 17036, 93, 39300, 1437, 47643, 47240, 6382, 17841, 7471, 328],
    [
      661, 28742, 28713, 28705, 28750, 289, 28742, 10487, 1040, 1879, 28920, 333, 28705, 28991, 29019, 28705, 30575,
      28808,
    ],
  ],
  [
    "tab\there  two\n\nparas \n",
    [34108, 50117, 10859, 1437, 80, 50118, 50118, 5489, 281, 1437, 50118],
    [7683, 12, 7750, 28705, 989, 13, 13, 1389, 293, 28705, 13],
  ],
];

describe.skipIf(!opt)(`OPT's tokenizer; ${needs("tokenizers/opt/tokenizer.json")}`, () => {
  test("the answers of the paper's tasks are the published single tokens", () => {
    const tokenizer = load(opt!);
    const answers = [" great", " terrible", "Yes", "No", "Maybe", "\n"].map((text) => tokenizer.encode(text));
    expect(answers).toEqual([[372], [6587], [9904], [3084], [14541], [50118]]);
    expect(tokenizer.size).toBe(50265);
    expect([tokenizer.id("<pad>"), tokenizer.id("</s>"), tokenizer.id("Ġgreat")]).toEqual([1, 2, 372]);
  });

  test.each(texts)("%j has the Rust library's ids", (text, ids) => {
    const tokenizer = load(opt!);
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text);
  });

  test("demonstrations, options and truncation give the ids of the authors' Python code", () => {
    const shots = [
      " a dull , lifeless mess . It was terrible",
      "one of the best films \x1c of the year It was great\n",
    ];
    const sst2 = { tokenizer: load(opt!), begin: 0, options: [" terrible", " great"], maxLength: 2048 };
    const prompt = "unflinchingly bleak and desperate  It was";
    const full = encodePrompt({ ...sst2, demonstrations: shots, prompt });
    const expected = [
      [0, 102, 22018, 2156, 37019, 7319, 479, 85, 21, 6587, 50118, 50118, 1264, 9, 5, 275, 3541, 1437, 50136, 9, 5, 76],
      [85, 21, 372, 50118, 50118, 879, 4825, 3796, 7790, 23530, 8, 7764, 1437, 85, 21],
    ].flat();
    expect(full.candidates.map(({ ids }) => [...ids])).toEqual([
      [...expected, 6587],
      [...expected, 372],
    ]);
    const cut = encodePrompt({ ...sst2, demonstrations: shots, prompt, maxLength: 12 });
    expect([...cut.candidates[1]!.ids]).toEqual([0, 879, 4825, 3796, 7790, 23530, 8, 7764, 1437, 85, 21, 372]);
  });
});

describe.skipIf(!opt || !sentences)(`vocab.json and merges.txt; ${needs("data/sst2-full/test.tsv")}`, () => {
  test("OPT's two files give the ids of its tokenizer.json on hundreds of sentences", () => {
    const folder = folderWith({});
    for (const name of ["vocab.json", "merges.txt"]) copyFileSync(join(opt!, "..", name), join(folder, name));
    const [two, one] = [loadTokenizer(folder), load(opt!)];
    const lines = readFileSync(sentences!, "utf8").split("\n").slice(1, 501);
    expect(lines.length).toBe(500);
    for (const line of lines) expect(two.encode(line)).toEqual(one.encode(line));
    expect(two.size).toBe(one.size);
  });
});

describe.skipIf(!roberta)(`RoBERTa's tokenizer; ${needs("tokenizers/roberta/tokenizer.json")}`, () => {
  test("known texts have the published ids without begin and end, and the mask takes the space before it", () => {
    const tokenizer = load(roberta!);
    expect(tokenizer.encode("Hello world")).toEqual([31414, 232]);
    expect(tokenizer.encode("It was <mask>.")).toEqual([243, 21, 50264, 4]);
  });
});

describe.skipIf(!llama)(`a SentencePiece tokenizer; ${needs("tokenizers/llama2/tokenizer.json")}`, () => {
  test.each(texts)("%j has the Rust library's ids", (text, _, ids) => {
    expect(load(llama!).encode(text)).toEqual(ids);
  });
});

// Ids and lengths of the Rust library.
describe.each([
  ["tokenizers/llama2/tokenizer.json", [1598], [5613], [4433, 2966, 661, 403]],
  ["models/stories260K-hf/tokenizer.json", [298, 276, 294], [452, 406], [272, 271, 411, 272, 290, 423, 359, 413, 286]],
] as const)("Llama's prompts with %s", (file, great, yes, sentence) => {
  const path = shared(file);

  test.skipIf(!path)(`answers are the tokens that they add, and decoding undoes encoding; ${needs(file)}`, () => {
    const tokenizer = load(path!);
    const of = (prompt: string, option: string): number[] => {
      const one = { tokenizer, begin: 1, maxLength: 512, demonstrations: [], prompt, options: [option] };
      const [{ ids, optionLength }] = encodePrompt(one).candidates as [{ ids: Int32Array; optionLength: number }];
      return [...ids.subarray(-optionLength)];
    };
    expect(of("fine film It was", " great")).toEqual(great);
    expect(of("Is it so?\n", "Yes")).toEqual(yes);
    expect(tokenizer.encode("fine film It was")).toEqual(sentence);
    for (const text of ["fine film It was", "Is it so?\nYes", "two  words\n\nand \u00e9 \u4e2d"])
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });
});
