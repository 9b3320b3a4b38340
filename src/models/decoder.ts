import * as tf from "@tensorflow/tfjs-core";
import { multiply } from "../kernels/elementwise.ts";
import { embed } from "../kernels/embed.ts";
import { rmsNorm } from "../kernels/norm.ts";
import { rotary } from "../kernels/rotary.ts";
import type { TokenBatch } from "../nn/batch.ts";
import { attend, freeing, type Projection, type ProjectionExtras, project, type Weights } from "../nn/layers.ts";
import type { Layer, LayerContext, Network } from "../nn/network.ts";
import { ropeAngles, ropeFrequencies } from "../nn/rope.ts";
import type { Config } from "./config.ts";
import type { DecoderConfig } from "./decoderConfig.ts";
import { denseShapes, type Limits, listEnds, type ModelFamily, namesUnder, under } from "./family.ts";

/** A decoder built like Llama: its config, and what its family does in its own way. */
export interface Decoder extends DecoderConfig {
  /** The projections that have a bias, such as "self_attn.q_proj". */
  readonly biases: readonly string[];
  /** Whether each head of queries and keys is normalized by itself. */
  readonly headNorms: boolean;
  /** The token that texts begin with unless the tokenizer says otherwise. */
  readonly begin: Limits["begin"];
  /**
   * How many tokens one of them sees, itself included, where not all. Texts up to that length are computed as without it, and the kit reads
   * none that are longer.
   */
  readonly window?: number | undefined;
}

/** The projections of the attention, and of the feed-forward part. */
export const ATTENTION: readonly string[] = ["q_proj", "k_proj", "v_proj", "o_proj"].map((name) => `self_attn.${name}`);
export const FEED_FORWARD: readonly string[] = ["gate_proj", "up_proj", "down_proj"].map((name) => `mlp.${name}`);

/** The family of decoders that such a function reads from their configs. */
export function decoderFamily(read: (config: Config) => Decoder): ModelFamily {
  return {
    shapes: (config) => shapes(read(config)),
    canonicalName: (found, config) => canonicalName(found, () => read(config).tie_word_embeddings),
    build: (config, weights) => build(read(config), weights),
    limits: (config) => limits(read(config)),
    prompts: "autoregressive",
    tie: { output: HEAD, embedding: WORDS },
  };
}

const queryWidth = (c: Decoder): number => c.num_attention_heads * c.head_dim;
const keyWidth = (c: Decoder): number => c.num_key_value_heads * c.head_dim;

function layerShapes(c: Decoder): Record<string, number[]> {
  const { hidden_size: d, intermediate_size: f } = c;
  const dense = (name: string, out: number, from: number): Record<string, number[]> =>
    denseShapes(name, out, from, c.biases.includes(name));
  return {
    "input_layernorm.weight": [d],
    ...dense("self_attn.q_proj", queryWidth(c), d),
    ...dense("self_attn.k_proj", keyWidth(c), d),
    ...dense("self_attn.v_proj", keyWidth(c), d),
    ...dense("self_attn.o_proj", d, queryWidth(c)),
    ...(c.headNorms && { "self_attn.q_norm.weight": [c.head_dim], "self_attn.k_norm.weight": [c.head_dim] }),
    "post_attention_layernorm.weight": [d],
    ...dense("mlp.gate_proj", f, d),
    ...dense("mlp.up_proj", f, d),
    ...dense("mlp.down_proj", d, f),
  };
}

function shapes(c: Decoder): Map<string, readonly number[]> {
  const table = [c.vocab_size, c.hidden_size];
  return new Map<string, readonly number[]>([
    [WORDS, table],
    ...Array.from({ length: c.num_hidden_layers }, (_, i) => under(`model.layers.${i}`, layerShapes(c))).flat(),
    ["model.norm.weight", [c.hidden_size]],
    ...(c.tie_word_embeddings ? [] : ([[HEAD, table]] as [string, number[]][])),
  ]);
}

const WORDS = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

/** A checkpoint of the decoder alone names it without "model."; of a tied pair one may hold either, or both. */
function canonicalName(found: string, isTied: () => boolean): string | undefined {
  if (found.endsWith("rotary_emb.inv_freq")) return undefined; // a buffer, made from rope_theta
  if (found === HEAD && isTied()) return WORDS;
  return /^(embed_tokens|layers|norm)\./.test(found) ? `model.${found}` : found;
}

function build(c: Decoder, weights: Weights): Network {
  const angles = ropeAngles(ropeFrequencies(c.head_dim, c.rope_theta, c.rope_scaling));
  const turn = (x: tf.Tensor, tokens: TokenBatch): tf.Tensor2D => rotary(x, angles(tokens));
  const places = Array.from({ length: c.num_hidden_layers }, (_, i) => `model.layers.${i}`);
  const norms = [
    ...["input_layernorm", "post_attention_layernorm"],
    ...(c.headNorms ? ["self_attn.q_norm", "self_attn.k_norm"] : []),
  ];
  return {
    embedding: ({ ids }) => embed(tf.tensor1d(ids, "int32"), weights(WORDS)),
    embeddings: [WORDS],
    gains: [...places.flatMap((at) => norms.map((norm) => `${at}.${norm}`)), "model.norm"].map((at) => `${at}.weight`),
    layers: places.map((at) => layer(c, weights, at, turn)),
    output: (x) => rmsNorm(x, weights("model.norm.weight"), c.rms_norm_eps),
    head: { weight: weights(c.tie_word_embeddings ? WORDS : HEAD) },
    keyWidth: keyWidth(c),
    keyHeads: c.num_key_value_heads,
    isSmooth: true,
    prompts: "autoregressive",
  };
}

/** Turns the heads of x by their tokens' positions. */
type Turn = (x: tf.Tensor, tokens: TokenBatch) => tf.Tensor2D;

function layer(c: Decoder, weights: Weights, at: string, turn: Turn): Layer {
  const of = (name: string): Projection => {
    const bias = c.biases.includes(name) ? weights(`${at}.${name}.bias`) : undefined;
    return { name: `${at}.${name}`, weight: weights(`${at}.${name}.weight`), bias };
  };
  const norm = (x: tf.Tensor, name: string): tf.Tensor2D => rmsNorm(x, weights(`${at}.${name}.weight`), c.rms_norm_eps);
  const place = (x: tf.Tensor, name: string, tokens: TokenBatch): tf.Tensor2D =>
    turn(c.headNorms ? norm(x, `self_attn.${name}`) : x, tokens);
  const run = (x: tf.Tensor, context: LayerContext): tf.Tensor2D => {
    const dense = (input: tf.Tensor, name: string, extras?: ProjectionExtras): tf.Tensor2D =>
      project(input, of(name), context, extras);
    const selfAttention = (): tf.Tensor2D => {
      const seen = norm(x, "input_layernorm");
      const [k, v] = ["k_proj", "v_proj"].map((name) => dense(seen, `self_attn.${name}`));
      const q = dense(context.wanted(seen), "self_attn.q_proj");
      const shape = { heads: c.num_attention_heads, causal: true };
      const [queries, keys] = [place(q, "q_norm", context.queries), place(k!, "k_norm", context.batch)];
      return dense(attend(queries, keys, v!, context, shape), "self_attn.o_proj", { residual: context.wanted(x) });
    };
    const middle = freeing(context, selfAttention);
    const inner = norm(middle, "post_attention_layernorm");
    const gated = multiply(dense(inner, "mlp.gate_proj", { activation: "silu" }), dense(inner, "mlp.up_proj")); // SwiGLU
    return dense(gated, "mlp.down_proj", { residual: middle });
  };
  const parameters = namesUnder(at, layerShapes(c));
  return { parameters, query: `${at}.self_attn.q_proj`, value: `${at}.self_attn.v_proj`, run };
}

function limits({ max_position_embeddings: longest, window = longest, begin, eos_token_id }: Decoder): Limits {
  return { maxLength: Math.min(longest, window), begin, ends: listEnds(eos_token_id) };
}
