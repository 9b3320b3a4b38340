import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findFamily } from "../../src/models/family.ts";
import { llama } from "../../src/models/llama.ts";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { encodePrompt } from "../../src/text/prompt.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { CONFIGS } from "../nn/networks.ts";
import { codes, folderWith, tinyMerges, tinyTokenizer, tinyVocab } from "../text/fixtures.ts";
import { tinyModel } from "../tiny.ts";

/** What a model says whose folder has one more file. */
async function withFile<T>(name: string, content: object, read: (model: LanguageModel) => T): Promise<T> {
  const folder = tinyModel({ config: { eos_token_id: 3 } });
  writeFileSync(join(folder, name), JSON.stringify(content));
  const model = await loadModel(folder);
  try {
    return read(model);
  } finally {
    model.dispose();
  }
}

describe("a text's end", () => {
  const endsWith = (found: object): Promise<readonly number[]> =>
    withFile("generation_config.json", found, ({ ends }) => ends);

  test("is any of generation_config.json's end tokens, else of config.json's", async () => {
    expect(await endsWith({ eos_token_id: [5, 4] })).toEqual([5, 4]);
    expect(await endsWith({ eos_token_id: 6 })).toEqual([6]);
    expect(await endsWith({ eos_token_id: null })).toEqual([3]);
    expect(await endsWith({ max_length: 20 })).toEqual([3]);
    expect(llama.limits({ ...CONFIGS.llama, eos_token_id: [7, 8, 9] }).ends).toEqual([7, 8, 9]);
    expect(llama.limits(CONFIGS.llama!).ends).toEqual([]);
  });

  test("is refused where the vocabulary does not have it", async () => {
    await expect(endsWith({ eos_token_id: [2, 900] })).rejects.toThrow(
      /generation_config.json: eos_token_id needs .* below vocab_size, or a list of them, not \[2,900\]/,
    );
  });
});

describe("a text's begin", () => {
  const beginWith = (found: object): Promise<LanguageModel["begin"]> =>
    withFile("tokenizer_config.json", found, ({ begin }) => begin);

  test("is left out where the tokenizer's files say that it adds none, unless the config's token is asked for", async () => {
    expect(await beginWith({ add_bos_token: false })).toEqual({ mezo: undefined, config: 2 });
    expect(await beginWith({ bos_token: null })).toEqual({ mezo: undefined, config: 2 });
    expect(await beginWith({ add_bos_token: true, bos_token: "</s>" })).toEqual({ mezo: 0, config: 2 });
    expect(await beginWith({ bos_token: "</s>" })).toEqual({ mezo: 0, config: 2 });
  });

  test("is none for a Llama whose config has none", () => {
    expect(llama.limits({ ...CONFIGS.llama, bos_token_id: null }).begin).toEqual({});
    expect(llama.limits(CONFIGS.llama!).begin).toEqual({ mezo: 1, config: 1 });
  });

  test("without one, a prompt keeps as many of its own tokens as there is room for", () => {
    const shared = { tokenizer: tinyTokenizer(), demonstrations: [], prompt: "xyz", options: ["ab", "cd"] };
    const ids = (begin: number | undefined, maxLength: number): number[] => [
      ...encodePrompt({ ...shared, begin, maxLength }).candidates[0]!.ids,
    ];
    expect(ids(undefined, 80)).toEqual(codes("xyzab"));
    expect(ids(undefined, 4)).toEqual(codes("yzab"));
    expect(ids(1, 4)).toEqual([1, ...codes("zab")]);
  });
});

describe("a window in which tokens see one another", () => {
  const longest = (change: object): number => {
    const config = { ...CONFIGS.mistral, max_position_embeddings: 8192, ...change };
    return findFamily("tiny", config).limits(config).maxLength;
  };

  test("bounds the texts that are read, as it would change the longer ones", () => {
    expect(longest({ sliding_window: null })).toBe(8192);
    expect(longest({ sliding_window: 32 })).toBe(32);
    expect(longest({ sliding_window: 10_000 })).toBe(8192);
    expect(longest({ sliding_window: undefined })).toBe(4096); // as for transformers, which leaves out what is usual
    for (const model_type of ["qwen2", "qwen3"]) {
      expect(longest({ model_type, sliding_window: 32 })).toBe(8192);
      expect(longest({ model_type, sliding_window: 32, use_sliding_window: false })).toBe(8192);
      expect(longest({ model_type, sliding_window: 32, use_sliding_window: true })).toBe(32);
    }
  });
});

describe("the special tokens of a tokenizer", () => {
  const model = { type: "BPE", vocab: tinyVocab, merges: tinyMerges.split("\n").slice(1, -1) };
  const special = (json: object, config: object = {}, map: object = {}) =>
    loadTokenizer(
      folderWith({
        "tokenizer.json": JSON.stringify({ model, ...json }),
        "tokenizer_config.json": JSON.stringify(config),
        "special_tokens_map.json": JSON.stringify(map),
      }),
    ).special;
  const template = { type: "TemplateProcessing", single: [{ SpecialToken: { id: "A" } }, { Sequence: { id: "A" } }] };

  test("are those of its post-processor and of the files beside it, whether as texts or as objects", () => {
    expect(special({ post_processor: template }).begin).toBe(65);
    expect(special({ post_processor: { type: "Sequence", processors: [{ type: "ByteLevel" }, template] } }).begin).toBe(
      65,
    );
    expect(special({ post_processor: { type: "BertProcessing", sep: ["C", 67], cls: ["B", 66] } }).begin).toBe(66);
    expect(special({ post_processor: template }, { add_bos_token: false }).begin).toBeNull();
    expect(special({ post_processor: template }, { add_bos_token: true, bos_token: { content: "C" } }).begin).toBe(67);
    expect(special({}, { mask_token: { content: "D" } }, { mask_token: "E", sep_token: "F" })).toEqual({
      ...{ begin: undefined, mask: 68, separator: 70 },
    });
  });

  test("are the usual ones where no file says anything", () => {
    expect(special({})).toEqual({ begin: undefined, separator: undefined, mask: 2 });
  });
});
