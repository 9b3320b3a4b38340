import * as tf from "@tensorflow/tfjs-core";
import { KitError, showValue } from "../error.ts";
import { multiply } from "../kernels/elementwise.ts";
import { embed } from "../kernels/embed.ts";
import { rmsNorm } from "../kernels/norm.ts";
import { rotary } from "../kernels/rotary.ts";
import type { TokenBatch } from "../nn/batch.ts";
import { attend, freeing, type Projection, type ProjectionExtras, project, type Weights } from "../nn/layers.ts";
import type { Layer, LayerContext, Network } from "../nn/network.ts";
import { type RopeScaling, ropeAngles, ropeFrequencies } from "../nn/rope.ts";
import {
  type Config,
  checkDivides,
  evenSize,
  type Fields,
  flag,
  layers,
  only,
  optional,
  positive,
  readFields,
  size,
  tokenId,
  tokenIds,
} from "./config.ts";
import { defineFamily, denseShapes, type Limits, listEnds, type ModelFamily, namesUnder, under } from "./family.ts";

/** Sizes and switches of a Llama config.json, under its own names. */
export interface LlamaConfig {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  /** Width of a head. */
  readonly head_dim: number;
  readonly max_position_embeddings: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly rope_scaling?: RopeScaling | undefined;
  readonly hidden_act: string;
  readonly attention_bias: boolean;
  readonly mlp_bias: boolean;
  readonly tie_word_embeddings: boolean;
  readonly bos_token_id: number;
  readonly eos_token_id?: number | readonly number[];
}

type Plain = Omit<LlamaConfig, "rope_theta" | "rope_scaling">;

const FIELDS: Fields<Plain> = {
  ...{ vocab_size: size, hidden_size: size, intermediate_size: size, num_hidden_layers: layers },
  ...{ num_attention_heads: size, num_key_value_heads: size, head_dim: evenSize, max_position_embeddings: size },
  ...{ rms_norm_eps: positive, hidden_act: only("silu") },
  ...{ attention_bias: flag, mlp_bias: flag, tie_word_embeddings: flag },
  ...{ bos_token_id: tokenId, eos_token_id: optional(tokenIds) },
};

/** What a config leaves out stands for these values, as in the library that it was written by. */
const DEFAULTS: Partial<Plain> = {
  ...{ hidden_act: "silu", rms_norm_eps: 1e-6, bos_token_id: 1 },
  ...{ attention_bias: false, mlp_bias: false, tie_word_embeddings: false },
};

/** A Llama's config with what it leaves out. Throws a KitError for a field that does not fit, and for what is not built. */
export function readConfig(found: Config): LlamaConfig {
  const { num_attention_heads: heads, hidden_size: width } = found;
  const share = typeof width === "number" && typeof heads === "number" ? width / heads : 0;
  const own = { num_key_value_heads: heads as number, head_dim: Number.isInteger(share) && share > 0 ? share : 2 };
  const llama = readFields<Plain>("Llama", FIELDS, { ...DEFAULTS, ...own }, found);
  checkDivides("Llama", llama.num_attention_heads, llama.hidden_size, "a width");
  checkDivides("Llama", llama.num_key_value_heads, llama.num_attention_heads, "queries' heads");
  return { ...llama, ...rope(found, llama.max_position_embeddings) };
}

/** Where theta and the scaling are kept, and how they are checked. */
interface RopeConfig extends RopeScaling {
  readonly rope_theta: number;
}

const THETA: Fields<Pick<RopeConfig, "rope_theta">> = { rope_theta: positive };

const SCALING: Fields<RopeScaling> = {
  ...{ factor: positive, low_freq_factor: positive, original_max_position_embeddings: size },
  high_freq_factor: {
    needs: "a number above low_freq_factor",
    fits: (value, config) =>
      positive.fits(value, config) &&
      !(positive.fits(config.low_freq_factor, config) && (value as number) <= (config.low_freq_factor as number)),
  },
};

/**
 * Newer configs keep theta and the scaling together in rope_parameters, older ones theta by itself and the scaling in rope_scaling; as in
 * transformers, rope_scaling goes first where there is one, what it lacks is looked for outside, and the original length is the longest
 * where no other is named.
 */
function rope(found: Config, longest: number): Pick<LlamaConfig, "rope_theta" | "rope_scaling"> {
  const together = (nonempty(found.rope_scaling) ?? nonempty(found.rope_parameters) ?? {}) as Config;
  const theta = together.rope_theta ?? found.rope_theta;
  const { rope_theta } = readFields("Llama", THETA, { rope_theta: 10_000 }, { rope_theta: theta ?? null });
  const type = together.rope_type ?? together.type ?? "default";
  const share = together.partial_rotary_factor ?? found.partial_rotary_factor ?? 1;
  if (share !== 1) throw notBuilt(`turned in a part of ${showValue(share)} of each head`, "whole heads are");
  if (type === "default") return { rope_theta, rope_scaling: undefined };
  if (type !== "llama3") throw notBuilt(`scaled as ${showValue(type)}`, 'a scaling of "llama3" is');
  const length = found.original_max_position_embeddings ?? together.original_max_position_embeddings ?? longest;
  const scaling = { ...together, original_max_position_embeddings: length };
  return { rope_theta, rope_scaling: readFields("Llama", SCALING, {}, scaling) };
}

function notBuilt(what: string, built: string): KitError {
  return new KitError(
    `The Llama config asks for rotary positions ${what}, but only ${built} built: use another model, or remove rope_scaling to run it within its original length.`,
  );
}

const nonempty = (value: unknown): unknown => {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value))
    throw new KitError(
      `The Llama config needs an object for rope_scaling and rope_parameters, not ${showValue(value)}: correct config.json.`,
    );
  return Object.keys(value).length > 0 ? value : undefined;
};

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
  const places = Array.from({ length: c.num_hidden_layers }, (_, i) => `model.layers.${i}`);
  const norms = places.flatMap((at) => [`${at}.input_layernorm`, `${at}.post_attention_layernorm`]);
  return {
    embedding: ({ ids }) => embed(tf.tensor1d(ids, "int32"), weights(WORDS)),
    embeddings: [WORDS],
    gains: [...norms, "model.norm"].map((norm) => `${norm}.weight`),
    layers: places.map((at) => layer(c, weights, at, turn)),
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
  const parameters = namesUnder(at, layerShapes(c));
  return { parameters, query: `${at}.self_attn.q_proj`, value: `${at}.self_attn.v_proj`, run };
}

function limits(config: Config): Limits {
  const { max_position_embeddings: maxLength, bos_token_id, eos_token_id } = readConfig(config);
  const begin = config.bos_token_id === null ? undefined : bos_token_id;
  return { maxLength, begin: { mezo: begin, config: begin }, ends: listEnds(eos_token_id) };
}

/** Llama (Touvron et al. 2023) and what is built like it: TinyLlama, SmolLM2, Llama 3. */
export const llama: ModelFamily = defineFamily("llama", {
  ...{ shapes, canonicalName, build, limits, prompts: "autoregressive" },
  tie: { output: HEAD, embedding: WORDS },
});
