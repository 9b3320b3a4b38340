import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { writeSafetensors } from "../../src/checkpoints/write.ts";
import { linear } from "../../src/kernels/linear.ts";
import { llama } from "../../src/models/llama.ts";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { saveModel } from "../../src/models/save.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { features } from "../../src/nn/run.ts";
import { gaussian } from "../../src/tensor/parameter.ts";
import { convertWeights } from "../checkpoints/gguf/converter.ts";
import { floats, ggufBytes, TINY, type Value } from "../checkpoints/gguf/files.ts";
import { tinyTensors } from "../tiny.ts";
import { allValues, takeRows } from "../values.ts";

const scratch = (): string => mkdtempSync(join(tmpdir(), "gguf-"));

const logitsOf = (network: LanguageModel, ids: readonly number[]): Promise<number[][]> =>
  takeRows(tf.tidy(() => linear(features(network, packBatch([ids]), [...ids.keys()]), network.head.weight)));

async function valuesOf({ parameters }: LanguageModel): Promise<Map<string, Float32Array>> {
  const values = await allValues(parameters.map(({ value }) => value));
  return new Map(parameters.map(({ name }, i) => [name, values[i]!]));
}

/** What transformers computes with the tiny file; tiny.py made both. */
const tiny: { readonly text: string; readonly ids: readonly number[]; readonly last: readonly number[] } = JSON.parse(
  readFileSync(join(TINY, "../tiny.json"), "utf8"),
);

describe("a GGUF file with a tensor of nearly every type", () => {
  test("has transformers' ids and logits, and what its metadata say", async () => {
    const model = await loadModel(TINY);
    expect(model).toMatchObject({ id: "tiny.gguf", begin: { mezo: 1, config: 1 }, ends: [0], maxLength: 64 });
    expect(model.tokenizer.encode(tiny.text)).toEqual(tiny.ids);
    const last = (await logitsOf(model, tiny.ids)).at(-1)!;
    expect(Math.max(...last.map((logit, i) => Math.abs(logit - tiny.last[i]!)))).toBeLessThan(1e-5);
    model.dispose();
  });

  test("is read again where the base weights are to come back", async () => {
    const model = await loadModel(TINY);
    const before = await valuesOf(model);
    gaussian(model.parameters, 0.1, { seed: 1, step: 0 });
    expect(await valuesOf(model)).not.toEqual(before);
    model.restore();
    expect(await valuesOf(model)).toEqual(before);
    model.dispose();
  });

  test("is saved as a folder that is loaded with the same weights, tokens, template and begin and end tokens", async () => {
    const [model, folder] = [await loadModel(TINY), scratch()];
    await saveModel(model, folder);
    const again = await loadModel(folder);
    expect(await valuesOf(again)).toEqual(await valuesOf(model));
    expect(again.tokenizer.encode(tiny.text)).toEqual(tiny.ids);
    expect(again.tokenizer.decode(tiny.ids)).toBe(model.tokenizer.decode(tiny.ids));
    expect([again.begin, again.ends, again.maxLength]).toEqual([model.begin, model.ends, model.maxLength]);
    const config = JSON.parse(readFileSync(join(folder, "tokenizer_config.json"), "utf8"));
    expect(config.chat_template).toContain("for message in messages");
    model.dispose();
    again.dispose();
  });
});

const CONFIG = {
  ...{ model_type: "llama", vocab_size: 12, hidden_size: 16, intermediate_size: 8, num_hidden_layers: 2 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 32, rms_norm_eps: 1e-5 },
  ...{ rope_theta: 300, bos_token_id: 1, eos_token_id: [2, 3], tie_word_embeddings: true, attention_bias: true },
};
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
const TOKENS = ["<unk>", "<s>", "</s>", "<end>", "a", "b", "Ġ", "ab", "Ġa", "c", "d", "e"];

const METADATA: Readonly<Record<string, Value>> = {
  ...{ "general.architecture": "llama", "llama.context_length": 32, "llama.embedding_length": 16 },
  ...{ "llama.block_count": 2, "llama.feed_forward_length": 8, "llama.attention.head_count": 4 },
  ...{ "llama.attention.head_count_kv": 2, "llama.attention.layer_norm_rms_epsilon": 1e-5 },
  ...{ "llama.rope.freq_base": 300, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2" },
  ...{ "tokenizer.ggml.tokens": TOKENS, "tokenizer.ggml.merges": ["a b", "Ġ a"] },
  ...{ "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.eot_token_id": 3 },
};

const tensors = tinyTensors(CONFIG, llama);
const converted = convertWeights(CONFIG, tensors);

function written(change: Readonly<Record<string, Value | undefined>> = {}, more: typeof converted = []): string {
  const path = join(scratch(), "model.gguf");
  const metadata = Object.entries({ ...METADATA, ...change }).filter(([, value]) => value !== undefined);
  writeFileSync(path, ggufBytes(Object.fromEntries(metadata) as Record<string, Value>, [...converted, ...more]));
  return path;
}

/** The folder that such a file is made of. */
function unconverted(change: object = {}): string {
  const folder = scratch();
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...CONFIG, ...change }));
  writeFileSync(join(folder, "vocab.json"), JSON.stringify(Object.fromEntries(TOKENS.map((token, id) => [token, id]))));
  writeFileSync(join(folder, "merges.txt"), "a b\nĠ a\n");
  writeSafetensors(join(folder, "model.safetensors"), tensors, { dtype: "F32" });
  return folder;
}

describe("a Llama as GGUF", () => {
  test("has the weights and logits of the checkpoint that it was made of, to the bit, in 16 bits too", async () => {
    const folder = unconverted();
    for (const weights of ["float32", "bfloat16"] as const) {
      const [wanted, model] = [await loadModel(folder, { weights }), await loadModel(written(), { weights })];
      expect(await valuesOf(model)).toEqual(await valuesOf(wanted));
      expect(await logitsOf(model, [1, 4, 7, 9])).toEqual(await logitsOf(wanted, [1, 4, 7, 9]));
      expect([model.begin.config, model.ends, model.maxLength]).toEqual([1, [2, 3], 32]);
      wanted.dispose();
      model.dispose();
    }
  });

  test("takes Llama 3.1's scaling of positions from the divisors that the file has for it", async () => {
    // A head of 4 has the frequencies 1 and 1e-4, of which the second turns 0.13 times in 8,192 tokens: by the whole factor less.
    const rope = { rope_theta: 1e8, rope_scaling: { rope_type: "llama3", factor: 8, ...LLAMA3 } };
    const scaled = (...divisors: number[]) =>
      loadModel(
        written({ "llama.rope.freq_base": 1e8 }, [floats("rope_freqs.weight", [2], Float32Array.from(divisors))]),
      );
    const [wanted, model] = [await loadModel(unconverted(rope)), await scaled(1, 8)];
    expect(await logitsOf(model, [1, 4, 7, 9])).toEqual(await logitsOf(wanted, [1, 4, 7, 9]));
    wanted.dispose();
    model.dispose();
    await expect(scaled(2, 8)).rejects.toThrow(/rotary frequencies are scaled otherwise than Llama 3\.1's/);
    await expect(scaled(1)).rejects.toThrow(/scaled otherwise/);
  });

  test.each<[string, Readonly<Record<string, Value | undefined>>, RegExp]>([
    [
      "an architecture",
      { "general.architecture": "gemma3" },
      /its architecture is "gemma3", and of GGUF the kit reads llama, qwen2/,
    ],
    ["no architecture", { "general.architecture": undefined }, /its architecture is nothing/],
    [
      "a missing number",
      { "llama.block_count": undefined },
      /metadata have nothing for llama\.block_count, which must be a number/,
    ],
    [
      "a list for a number",
      { "llama.attention.head_count_kv": [2, 2] },
      /metadata have \[2,2\] for llama\.attention\.head_count_kv/,
    ],
    ["experts", { "llama.expert_count": 8 }, /the model has 8 experts in each layer, which the kit does not build/],
    [
      "a scaling",
      { "llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": 4 },
      /rotary positions scaled as "yarn"/,
    ],
    ["a part of heads", { "llama.rope.dimension_count": 2 }, /only a part of each head turned/],
    ["more layers than weights", { "llama.block_count": 3 }, /missing \(model\.layers\.2/],
    [
      "a kind of tokenizer",
      { "tokenizer.ggml.model": "bert" },
      /its tokenizer is of the kind "bert", and of GGUF the kit reads gpt2, llama/,
    ],
    [
      "a way to split",
      { "tokenizer.ggml.pre": "gpt-4o" },
      /splits texts as "gpt-4o", and of GGUF the kit knows gpt-2, smollm/,
    ],
    ["a token twice", { "tokenizer.ggml.tokens": ["a", "b", "a"] }, /its vocabulary has the token "a" twice/],
    [
      "no tokens",
      { "tokenizer.ggml.tokens": undefined },
      /its tokenizer\.ggml\.tokens must be a list of strings, not nothing/,
    ],
    ["a merge of nothing", { "tokenizer.ggml.merges": ["a z"] }, /its merge 1 is .*"z" is not in the vocabulary/],
    [
      "too many tokens",
      { "tokenizer.ggml.tokens": [...TOKENS, "f"] },
      /tokenizer has ids up to 12, but the model knows 12 tokens/,
    ],
  ])("is refused by name where the file has what is not read: %s", async (_name, change, found) => {
    const error: unknown = await loadModel(written(change)).catch((error: unknown) => error);
    expect(error).toMatchObject({ name: "KitError", message: expect.stringMatching(found) });
    expect((error as Error).message).not.toContain("\n");
  });
});
