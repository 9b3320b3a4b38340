import * as tf from "@tensorflow/tfjs-core";
import seedrandom from "seedrandom";
import type { Config } from "../../src/models/config.ts";
import { findFamily } from "../../src/models/family.ts";
import "../../src/models/index.ts";
import type { Adaptation, Network } from "../../src/nn/network.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";

/** Tiny configs of every family, and of the variants that take other paths through its code. */
export const CONFIGS: Readonly<Record<string, Config>> = {
  opt: {
    ...{ model_type: "opt", vocab_size: 19, hidden_size: 8, num_hidden_layers: 2, ffn_dim: 12 },
    ...{ num_attention_heads: 2, max_position_embeddings: 32 },
  },
  "opt with the norm after": {
    ...{ model_type: "opt", vocab_size: 19, hidden_size: 8, num_hidden_layers: 2, ffn_dim: 12 },
    ...{ num_attention_heads: 2, max_position_embeddings: 32, do_layer_norm_before: false, word_embed_proj_dim: 4 },
  },
  roberta: {
    ...{ model_type: "roberta", vocab_size: 19, hidden_size: 8, num_hidden_layers: 2, intermediate_size: 12 },
    ...{ num_attention_heads: 2, max_position_embeddings: 34, type_vocab_size: 1, layer_norm_eps: 1e-5 },
  },
  llama: {
    ...{ model_type: "llama", vocab_size: 19, hidden_size: 16, num_hidden_layers: 2, intermediate_size: 12 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 32, rms_norm_eps: 1e-5 },
  },
  "llama with a tied head and biases": {
    ...{ model_type: "llama", vocab_size: 19, hidden_size: 8, num_hidden_layers: 2, intermediate_size: 12 },
    ...{ num_attention_heads: 2, max_position_embeddings: 32, tie_word_embeddings: true, attention_bias: true },
    mlp_bias: true,
  },
  mistral: {
    ...{ model_type: "mistral", vocab_size: 19, hidden_size: 16, num_hidden_layers: 2, intermediate_size: 12 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 32, sliding_window: null },
  },
  qwen2: {
    ...{ model_type: "qwen2", vocab_size: 19, hidden_size: 16, num_hidden_layers: 2, intermediate_size: 12 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 32, tie_word_embeddings: true },
  },
  qwen3: {
    ...{ model_type: "qwen3", vocab_size: 19, hidden_size: 8, num_hidden_layers: 2, intermediate_size: 12 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 4, max_position_embeddings: 32 },
  },
  gpt2: {
    ...{ model_type: "gpt2", vocab_size: 19, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 32 },
  },
  bert: {
    ...{ model_type: "bert", vocab_size: 19, hidden_size: 8, num_hidden_layers: 2, intermediate_size: 12 },
    ...{ num_attention_heads: 2, max_position_embeddings: 32 },
  },
};

/** A network with seeded random weights. */
export interface TinyNetwork {
  readonly network: Network & { readonly maxLength: number };
  readonly parameters: readonly Parameter[];
}

/** The network of a config, its weights uniform between ±0.6, the norms' gains about 1. */
export function tinyNetwork(config: Config): TinyNetwork {
  const random = seedrandom.alea("network");
  const family = findFamily("tiny", config);
  const parameters = [...family.shapes(config)].map(([name, shape]) => {
    const gain = /(norm|\.ln_\w)\.weight$/i.test(name) ? 1 : 0;
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: size }, () => gain + 1.2 * (random() - 0.5));
    return { name, value: tf.tensor(values, [...shape]) };
  });
  const byName = new Map(parameters.map(({ name, value }) => [name, value]));
  const network = family.build(config, (name) => byName.get(name)!);
  return { network: { ...network, ...family.limits(config) }, parameters };
}

/** An adapter with corrections of rank 1 in every query, value and other projection of the first layer, and a prefix of 2 tokens. */
export function tinyAdaptation({ network, parameters }: TinyNetwork): TinyNetwork {
  const random = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 0.5, "float32", seed);
  const first = network.layers[0]!.parameters;
  const pairs = new Map(
    parameters
      .filter(({ name, value }) => first.includes(name) && value.rank === 2)
      .map(({ name, value: { shape } }, i) => {
        const pair = { a: random(50 + i, 1, shape[1]!), b: random(80 + i, shape[0]!, 1) };
        return [name.replace(/\.weight$/, ""), pair];
      }),
  );
  const prefixes = network.layers.map((_, i) => ({
    keys: random(20 + i, 2, network.keyWidth),
    values: random(30 + i, 2, network.keyWidth),
  }));
  const adaptation: Adaptation = {
    correction: (name) => {
      const pair = pairs.get(name);
      return pair && ((x) => tf.matMul(tf.matMul(x, pair.a, false, true) as tf.Tensor2D, pair.b, false, true));
    },
    prefix: (layer) => prefixes[layer]!,
  };
  const own = [
    ...[...pairs].flatMap(([name, { a, b }]) => [
      { name: `${name}.a`, value: a },
      { name: `${name}.b`, value: b },
    ]),
    ...prefixes.flatMap(({ keys, values }, i) => [
      { name: `prefix.${i}.keys`, value: keys },
      { name: `prefix.${i}.values`, value: values },
    ]),
  ];
  return { network: { ...network, adaptation }, parameters: own };
}

/** Frees weights. */
export const free = (parameters: readonly Parameter[]): void => tf.dispose(parameters.map(({ value }) => value));
