import * as tf from "@tensorflow/tfjs";
import { multiply } from "../kernels/elementwise.ts";
import { embed } from "../kernels/embed.ts";
import { rmsNorm } from "../kernels/rmsNorm.ts";
import { rotary } from "../kernels/rotary.ts";
import { attend } from "../nn/attend.ts";
import type { TokenBatch } from "../nn/batch.ts";
import { freeing } from "../nn/freeing.ts";
import type { Layer, LayerContext, Network } from "../nn/network.ts";
import { type Projection, type ProjectionExtras, project } from "../nn/project.ts";
import { ropeAngles, ropeFrequencies } from "../nn/rope.ts";
import type { Config, Limits, ModelFamily, Weights } from "./family.ts";
import { type LlamaConfig, readConfig } from "./llamaConfig.ts";
import { denseShapes, under } from "./shapes.ts";

const queryWidth = (c: LlamaConfig): number => c.num_attention_heads * c.head_dim;
const keyWidth = (c: LlamaConfig): number => c.num_key_value_heads * c.head_dim;

function layerShapes(c: LlamaConfig): Record<string, number[]> {
  const { hidden_size: d, intermediate_size: f, attention_bias: a, mlp_bias: m } = c;
  return {
    "input_layernorm.weight": [d],
    ...denseShapes("self_attn.q_proj", queryWidth(c), d, a),
    ...denseShapes("self_attn.k_proj", keyWidth(c), d, a),
    ...denseShapes("self_attn.v_proj", keyWidth(c), d, a),
    ...denseShapes("self_attn.o_proj", d, queryWidth(c), a),
    "post_attention_layernorm.weight": [d],
    ...denseShapes("mlp.gate_proj", f, d, m),
    ...denseShapes("mlp.up_proj", f, d, m),
    ...denseShapes("mlp.down_proj", d, f, m),
  };
}

function shapes(config: Config): Map<string, readonly number[]> {
  const c = readConfig(config);
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
function canonicalName(found: string, config: Config): string | undefined {
  if (found.endsWith("rotary_emb.inv_freq")) return undefined; // a buffer, made from rope_theta
  if (found === HEAD && readConfig(config).tie_word_embeddings) return WORDS;
  return /^(embed_tokens|layers|norm)\./.test(found) ? `model.${found}` : found;
}

function build(config: Config, weights: Weights): Network {
  const c = readConfig(config);
  const angles = ropeAngles(ropeFrequencies(c.head_dim, c.rope_theta, c.rope_scaling));
  const turn = (x: tf.Tensor, tokens: TokenBatch): tf.Tensor2D => rotary(x, angles(tokens));
  return {
    embedding: ({ ids }) => embed(tf.tensor1d(ids, "int32"), weights(WORDS)),
    layers: Array.from({ length: c.num_hidden_layers }, (_, i) => layer(c, weights, `model.layers.${i}`, turn)),
    output: (x) => rmsNorm(x, weights("model.norm.weight"), c.rms_norm_eps),
    head: { weight: weights(c.tie_word_embeddings ? WORDS : HEAD) },
    keyWidth: keyWidth(c),
    keyHeads: c.num_key_value_heads,
    prompts: "autoregressive",
  };
}

/** Turns the heads of x by their tokens' positions. */
type Turn = (x: tf.Tensor, tokens: TokenBatch) => tf.Tensor2D;

function layer(c: LlamaConfig, weights: Weights, at: string, turn: Turn): Layer {
  const of = (name: string): Projection => {
    const biased = name.startsWith("mlp.") ? c.mlp_bias : c.attention_bias;
    const bias = biased ? weights(`${at}.${name}.bias`) : undefined;
    return { name: `${at}.${name}`, weight: weights(`${at}.${name}.weight`), bias };
  };
  const norm = (x: tf.Tensor, name: string): tf.Tensor2D => rmsNorm(x, weights(`${at}.${name}.weight`), c.rms_norm_eps);
  const run = (x: tf.Tensor, context: LayerContext): tf.Tensor2D => {
    const dense = (input: tf.Tensor, name: string, extras?: ProjectionExtras): tf.Tensor2D =>
      project(input, of(name), context, extras);
    const selfAttention = (): tf.Tensor2D => {
      const seen = norm(x, "input_layernorm");
      const [k, v] = ["k_proj", "v_proj"].map((name) => dense(seen, `self_attn.${name}`));
      const q = dense(context.wanted(seen), "self_attn.q_proj");
      const shape = { heads: c.num_attention_heads, causal: true };
      const mixed = attend(turn(q, context.queries), turn(k!, context.batch), v!, context, shape);
      return dense(mixed, "self_attn.o_proj", { residual: context.wanted(x) });
    };
    const middle = freeing(context, selfAttention);
    const inner = norm(middle, "post_attention_layernorm");
    const gated = multiply(dense(inner, "mlp.gate_proj", { activation: "silu" }), dense(inner, "mlp.up_proj")); // SwiGLU
    return dense(gated, "mlp.down_proj", { residual: middle });
  };
  return { query: `${at}.self_attn.q_proj`, value: `${at}.self_attn.v_proj`, run };
}

function limits(config: Config): Limits {
  const { max_position_embeddings: maxLength, bos_token_id: begin, eos_token_id } = readConfig(config);
  const [end] = [eos_token_id ?? []].flat(); // chat models list several: the first is the end of a text
  return { maxLength, begin: { mezo: begin, config: begin }, ...(end !== undefined && { end }) };
}

/** Llama (Touvron et al. 2023) and what is built like it: TinyLlama, SmolLM2, Llama 3. */
export const llama: ModelFamily = {
  ...{ shapes, canonicalName, build, limits, prompts: "autoregressive" },
  tie: { output: HEAD, embedding: WORDS },
};
