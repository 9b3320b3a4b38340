import * as tf from "@tensorflow/tfjs-core";
import { add } from "../kernels/elementwise.ts";
import { embed } from "../kernels/embed.ts";
import { layerNorm } from "../kernels/norm.ts";
import { positionTensor, type TokenBatch } from "../nn/batch.ts";
import {
  attend,
  feedForwardPart,
  freeing,
  type Projection,
  project,
  readProjection,
  type Weights,
} from "../nn/layers.ts";
import type { Corrections, Layer, LayerContext, Network } from "../nn/network.ts";
import {
  type Config,
  checkDivides,
  type Fields,
  flag,
  layers,
  only,
  optional,
  readFields,
  size,
  tokenId,
  tokenIds,
} from "./config.ts";
import {
  defineFamily,
  denseShapes,
  type Limits,
  listEnds,
  type ModelFamily,
  namesUnder,
  normShapes,
  under,
} from "./family.ts";

/** The positions' table begins with two rows that no token uses. */
const POSITION_OFFSET = 2;

/** Sizes and switches of an OPT config.json, under its own names. */
interface OptConfig {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly ffn_dim: number;
  readonly num_attention_heads: number;
  readonly max_position_embeddings: number;
  readonly word_embed_proj_dim: number;
  /** False for OPT-350M alone: the norm follows the residual sum. */
  readonly do_layer_norm_before: boolean;
  readonly _remove_final_layer_norm?: boolean;
  readonly activation_function: string;
  readonly enable_bias: boolean;
  readonly layer_norm_elementwise_affine: boolean;
  readonly tie_word_embeddings: boolean;
  readonly bos_token_id: number;
  readonly eos_token_id?: number | readonly number[];
}

const FIELDS: Fields<OptConfig> = {
  ...{ vocab_size: size, hidden_size: size, num_hidden_layers: layers, ffn_dim: size, num_attention_heads: size },
  ...{ max_position_embeddings: size, word_embed_proj_dim: size },
  ...{ do_layer_norm_before: flag, _remove_final_layer_norm: optional(flag) },
  // What no released OPT has otherwise.
  ...{ activation_function: only("relu"), tie_word_embeddings: only(true) },
  ...{ enable_bias: only(true), layer_norm_elementwise_affine: only(true) },
  ...{ bos_token_id: tokenId, eos_token_id: optional(tokenIds) },
};

/** What a config leaves out stands for these values, as in the library that it was written by. */
const DEFAULTS: Partial<OptConfig> = {
  ...{ do_layer_norm_before: true, activation_function: "relu", tie_word_embeddings: true, enable_bias: true },
  ...{ layer_norm_elementwise_affine: true, bos_token_id: 2 },
};

function readConfig(found: Config): OptConfig {
  const own = { word_embed_proj_dim: found.hidden_size as number };
  const opt = readFields("OPT", FIELDS, { ...DEFAULTS, ...own }, found);
  checkDivides("OPT", opt.num_attention_heads, opt.hidden_size, "a width");
  return opt;
}

const hasProjection = (c: OptConfig): boolean => c.word_embed_proj_dim !== c.hidden_size;
const hasFinalNorm = (c: OptConfig): boolean => c.do_layer_norm_before && !c._remove_final_layer_norm;

function layerShapes({ hidden_size: d, ffn_dim: f }: OptConfig): Record<string, number[]> {
  return {
    ...denseShapes("self_attn.k_proj", d, d),
    ...denseShapes("self_attn.v_proj", d, d),
    ...denseShapes("self_attn.q_proj", d, d),
    ...denseShapes("self_attn.out_proj", d, d),
    ...normShapes("self_attn_layer_norm", d),
    ...denseShapes("fc1", f, d),
    ...denseShapes("fc2", d, f),
    ...normShapes("final_layer_norm", d),
  };
}

function shapes(config: Config): Map<string, readonly number[]> {
  const c = readConfig(config);
  const { hidden_size: d, word_embed_proj_dim: e } = c;
  const all = new Map<string, readonly number[]>([
    ["embed_tokens.weight", [c.vocab_size, e]],
    ["embed_positions.weight", [c.max_position_embeddings + POSITION_OFFSET, d]],
  ]);
  if (hasProjection(c)) all.set("project_out.weight", [e, d]).set("project_in.weight", [d, e]);
  if (hasFinalNorm(c)) all.set("final_layer_norm.weight", [d]).set("final_layer_norm.bias", [d]);
  for (let i = 0; i < c.num_hidden_layers; i++)
    for (const [name, shape] of under(`layers.${i}`, layerShapes(c))) all.set(name, shape);
  return new Map(under("model.decoder", Object.fromEntries(all)));
}

/** On the hub the same weights go by `model.decoder.` and by `decoder.`; of the tied pair a checkpoint may hold either, or both. */
function canonicalName(found: string): string | undefined {
  if (found.endsWith("decoder.version")) return undefined; // a buffer of the library that OPT was trained with
  if (found === "lm_head.weight") return "model.decoder.embed_tokens.weight";
  return found.startsWith("decoder.") ? `model.${found}` : found;
}

function build(config: Config, weights: Weights): Network {
  const c = readConfig(config);
  const w = (name: string): tf.Tensor => weights(`model.decoder.${name}`);

  const dense = (name: string): Projection => ({ name: `model.decoder.${name}`, weight: w(`${name}.weight`) });

  const embedding = (batch: TokenBatch, correction: Corrections): tf.Tensor2D => {
    const tokens = embed(tf.tensor1d(batch.ids, "int32"), w("embed_tokens.weight"));
    const positions = embed(positionTensor(batch, POSITION_OFFSET), w("embed_positions.weight"));
    if (!hasProjection(c)) return add(tokens, positions);
    return project(tokens, dense("project_in"), { correction }, { residual: positions });
  };
  const output = (x: tf.Tensor, correction: Corrections): tf.Tensor2D => {
    const final = hasFinalNorm(c) ? layerNorm(x, w("final_layer_norm.weight"), w("final_layer_norm.bias")) : x;
    return hasProjection(c) ? project(final, dense("project_out"), { correction }) : (final as tf.Tensor2D);
  };
  const places = Array.from({ length: c.num_hidden_layers }, (_, i) => `model.decoder.layers.${i}`);
  const norms = places.flatMap((at) => [`${at}.self_attn_layer_norm`, `${at}.final_layer_norm`]);
  return {
    embedding,
    embeddings: ["model.decoder.embed_tokens.weight", "model.decoder.embed_positions.weight"],
    gains: [...norms, ...(hasFinalNorm(c) ? ["model.decoder.final_layer_norm"] : [])].map((norm) => `${norm}.weight`),
    layers: places.map((at) => layer(c, weights, at)),
    output,
    head: { weight: w("embed_tokens.weight") },
    keyWidth: c.hidden_size,
    keyHeads: c.num_attention_heads,
    prompts: "autoregressive",
  };
}

function layer(c: OptConfig, weights: Weights, at: string): Layer {
  const dense = (name: string): Projection => readProjection(weights, `${at}.${name}`);
  const norm = (x: tf.Tensor, name: string): tf.Tensor2D =>
    layerNorm(x, weights(`${at}.${name}.weight`), weights(`${at}.${name}.bias`));

  const selfAttention = (x: tf.Tensor, residual: tf.Tensor, context: LayerContext): tf.Tensor2D => {
    const [k, v] = ["k_proj", "v_proj"].map((name) => project(x, dense(`self_attn.${name}`), context));
    const q = project(context.wanted(x), dense("self_attn.q_proj"), context);
    const mixed = attend(q, k!, v!, context, { heads: c.num_attention_heads, causal: true });
    return project(mixed, dense("self_attn.out_proj"), context, { residual });
  };
  const wide = { up: dense("fc1"), down: dense("fc2"), activation: "relu" } as const;

  const preNorm = (x: tf.Tensor, context: LayerContext): tf.Tensor2D => {
    const middle = freeing(context, () => selfAttention(norm(x, "self_attn_layer_norm"), context.wanted(x), context));
    return feedForwardPart(norm(middle, "final_layer_norm"), wide, context, middle);
  };
  const postNorm = (x: tf.Tensor, context: LayerContext): tf.Tensor2D => {
    const middle = freeing(context, () => norm(selfAttention(x, context.wanted(x), context), "self_attn_layer_norm"));
    return norm(feedForwardPart(middle, wide, context, middle), "final_layer_norm");
  };
  return {
    parameters: namesUnder(at, layerShapes(c)),
    query: `${at}.self_attn.q_proj`,
    value: `${at}.self_attn.v_proj`,
    run: c.do_layer_norm_before ? preNorm : postNorm,
  };
}

function limits(config: Config): Limits {
  const { max_position_embeddings: maxLength, bos_token_id, eos_token_id } = readConfig(config);
  // The paper's code sets OPT's begin token to 0, though OPT was trained with the one that its config names.
  return { maxLength, begin: { mezo: 0, config: bos_token_id }, ends: listEnds(eos_token_id) };
}

/** OPT (Zhang et al. 2022), both variants: the norm before each block, and OPT-350M's after it with projected embeddings. */
export const opt: ModelFamily = defineFamily("opt", {
  ...{ shapes, canonicalName, build, limits, prompts: "autoregressive" },
});
