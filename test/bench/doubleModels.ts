import type { SharedPrompt } from "../../src/text/prompt.ts";
import { attention, type Doubles, gelu, layerNorm, linear, relu, sum } from "./double.ts";

/** The fields of a config.json that decide a forward pass, as the two families name them. */
export interface DoubleConfig {
  readonly model_type: string;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly layer_norm_eps?: number;
  readonly pad_token_id?: number;
}

/** Weights in double precision by their checkpoint names. */
export type DoubleWeights = ReadonlyMap<string, Doubles>;

/**
 * A forward pass in double precision, written apart from the kit's: after each prompt the logits of its answers where it is read.
 * Throws for a family that has none here.
 */
export function doubleLogits(
  config: DoubleConfig,
  weights: DoubleWeights,
  { ids, at, answers }: SharedPrompt,
): number[] {
  const { features, matrix, bias } = FAMILIES[config.model_type]!;
  const { hidden_size: width } = config;
  const seen = features(config, weights, ids).subarray(at * width, (at + 1) * width);
  const logits = linear(seen, width, takeRows(weights.get(matrix)!, width, answers));
  return Array.from(logits, (logit, i) => logit + (bias === undefined ? 0 : weights.get(bias)![answers[i]!]!));
}

interface DoubleFamily {
  /** What the output matrix sees: [tokens, width]. */
  readonly features: (config: DoubleConfig, weights: DoubleWeights, ids: ArrayLike<number>) => Doubles;
  /** The names of the output matrix and its bias. */
  readonly matrix: string;
  readonly bias?: string;
}

const FAMILIES: Readonly<Record<string, DoubleFamily>> = {
  opt: { features: optFeatures, matrix: "model.decoder.embed_tokens.weight" },
  roberta: { features: robertaFeatures, matrix: "roberta.embeddings.word_embeddings.weight", bias: "lm_head.bias" },
};

/** OPT with its norms before each block. */
function optFeatures(config: DoubleConfig, weights: DoubleWeights, ids: ArrayLike<number>): Doubles {
  const { hidden_size: width, num_hidden_layers: layers, num_attention_heads: heads } = config;
  const { dense, norm, rows } = reader(weights, width, 1e-5);
  const at = "model.decoder";
  const positions = Array.from(ids, (_, i) => i + 2);
  let x = sum(rows(`${at}.embed_tokens.weight`, ids), rows(`${at}.embed_positions.weight`, positions));
  for (let i = 0; i < layers; i++) {
    const own = `${at}.layers.${i}`;
    const seen = norm(x, `${own}.self_attn_layer_norm`);
    const [q, k, v] = ["q", "k", "v"].map((name) => dense(seen, `${own}.self_attn.${name}_proj`));
    const mixed = attention({ q: q!, k: k!, v: v!, width, heads, causal: true });
    x = sum(x, dense(mixed, `${own}.self_attn.out_proj`));
    x = sum(x, dense(relu(dense(norm(x, `${own}.final_layer_norm`), `${own}.fc1`)), `${own}.fc2`));
  }
  return norm(x, `${at}.final_layer_norm`);
}

/** RoBERTa with its head for masked language modelling. */
function robertaFeatures(config: DoubleConfig, weights: DoubleWeights, ids: ArrayLike<number>): Doubles {
  const { hidden_size: width, num_hidden_layers: layers, num_attention_heads: heads } = config;
  const { layer_norm_eps: epsilon = 1e-5, pad_token_id: pad = 1 } = config;
  const { dense, norm, rows } = reader(weights, width, epsilon);
  const at = "roberta.embeddings";
  const table = (name: string, of: ArrayLike<number>): Doubles => rows(`${at}.${name}_embeddings.weight`, of);
  const positions = Array.from(ids, (_, i) => pad + 1 + i);
  const types = Array.from(ids, () => 0);
  let x = norm(
    sum(sum(table("word", ids), table("token_type", types)), table("position", positions)),
    `${at}.LayerNorm`,
  );
  for (let i = 0; i < layers; i++) {
    const own = `roberta.encoder.layer.${i}`;
    const [q, k, v] = ["query", "key", "value"].map((name) => dense(x, `${own}.attention.self.${name}`));
    const mixed = attention({ q: q!, k: k!, v: v!, width, heads, causal: false });
    x = norm(sum(x, dense(mixed, `${own}.attention.output.dense`)), `${own}.attention.output.LayerNorm`);
    const wide = gelu(dense(x, `${own}.intermediate.dense`));
    x = norm(sum(x, dense(wide, `${own}.output.dense`)), `${own}.output.LayerNorm`);
  }
  return norm(gelu(dense(x, "lm_head.dense")), "lm_head.layer_norm");
}

/** Weights by name, applied. */
interface Reader {
  readonly dense: (x: Doubles, name: string) => Doubles;
  readonly norm: (x: Doubles, name: string) => Doubles;
  readonly rows: (name: string, ids: ArrayLike<number>) => Doubles;
}

function reader(weights: DoubleWeights, width: number, epsilon: number): Reader {
  const of = (name: string): Doubles => weights.get(name)!;
  return {
    dense: (x, name) => {
      const bias = of(`${name}.bias`);
      return linear(x, of(`${name}.weight`).length / bias.length, of(`${name}.weight`), bias);
    },
    norm: (x, name) => layerNorm(x, of(`${name}.weight`), of(`${name}.bias`), epsilon),
    rows: (name, ids) => takeRows(of(name), width, ids),
  };
}

function takeRows(table: Doubles, width: number, ids: ArrayLike<number>): Doubles {
  const taken = new Float64Array(ids.length * width);
  Array.from(ids, (id, i) => taken.set(table.subarray(id * width, (id + 1) * width), i * width));
  return taken;
}
