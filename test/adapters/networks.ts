import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import seedrandom from "seedrandom";
import type { AdaptableNetwork } from "../../src/adapters/adapter.ts";
import { openCheckpoint } from "../../src/checkpoints/folder.ts";
import { writeSafetensors } from "../../src/checkpoints/write.ts";
import type { Config } from "../../src/models/config.ts";
import { findFamily } from "../../src/models/family.ts";
import { type LoadedNetwork, loadNetwork } from "../../src/models/network.ts";
import { packBatch, type TokenBatch } from "../../src/nn/batch.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import { allValues, takeValues } from "../values.ts";

const COMMON = { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 4, max_position_embeddings: 64 };

const DECODER = { vocab_size: 32, intermediate_size: 24, num_key_value_heads: 2, ...COMMON };

export type FamilyName = "opt" | "roberta" | "llama" | "mistral" | "qwen2" | "qwen3" | "gpt2" | "bert";

/** Tiny configurations, one a family: the queries of Llama and its like share keys by two. */
export const CONFIGS: Readonly<Record<FamilyName, Readonly<Record<string, string | number>>>> = {
  opt: { model_type: "opt", vocab_size: 32, ffn_dim: 24, word_embed_proj_dim: 16, ...COMMON },
  roberta: { model_type: "roberta", vocab_size: 32, intermediate_size: 24, ...COMMON },
  llama: { model_type: "llama", ...DECODER },
  mistral: { model_type: "mistral", ...DECODER },
  qwen2: { model_type: "qwen2", ...DECODER },
  qwen3: { model_type: "qwen3", ...DECODER, head_dim: 4 },
  gpt2: { model_type: "gpt2", vocab_size: 32, n_embd: 16, n_layer: 2, n_head: 4, n_inner: 24, n_positions: 64 },
  bert: { model_type: "bert", vocab_size: 32, intermediate_size: 24, ...COMMON },
};

/** Width of the keys of each configuration. */
export const KEY_WIDTH: Readonly<Record<FamilyName, number>> = {
  ...{ opt: 16, roberta: 16, llama: 8, mistral: 8, qwen2: 8, qwen3: 8, gpt2: 16, bert: 16 },
};

export const FAMILIES: readonly FamilyName[] = Object.keys(CONFIGS) as FamilyName[];

/** Seed and scale of networks in which adapters would hardly be felt otherwise. */
const DRAWS: Readonly<Partial<Record<FamilyName, readonly [seed: string, scale: number]>>> = {
  qwen2: ["qwen2", 0.6],
  bert: ["bert a", 0.6],
};

/** A tiny network with seeded weights: 0.3 times a uniform of unit variance, if nothing else is said above. */
export function tinyNetwork(family: FamilyName): LoadedNetwork {
  const [seed, scale] = DRAWS[family] ?? [family, 0.3];
  const random = seedrandom.alea(seed);
  return networkWith(CONFIGS[family], () => scale * Math.sqrt(3) * (2 * random() - 1));
}

/** The network of a config, with the given value as element `i` of its weight number `weight`. */
export function networkWith(config: Config, valueAt: (weight: number, i: number) => number): LoadedNetwork {
  const { shapes, isTransposed } = findFamily("tiny", config);
  const tensors = [...shapes(config)].map(([name, own], weight) => {
    const shape = isTransposed?.(name) ? own.toReversed() : own;
    const size = shape.reduce((a, b) => a * b, 1);
    return { name, shape, data: Float32Array.from({ length: size }, (_, i) => valueAt(weight, i)) };
  });
  const folder = mkdtempSync(join(tmpdir(), "tiny-network-"));
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeSafetensors(join(folder, "model.safetensors"), tensors, { dtype: "F32" });
  return loadNetwork(openCheckpoint(folder));
}

/** Runs a test with a tiny network, which is freed afterwards. */
export async function withNetwork(
  family: FamilyName,
  use: (network: AdaptableNetwork) => void | Promise<void>,
): Promise<void> {
  const network = tinyNetwork(family);
  try {
    await use(network);
  } finally {
    network.dispose();
  }
}

/** Two sequences of different lengths. */
export const BATCH: TokenBatch = packBatch([
  [4, 9, 20, 7],
  [11, 5, 30, 8, 21, 6],
]);
/** All of their tokens. */
export const ROWS: readonly number[] = Array.from(BATCH.ids, (_, i) => i);

/** The features of every token of the two sequences. */
export const featuresOf = (network: Network): Promise<number[]> =>
  takeValues(tf.tidy(() => features(network, BATCH, ROWS)));

/** A loss of the features, each with a weight of its own, so that no norm makes it the same for all. */
export const tail = (of: tf.Tensor2D): tf.Scalar => {
  const weights = tf.sin(tf.mul(tf.range(0, of.size), 1.7));
  return tf.mean(tf.mul(tf.square(tf.add(of, 0.5)), tf.reshape(weights, of.shape)));
};

/** The loss of the two sequences. */
export const lossOf = async (network: Network): Promise<number> =>
  (await takeValues(tf.tidy(() => tail(features(network, BATCH, ROWS)))))[0]!;

/** All weights' bits, as numbers. */
export async function bitsOf(parameters: AdaptableNetwork["parameters"]): Promise<number[][]> {
  const values = await allValues(parameters.map(({ value }) => value));
  return values.map(({ buffer }) => [...new Uint32Array(buffer)]);
}

/** The largest difference between two lists of numbers; they must be as long. */
export function apart(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers against ${b.length}`);
  return a.reduce((worst, v, i) => Math.max(worst, Math.abs(v - b[i]!)), 0);
}
