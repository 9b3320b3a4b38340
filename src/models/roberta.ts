import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";
import { add } from "../kernels/elementwise.ts";
import { embed } from "../kernels/embed.ts";
import { layerNorm } from "../kernels/norm.ts";
import { positionTensor, type TokenBatch } from "../nn/batch.ts";
import {
  attend,
  feedForwardPart,
  freeing,
  type Projection,
  type ProjectionExtras,
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

/** Sizes and switches of a RoBERTa config.json, under its own names. */
interface RobertaConfig {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly intermediate_size: number;
  readonly num_attention_heads: number;
  readonly max_position_embeddings: number;
  readonly type_vocab_size: number;
  readonly layer_norm_eps: number;
  readonly pad_token_id: number;
  readonly bos_token_id: number;
  readonly eos_token_id: number | readonly number[];
  readonly hidden_act: string;
  readonly position_embedding_type: string;
  readonly is_decoder: boolean;
  readonly tie_word_embeddings: boolean;
}

const FIELDS: Fields<RobertaConfig> = {
  ...{ vocab_size: size, hidden_size: size, num_hidden_layers: layers, intermediate_size: size },
  ...{ num_attention_heads: size, max_position_embeddings: size, type_vocab_size: size, layer_norm_eps: positive },
  ...{ pad_token_id: tokenId, bos_token_id: tokenId, eos_token_id: tokenIds, tie_word_embeddings: flag },
  // What no released RoBERTa has otherwise.
  ...{ hidden_act: only("gelu"), position_embedding_type: only("absolute"), is_decoder: only(false) },
};

/** What a config leaves out stands for these values, as in the library that it was written by. */
const DEFAULTS: Partial<RobertaConfig> = {
  ...{ type_vocab_size: 2, layer_norm_eps: 1e-12, tie_word_embeddings: true },
  ...{ pad_token_id: 1, bos_token_id: 0, eos_token_id: 2 },
  ...{ hidden_act: "gelu", position_embedding_type: "absolute", is_decoder: false },
};

function readConfig(found: Config): RobertaConfig {
  const roberta = readFields("RoBERTa", FIELDS, DEFAULTS, found);
  checkDivides("RoBERTa", roberta.num_attention_heads, roberta.hidden_size, "a width");
  if (roberta.max_position_embeddings > positionOffset(roberta)) return roberta;
  throw new KitError(
    `The RoBERTa config has ${roberta.max_position_embeddings} positions, of which the first ${positionOffset(roberta)} are no token's (pad_token_id + 1): correct config.json.`,
  );
}

/** Positions count from the one after the padding token's id. */
const positionOffset = (c: RobertaConfig): number => c.pad_token_id + 1;

function layerShapes({ hidden_size: d, intermediate_size: f }: RobertaConfig): Record<string, number[]> {
  return {
    ...denseShapes("attention.self.query", d, d),
    ...denseShapes("attention.self.key", d, d),
    ...denseShapes("attention.self.value", d, d),
    ...denseShapes("attention.output.dense", d, d),
    ...normShapes("attention.output.LayerNorm", d),
    ...denseShapes("intermediate.dense", f, d),
    ...denseShapes("output.dense", d, f),
    ...normShapes("output.LayerNorm", d),
  };
}

function embeddingShapes(c: RobertaConfig): Record<string, number[]> {
  return {
    "word_embeddings.weight": [c.vocab_size, c.hidden_size],
    "position_embeddings.weight": [c.max_position_embeddings, c.hidden_size],
    "token_type_embeddings.weight": [c.type_vocab_size, c.hidden_size],
    ...normShapes("LayerNorm", c.hidden_size),
  };
}

function shapes(config: Config): Map<string, readonly number[]> {
  const c = readConfig(config);
  const { hidden_size: d, vocab_size: v } = c;
  const layers = Array.from({ length: c.num_hidden_layers }, (_, i) =>
    under(`roberta.encoder.layer.${i}`, layerShapes(c)),
  );
  const head = {
    ...denseShapes("dense", d, d),
    ...normShapes("layer_norm", d),
    ...(!c.tie_word_embeddings && { "decoder.weight": [v, d] }),
    bias: [v],
  };
  return new Map([...under("roberta.embeddings", embeddingShapes(c)), ...layers.flat(), ...under("lm_head", head)]);
}

/** What checkpoints hold beside the masked language model: buffers, and the layer that pools a sequence. */
const UNUSED = /(^|\.)(position_ids|token_type_ids|pooler\.dense\.(weight|bias))$/;

/** A checkpoint of the encoder alone names it without "roberta."; of a tied pair one may hold either, or both. */
function canonicalName(found: string, config: Config): string | undefined {
  if (UNUSED.test(found)) return undefined;
  if (found === "lm_head.decoder.bias") return "lm_head.bias";
  if (found === OUTPUT && readConfig(config).tie_word_embeddings) return WORDS;
  return /^(embeddings|encoder)\./.test(found) ? `roberta.${found}` : found;
}

const WORDS = "roberta.embeddings.word_embeddings.weight";
const OUTPUT = "lm_head.decoder.weight";

function build(config: Config, weights: Weights): Network {
  const c = readConfig(config);
  const norm = makeNorm(c, weights);
  const table = (ids: tf.Tensor, name: string): tf.Tensor2D =>
    embed(ids, weights(`roberta.embeddings.${name}_embeddings.weight`));

  const embedding = (batch: TokenBatch): tf.Tensor2D => {
    const words = table(tf.tensor1d(batch.ids, "int32"), "word");
    const positions = table(positionTensor(batch, positionOffset(c)), "position");
    const type = table(tf.tensor1d([0], "int32"), "token_type"); // RoBERTa has one type of text
    return norm(add(add(words, type), positions), "roberta.embeddings.LayerNorm");
  };
  const output = (x: tf.Tensor, correction: Corrections): tf.Tensor2D => {
    const dense = project(x, readProjection(weights, "lm_head.dense"), { correction }, { activation: "gelu" });
    return norm(dense, "lm_head.layer_norm");
  };
  const places = Array.from({ length: c.num_hidden_layers }, (_, i) => `roberta.encoder.layer.${i}`);
  const norms = places.flatMap((at) => [`${at}.attention.output.LayerNorm`, `${at}.output.LayerNorm`]);
  return {
    embedding,
    embeddings: namesUnder("roberta.embeddings", embeddingShapes(c)),
    gains: ["roberta.embeddings.LayerNorm", ...norms, "lm_head.layer_norm"].map((norm) => `${norm}.weight`),
    layers: places.map((at) => layer(c, weights, at)),
    output,
    head: { weight: weights(c.tie_word_embeddings ? WORDS : OUTPUT), bias: weights("lm_head.bias") },
    keyWidth: c.hidden_size,
    keyHeads: c.num_attention_heads,
    prompts: "masked",
  };
}

const makeNorm = (c: RobertaConfig, weights: Weights) => {
  return (x: tf.Tensor, name: string): tf.Tensor2D =>
    layerNorm(x, weights(`${name}.weight`), weights(`${name}.bias`), c.layer_norm_eps);
};

function layer(c: RobertaConfig, weights: Weights, at: string): Layer {
  const norm = makeNorm(c, weights);
  const of = (name: string): Projection => readProjection(weights, `${at}.${name}`);
  const run = (x: tf.Tensor, context: LayerContext): tf.Tensor2D => {
    const dense = (input: tf.Tensor, name: string, extras?: ProjectionExtras): tf.Tensor2D =>
      project(input, of(name), context, extras);
    const selfAttention = (): tf.Tensor2D => {
      const [k, v] = ["key", "value"].map((name) => dense(x, `attention.self.${name}`));
      const read = context.wanted(x);
      const shape = { heads: c.num_attention_heads, causal: false };
      const mixed = attend(dense(read, "attention.self.query"), k!, v!, context, shape);
      return norm(dense(mixed, "attention.output.dense", { residual: read }), `${at}.attention.output.LayerNorm`);
    };
    const middle = freeing(context, selfAttention);
    const wide = { up: of("intermediate.dense"), down: of("output.dense"), activation: "gelu" } as const;
    return norm(feedForwardPart(middle, wide, context, middle), `${at}.output.LayerNorm`);
  };
  const parameters = namesUnder(at, layerShapes(c));
  return { parameters, query: `${at}.attention.self.query`, value: `${at}.attention.self.value`, run };
}

function limits(config: Config): Limits {
  const c = readConfig(config);
  return {
    maxLength: c.max_position_embeddings - positionOffset(c),
    begin: { mezo: c.bos_token_id, config: c.bos_token_id },
    ends: listEnds(c.eos_token_id),
  };
}

/** RoBERTa (Liu et al. 2019) with its head for masked language modelling. */
export const roberta: ModelFamily = defineFamily("roberta", {
  ...{ shapes, canonicalName, build, limits, prompts: "masked" },
  tie: { output: OUTPUT, embedding: WORDS },
});
