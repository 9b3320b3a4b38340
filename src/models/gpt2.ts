import * as tf from "@tensorflow/tfjs-core";
import { columns } from "../kernels/columns.ts";
import { add } from "../kernels/elementwise.ts";
import { embed } from "../kernels/embed.ts";
import { layerNorm } from "../kernels/norm.ts";
import { positionTensor, type TokenBatch } from "../nn/batch.ts";
import { attend, feedForwardPart, freeing, project, readProjection, type Weights } from "../nn/layers.ts";
import type { Layer, LayerContext, Network } from "../nn/network.ts";
import {
  type Config,
  checkDivides,
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

/** Sizes and switches of a GPT-2 config.json, under its own names. */
interface Gpt2Config {
  readonly vocab_size: number;
  readonly n_positions: number;
  readonly n_embd: number;
  readonly n_layer: number;
  readonly n_head: number;
  /** Width of the feed-forward part's middle. */
  readonly n_inner: number;
  readonly layer_norm_epsilon: number;
  readonly activation_function: string;
  readonly tie_word_embeddings: boolean;
  readonly scale_attn_weights: boolean;
  readonly scale_attn_by_inverse_layer_idx: boolean;
  readonly add_cross_attention: boolean;
  readonly bos_token_id?: number;
  readonly eos_token_id?: number | readonly number[];
}

const FIELDS: Fields<Gpt2Config> = {
  ...{ vocab_size: size, n_positions: size, n_embd: size, n_layer: layers, n_head: size, n_inner: size },
  ...{ layer_norm_epsilon: positive, tie_word_embeddings: flag },
  // What no released GPT-2 has otherwise.
  ...{ activation_function: only("gelu_new"), add_cross_attention: only(false) },
  ...{ scale_attn_weights: only(true), scale_attn_by_inverse_layer_idx: only(false) },
  ...{ bos_token_id: optional(tokenId), eos_token_id: optional(tokenIds) },
};

/** What a config leaves out stands for these values, as in the library that it was written by. */
const DEFAULTS: Partial<Gpt2Config> = {
  ...{ layer_norm_epsilon: 1e-5, activation_function: "gelu_new", tie_word_embeddings: true },
  ...{ scale_attn_weights: true, scale_attn_by_inverse_layer_idx: false, add_cross_attention: false },
};

function readConfig(found: Config): Gpt2Config {
  const { n_embd: width } = found;
  const own = { n_inner: typeof width === "number" ? 4 * width : 1 };
  const gpt2 = readFields("GPT-2", FIELDS, { ...DEFAULTS, ...own }, found);
  checkDivides("GPT-2", gpt2.n_head, gpt2.n_embd, "a width");
  return gpt2;
}

function layerShapes({ n_embd: d, n_inner: f }: Gpt2Config): Record<string, number[]> {
  return {
    ...normShapes("ln_1", d),
    ...denseShapes("attn.c_attn", 3 * d, d),
    ...denseShapes("attn.c_proj", d, d),
    ...normShapes("ln_2", d),
    ...denseShapes("mlp.c_fc", f, d),
    ...denseShapes("mlp.c_proj", d, f),
  };
}

/** Its linear maps, which checkpoints hold as [in, out]. */
const isTransposed = (name: string): boolean => /\.(c_attn|c_proj|c_fc)\.weight$/.test(name);

const WORDS = "transformer.wte.weight";
const POSITIONS = "transformer.wpe.weight";
const HEAD = "lm_head.weight";

function shapes(config: Config): Map<string, readonly number[]> {
  const c = readConfig(config);
  return new Map<string, readonly number[]>([
    [WORDS, [c.vocab_size, c.n_embd]],
    [POSITIONS, [c.n_positions, c.n_embd]],
    ...Array.from({ length: c.n_layer }, (_, i) => under(`transformer.h.${i}`, layerShapes(c))).flat(),
    ...under("transformer", normShapes("ln_f", c.n_embd)),
    ...(c.tie_word_embeddings ? [] : ([[HEAD, [c.vocab_size, c.n_embd]]] as [string, number[]][])),
  ]);
}

/** What checkpoints hold beside the weights: the causal mask, as a buffer. */
const UNUSED = /(^|\.)attn\.(bias|masked_bias)$/;

/** A checkpoint of the decoder alone, as the released ones are, names it without "transformer."; of a tied pair one may hold either, or both. */
function canonicalName(found: string, config: Config): string | undefined {
  if (UNUSED.test(found)) return undefined;
  if (found === HEAD && readConfig(config).tie_word_embeddings) return WORDS;
  return /^(wte|wpe|h|ln_f)\./.test(found) ? `transformer.${found}` : found;
}

function build(config: Config, weights: Weights): Network {
  const c = readConfig(config);
  const places = Array.from({ length: c.n_layer }, (_, i) => `transformer.h.${i}`);
  const norms = [...places.flatMap((at) => [`${at}.ln_1`, `${at}.ln_2`]), "transformer.ln_f"];
  return {
    embedding: (batch: TokenBatch) => {
      const words = embed(tf.tensor1d(batch.ids, "int32"), weights(WORDS));
      return add(words, embed(positionTensor(batch, 0), weights(POSITIONS)));
    },
    embeddings: [WORDS, POSITIONS],
    gains: norms.map((norm) => `${norm}.weight`),
    layers: places.map((at) => layer(c, weights, at)),
    output: (x) => makeNorm(c, weights)(x, "transformer.ln_f"),
    head: { weight: weights(c.tie_word_embeddings ? WORDS : HEAD) },
    keyWidth: c.n_embd,
    keyHeads: c.n_head,
    isSmooth: true,
    prompts: "autoregressive",
  };
}

const makeNorm = ({ layer_norm_epsilon: epsilon }: Gpt2Config, weights: Weights) => {
  return (x: tf.Tensor, name: string): tf.Tensor2D =>
    layerNorm(x, weights(`${name}.weight`), weights(`${name}.bias`), epsilon);
};

function layer(c: Gpt2Config, weights: Weights, at: string): Layer {
  const norm = makeNorm(c, weights);
  const of = (name: string) => readProjection(weights, `${at}.${name}`);
  const selfAttention = (x: tf.Tensor, context: LayerContext): tf.Tensor2D => {
    const joined = project(norm(x, `${at}.ln_1`), of("attn.c_attn"), context);
    const [q, k, v] = [0, 1, 2].map((part) => columns(joined, part * c.n_embd, (part + 1) * c.n_embd));
    const mixed = attend(context.wanted(q!), k!, v!, context, { heads: c.n_head, causal: true });
    return project(mixed, of("attn.c_proj"), context, { residual: context.wanted(x) });
  };
  const run = (x: tf.Tensor, context: LayerContext): tf.Tensor2D => {
    const middle = freeing(context, () => selfAttention(x, context));
    const wide = { up: of("mlp.c_fc"), down: of("mlp.c_proj"), activation: "gelu_new" } as const;
    return feedForwardPart(norm(middle, `${at}.ln_2`), wide, context, middle);
  };
  // Queries, keys and values are one map, which is what Python's PEFT adapts.
  return { parameters: namesUnder(at, layerShapes(c)), query: `${at}.attn.c_attn`, value: `${at}.attn.c_attn`, run };
}

function limits(config: Config): Limits {
  const { n_positions: maxLength, bos_token_id, eos_token_id } = readConfig(config);
  // Its tokenizer puts no begin token before texts.
  return { maxLength, begin: { mezo: undefined, config: bos_token_id }, ends: listEnds(eos_token_id) };
}

/** GPT-2 (Radford et al. 2019). */
export const gpt2: ModelFamily = defineFamily("gpt2", {
  ...{ shapes, canonicalName, isTransposed, build, limits, prompts: "autoregressive" },
  tie: { output: HEAD, embedding: WORDS },
});
