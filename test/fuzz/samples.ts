import { createHash } from "node:crypto";
import seedrandom from "seedrandom";
import type { NamedTensor } from "../../src/checkpoints/write.ts";
import type { Config } from "../../src/models/config.ts";
import { findFamily } from "../../src/models/family.ts";
import "../../src/models/index.ts";

/** Written by pyarrow 26: two rows with a text, a number and an object of lists, packed by Snappy. */
export const PARQUET: Buffer = Buffer.from(
  "UEFSMRUEFTwVQEwVBBUAEgAAHnQLAAAAYSBmaW5lIGZpbG0LAAAAZHVsbCAsIGR1bGwVABUSFRYsFQQVEBUGFQYcAAAACSACAAAABAEBAwIVBBUgFSRMFQQVABIAABA8AQAAAAAAAAAAAAAAAAAAABUAFRIVFiwVBBUQFQYVBhwAAAAJIAIAAAAEAQEDAhUEFR4VIkwVBhUAEgAADzgBAAAAeAEAAAB5AQAAAHoVABUgFSQsFQYVEBUGFQYcAAAAEDwCAAAAAwICAAAABgQCAyQAFQQVGBUcTBUGFQASAAAMLAMAAAAEAAAAAAAAABUAFSAVJCwVBhUQFQYVBhwAAAAQPAIAAAADAgIAAAAGBAIDJAAVBBmsNQAYBnNjaGVtYRUGABUMJQIYCHNlbnRlbmNlJQBMHAAAABUEJQIYBWxhYmVsADUCGAdhbnN3ZXJzFQQANQIYBHRleHQVAhUGTDwAAAA1BBgEbGlzdBUCABUMJQIYB2VsZW1lbnQlAEwcAAAANQIYDGFuc3dlcl9zdGFydBUCFQZMPAAAADUEGARsaXN0FQIAFQIlAhgHZWxlbWVudAAWBBkcGUwmABwVDBk1AAYQGRgIc2VudGVuY2UVAhYEFpABFpgBJmQmCCksFQQVABUCABUAFRAVAgA8FiwZBhkmAAQAAAAmABwVBBk1AAYQGRgFbGFiZWwVAhYEFnQWfCbgASagASksFQQVABUCABUAFRAVAgA8KQYZJgAEAAAAJgAcFQwZNQAGEBlIB2Fuc3dlcnMEdGV4dARsaXN0B2VsZW1lbnQVAhYGFoABFogBJtoCJpwCKSwVBBUAFQIAFQAVEBUCADwWBhkmBAIZVgAAAAAGAAAAJgAcFQIZNQAGEBlIB2Fuc3dlcnMMYW5zd2VyX3N0YXJ0BGxpc3QHZWxlbWVudBUCFgYWehaCASbcAyakAyksFQQVABUCABUAFRAVAgA8KSYEAhlWAAAAAAYAAAAW/gMWBCYIFp4EACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZTBwAABwAABwAABwAAAAQAgAAUEFSMQ==",
  "base64",
);

/** The families whose configs are damaged. */
export type FuzzedFamily = "opt" | "roberta" | "llama" | "mistral" | "qwen2" | "qwen3" | "gpt2" | "bert";

const DECODER = {
  ...{ vocab_size: 8, hidden_size: 4, num_hidden_layers: 1, intermediate_size: 4 },
  ...{ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 2, max_position_embeddings: 8 },
  ...{ rms_norm_eps: 1e-5, hidden_act: "silu", rope_theta: 10_000, tie_word_embeddings: true },
  ...{ bos_token_id: 1, eos_token_id: [2, 3] },
};

/** Tiny configs, one a family, with every field that the kit reads. */
export const CONFIGS: Readonly<Record<FuzzedFamily, Config>> = {
  opt: {
    ...{ model_type: "opt", vocab_size: 8, hidden_size: 4, num_hidden_layers: 1, ffn_dim: 4, num_attention_heads: 2 },
    ...{ max_position_embeddings: 8, word_embed_proj_dim: 4, do_layer_norm_before: true, activation_function: "relu" },
    ...{ bos_token_id: 2, eos_token_id: 2, pad_token_id: 1, enable_bias: true, tie_word_embeddings: true },
    ...{ _remove_final_layer_norm: false, layer_norm_elementwise_affine: true, torch_dtype: "float16" },
  },
  roberta: {
    ...{ model_type: "roberta", vocab_size: 8, hidden_size: 4, num_hidden_layers: 1, intermediate_size: 4 },
    ...{ num_attention_heads: 2, max_position_embeddings: 10, type_vocab_size: 1, layer_norm_eps: 1e-5 },
    ...{ hidden_act: "gelu", bos_token_id: 0, eos_token_id: 2, pad_token_id: 1, position_embedding_type: "absolute" },
    tie_word_embeddings: true,
  },
  llama: {
    ...{ model_type: "llama", vocab_size: 8, hidden_size: 4, num_hidden_layers: 1, intermediate_size: 4 },
    ...{ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 2, max_position_embeddings: 8 },
    ...{ rms_norm_eps: 1e-5, hidden_act: "silu", rope_theta: 10_000, attention_bias: false, mlp_bias: false },
    ...{ tie_word_embeddings: true, bos_token_id: 1, eos_token_id: [2, 3] },
    rope_scaling: {
      ...{ rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
      original_max_position_embeddings: 64,
    },
  },
  mistral: { model_type: "mistral", ...DECODER, sliding_window: 8 },
  qwen2: { model_type: "qwen2", ...DECODER, use_sliding_window: true, sliding_window: 8 },
  qwen3: { model_type: "qwen3", ...DECODER, use_sliding_window: false, attention_bias: true },
  gpt2: {
    ...{ model_type: "gpt2", vocab_size: 8, n_embd: 4, n_layer: 1, n_head: 2, n_inner: 4, n_positions: 8 },
    ...{ layer_norm_epsilon: 1e-5, activation_function: "gelu_new", tie_word_embeddings: true },
    ...{ scale_attn_weights: true, scale_attn_by_inverse_layer_idx: false, add_cross_attention: false },
    ...{ bos_token_id: 2, eos_token_id: 2 },
  },
  bert: {
    ...{ model_type: "bert", vocab_size: 8, hidden_size: 4, num_hidden_layers: 1, intermediate_size: 4 },
    ...{ num_attention_heads: 2, max_position_embeddings: 10, type_vocab_size: 2, layer_norm_eps: 1e-5 },
    ...{ hidden_act: "gelu", pad_token_id: 0, position_embedding_type: "absolute", tie_word_embeddings: true },
  },
};

/** The bytes of a safetensors file: the header's length, the header, the data. */
export function safetensors(header: Uint8Array, data: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, data]);
}

/** A header for tensors of float32 and its data, values seeded. */
export function tensorsOf(shapes: Iterable<readonly [string, readonly number[]]>): { header: Buffer; data: Buffer } {
  const random = seedrandom.alea("tensors");
  let at = 0;
  const entries = [...shapes].map(([name, shape]) => {
    const begin = at;
    at += 4 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: "F32", shape, data_offsets: [begin, at] }];
  });
  const values = Float32Array.from({ length: at / 4 }, () => random() - 0.5);
  return { header: Buffer.from(JSON.stringify(Object.fromEntries(entries))), data: Buffer.from(values.buffer) };
}

/** The same tensors with their values. */
export function namedOf(shapes: Iterable<readonly [string, readonly number[]]>): NamedTensor[] {
  const list = [...shapes];
  const { data } = tensorsOf(list);
  let at = 0;
  return list.map(([name, shape]) => {
    const size = shape.reduce((product, length) => product * length, 1);
    at += 4 * size;
    return { name, shape, data: new Float32Array(new Uint8Array(data.subarray(at - 4 * size, at)).buffer) };
  });
}

/** The weights of a config as a file. */
export function weightsOf(config: Config): Buffer {
  const { shapes, isTransposed } = findFamily("tiny", config);
  const stored = [...shapes(config)].map(([name, shape]) => {
    return [name, isTransposed?.(name) ? shape.toReversed() : shape] as const;
  });
  const { header, data } = tensorsOf(stored);
  return safetensors(header, data);
}

const step = (n: number): string =>
  `{"step":${n},"losses":[0.75,0.25],"projectedGrad":${Math.fround((0.75 - 0.25) / 2e-3)}}`;

const HEADER = {
  ...{ format: 3, kit: "0.1.0", noise: "philox4x32-10 box-muller 1", model: "tiny", weightsHash: "none" },
  ...{
    backend: "native",
    threads: 1,
    task: "SST-2",
    data: { files: ["rows.csv"], sha256: "0", rows: 8 },
    split: { train: 4, dev: 2, test: 2 },
  },
  ...{ metric: "accuracy", prompts: "autoregressive", seed: 1, method: "MeZO", passes: "pair" },
  tuner: { name: "MeZO", options: { lr: 1e-6, eps: 1e-3, noise: "gaussian" } },
  settings: { begin: "mezo", batchSize: 2, steps: 2 },
};
const SCORE = { on: "dev", step: 2, score: 0.5, standardError: 0.1, n: 2 };
const COST = { seconds: 1.5, steps: 2, peakBytes: 1048576 };

const withPlace = (record: object): string => `${JSON.stringify(record).slice(0, -1)},"hash":""}`;

/** A finished run as lines. Its hashes are for `sealedRun` to fill in. */
const RUN_LINES: string = [
  withPlace({ header: HEADER }),
  step(0),
  step(1),
  withPlace(SCORE),
  withPlace({ cost: COST }),
  "",
].join("\n");

/** A run's lines with the hashes that belong to them. */
export function sealedRun(bytes: Buffer): Buffer {
  const hash = createHash("sha256");
  const lines = bytes.toString("latin1").split("\n");
  const sealed = lines.map((line, i) => {
    const end = i < lines.length - 1 ? "\n" : "";
    const at = line.lastIndexOf(',"hash":"');
    const own = hash
      .copy()
      .update(Buffer.from(line.slice(0, at), "latin1"))
      .digest("hex")
      .slice(0, 16);
    const whole = at < 0 ? line : line.slice(0, at) + line.slice(at).replace(/"hash":"\w*"/, `"hash":"${own}"`);
    hash.update(Buffer.from(whole + end, "latin1"));
    return whole + end;
  });
  return Buffer.from(sealed.join(""), "latin1");
}

/** A finished run. */
export const RUN: Buffer = sealedRun(Buffer.from(RUN_LINES));

/** What a compact run says beside its steps. */
export const COMPACT_JSON: string = JSON.stringify({
  chapters: [{ header: HEADER, steps: 2, scores: [SCORE] }],
  cost: COST,
});

/** A compact run of that JSON: its length before it, the steps and the hash behind it. */
export function compactOf(json: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return sealedCompact(
    Buffer.concat([
      Buffer.from("mezo-run1"),
      length,
      json,
      Buffer.from(Float32Array.of(250, 250).buffer),
      Buffer.alloc(8),
    ]),
  );
}

/** A compact run with the hash that belongs to its bytes. */
export function sealedCompact(bytes: Buffer): Buffer {
  const body = bytes.subarray(0, Math.max(0, bytes.length - 8));
  return Buffer.concat([body, createHash("sha256").update(body).digest().subarray(0, 8)]);
}

const LETTERS = [..."abdefgilmorst"];
const MERGES = ["Ġ g", "r e", "Ġg re", "a t", "Ġgre at"];
const SPECIAL = { "<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4 };

/** GPT-2's two files in small. */
export const VOCAB: Readonly<Record<string, number>> = Object.fromEntries(
  [...Object.keys(SPECIAL), "Ġ", "Ċ", ...LETTERS, ...MERGES.map((merge) => merge.replace(" ", ""))].map((token, id) => [
    token,
    id,
  ]),
);
export const MERGES_TXT: string = `#version: 0.2\n${MERGES.join("\n")}\n`;

const addedTokens = Object.entries(SPECIAL).map(([content, id]) => ({
  ...{ id, content, single_word: false, lstrip: content === "<mask>", rstrip: false, normalized: false, special: true },
}));
const common = { version: "1.0", truncation: null, padding: null, added_tokens: addedTokens };

/** The tokenizer.json of each kind that models of the kit have, in small. */
export const TOKENIZERS: Readonly<Record<string, object>> = {
  words: {
    ...common,
    ...{
      normalizer: { type: "Lowercase" },
      pre_tokenizer: { type: "Whitespace" },
      post_processor: null,
      decoder: null,
    },
    model: { type: "WordLevel", vocab: { ...SPECIAL, great: 5, bad: 6 }, unk_token: "<unk>" },
  },
  bytes: {
    ...common,
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 0], add_prefix_space: false },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true },
    model: { type: "BPE", dropout: null, unk_token: null, vocab: VOCAB, merges: MERGES },
  },
  sentencepiece: {
    ...common,
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    ...{ pre_tokenizer: null, post_processor: null },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        ...[{ type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }],
      ],
    },
    model: {
      ...{ type: "BPE", unk_token: "<unk>", fuse_unk: true, byte_fallback: true, dropout: null },
      vocab: { ...SPECIAL, "<0x0A>": 5, "▁": 6, g: 7, r: 8, e: 9, a: 10, t: 11, re: 12, "▁g": 13, "▁gre": 14 },
      merges: ["r e", "▁ g", "▁g re"],
    },
  },
};
