import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import seedrandom from "seedrandom";
import { writeSafetensors } from "../src/checkpoints/write.ts";
import type { ModelFamily } from "../src/models/family.ts";
import { opt } from "../src/models/opt.ts";

/** Words of the tiny model's vocabulary: the label words, and a few to make sentences of. */
export const WORDS = [
  "terrible",
  "great",
  "It",
  "was",
  "film",
  "plot",
  "cast",
  "warm",
  "dull",
  "fine",
  "poor",
  "the",
  "a",
  "and",
  "but",
] as const;

const CONFIG = {
  model_type: "opt",
  vocab_size: 4 + WORDS.length,
  hidden_size: 16,
  word_embed_proj_dim: 16,
  num_hidden_layers: 2,
  ffn_dim: 32,
  num_attention_heads: 2,
  max_position_embeddings: 64,
  do_layer_norm_before: true,
  bos_token_id: 2,
};

/** A tokenizer of whole words, in the layout of tokenizer.json. */
function tokenizerJson(): object {
  const vocab = Object.fromEntries(["<s>", "<pad>", "</s>", "<unk>", ...WORDS].map((word, id) => [word, id]));
  return {
    version: "1.0",
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: "Whitespace" },
    post_processor: null,
    decoder: null,
    model: { type: "WordLevel", vocab, unk_token: "<unk>" },
  };
}

/** Seeded weights of an OPT config: 0.3 times a uniform of unit variance; the norms' gains 1. */
export function tinyTensors(
  config: Record<string, unknown> = CONFIG,
  family: ModelFamily = opt,
): { name: string; shape: number[]; data: Float32Array }[] {
  const random = seedrandom.alea("tiny");
  return [...family.shapes(config)].map(([name, shape]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const gain = name.endsWith("norm.weight");
    return {
      name,
      shape: [...shape],
      data: Float32Array.from({ length: size }, () => (gain ? 1 : 0.3 * Math.sqrt(3) * (2 * random() - 1))),
    };
  });
}

/** Writes a tiny OPT with random weights and a tokenizer of whole words; gives the folder. */
export function tinyModel(change: { config?: object; tensors?: ReturnType<typeof tinyTensors> } = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "tiny-opt-"));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...CONFIG, ...change.config }));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizerJson()));
  writeSafetensors(join(folder, "model.safetensors"), change.tensors ?? tinyTensors(), { dtype: "F32" });
  return folder;
}

/** Writes a CSV of sentences whose label is told by one word in them; gives the file. */
export function tinyData(rows = 60): string {
  const random = seedrandom.alea("rows");
  const pick = (words: readonly string[]): string => words[Math.floor(random() * words.length)]!;
  const lines = Array.from({ length: rows }, (_, i) => {
    const label = i % 2;
    const words = [
      pick(["the", "a"]),
      pick(["film", "plot", "cast"]),
      "was",
      pick(label ? ["warm", "fine"] : ["dull", "poor"]),
    ];
    return `${Array.from({ length: 1 + (i % 7) }, () => pick(["the", "a", "and", "but"])).join(" ")} ${words.join(" ")},${label}`;
  });
  const file = join(mkdtempSync(join(tmpdir(), "tiny-data-")), "rows.csv");
  writeFileSync(file, `sentence,label\n${lines.join("\n")}\n`);
  return file;
}
