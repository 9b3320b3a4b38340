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
  type ProjectionExtras,
  project,
  readProjection,
  type Weights,
} from "../nn/layers.ts";
import type { Corrections, Layer, LayerContext, Network } from "../nn/network.ts";
import { type Config, type Fields, flag, layers, only, positive, size, tokenId } from "./config.ts";
import { denseShapes, type Limits, type ModelFamily, namesUnder, normShapes, under } from "./family.ts";

/** Sizes and switches of the config.json of an encoder that is built like BERT, under its own names. */
export interface EncoderConfig {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly intermediate_size: number;
  readonly num_attention_heads: number;
  readonly max_position_embeddings: number;
  readonly type_vocab_size: number;
  readonly layer_norm_eps: number;
  readonly pad_token_id: number;
  readonly hidden_act: string;
  readonly position_embedding_type: string;
  readonly is_decoder: boolean;
  readonly tie_word_embeddings: boolean;
}

/** What these fields need. */
export const ENCODER_FIELDS: Fields<EncoderConfig> = {
  ...{ vocab_size: size, hidden_size: size, num_hidden_layers: layers, intermediate_size: size },
  ...{ num_attention_heads: size, max_position_embeddings: size, type_vocab_size: size, layer_norm_eps: positive },
  ...{ pad_token_id: tokenId, tie_word_embeddings: flag },
  // What no released BERT or RoBERTa has otherwise.
  ...{ hidden_act: only("gelu"), position_embedding_type: only("absolute"), is_decoder: only(false) },
};

/** What a config leaves out stands for these values, as in the library that it was written by. */
export const ENCODER_DEFAULTS: Partial<EncoderConfig> = {
  ...{ type_vocab_size: 2, layer_norm_eps: 1e-12, tie_word_embeddings: true },
  ...{ hidden_act: "gelu", position_embedding_type: "absolute", is_decoder: false },
};

/** An encoder built like BERT: its config, and what its family does in its own way. */
export interface Encoder extends EncoderConfig {
  /** The row of the positions' table that a text's first token has. */
  readonly firstPosition: number;
  /** The tokens around a text, where the config names them. */
  readonly ends: Limits["ends"];
  readonly begin: Limits["begin"];
}

/** The checkpoint names of a family's parts: of the encoder, and of the head for masked language modelling. */
export interface EncoderNames {
  /** What those of the encoder begin with. */
  readonly encoder: string;
  /** The dense layer of the head, and the norm after it. */
  readonly dense: string;
  readonly norm: string;
  /** The output matrix where it is not the embedding. */
  readonly output: string;
  /** The bias of the logits. */
  readonly bias: string;
}

/** The family of encoders with such names that a function reads from their configs. */
export function encoderFamily(
  names: EncoderNames,
  read: (config: Config) => Encoder,
  canonicalName: ModelFamily["canonicalName"],
): ModelFamily {
  return {
    shapes: (config) => shapes(read(config), names),
    canonicalName,
    // Transformers adds the bias of the output matrix, which is the other one as long as that matrix is the embedding.
    aliases: (config) => (read(config).tie_word_embeddings ? {} : { [names.bias]: nameOutputBias(names) }),
    build: (config, weights) => build(read(config), names, weights),
    limits: (config) => limits(read(config)),
    prompts: "masked",
    tie: { output: names.output, embedding: nameWords(names) },
  };
}

/** The name of the output matrix's own bias. */
export const nameOutputBias = ({ output }: EncoderNames): string => output.replace(/weight$/, "bias");

/** The checkpoint name of the embedding of tokens. */
export const nameWords = ({ encoder }: EncoderNames): string => `${encoder}.embeddings.word_embeddings.weight`;

function layerShapes({ hidden_size: d, intermediate_size: f }: Encoder): Record<string, number[]> {
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

function embeddingShapes(c: Encoder): Record<string, number[]> {
  return {
    "word_embeddings.weight": [c.vocab_size, c.hidden_size],
    "position_embeddings.weight": [c.max_position_embeddings, c.hidden_size],
    "token_type_embeddings.weight": [c.type_vocab_size, c.hidden_size],
    ...normShapes("LayerNorm", c.hidden_size),
  };
}

function shapes(c: Encoder, names: EncoderNames): Map<string, readonly number[]> {
  const { encoder, dense, norm, output, bias } = names;
  const { hidden_size: d, vocab_size: v } = c;
  const layers = Array.from({ length: c.num_hidden_layers }, (_, i) =>
    under(`${encoder}.encoder.layer.${i}`, layerShapes(c)),
  );
  const head: Record<string, number[]> = {
    ...denseShapes(dense, d, d),
    ...normShapes(norm, d),
    ...(!c.tie_word_embeddings && { [output]: [v, d] }),
    [bias]: [v],
  };
  return new Map([...under(`${encoder}.embeddings`, embeddingShapes(c)), ...layers.flat(), ...Object.entries(head)]);
}

function build(c: Encoder, names: EncoderNames, weights: Weights): Network {
  const norm = makeNorm(c, weights);
  const at = `${names.encoder}.embeddings`;
  const table = (ids: tf.Tensor, name: string): tf.Tensor2D => embed(ids, weights(`${at}.${name}_embeddings.weight`));

  const embedding = (batch: TokenBatch): tf.Tensor2D => {
    const words = table(tf.tensor1d(batch.ids, "int32"), "word");
    const positions = table(positionTensor(batch, c.firstPosition), "position");
    const type = table(tf.tensor1d([0], "int32"), "token_type"); // one text alone has the first type
    return norm(add(add(words, type), positions), `${at}.LayerNorm`);
  };
  const output = (x: tf.Tensor, correction: Corrections): tf.Tensor2D => {
    const dense = project(x, readProjection(weights, names.dense), { correction }, { activation: "gelu" });
    return norm(dense, names.norm);
  };
  const places = Array.from({ length: c.num_hidden_layers }, (_, i) => `${names.encoder}.encoder.layer.${i}`);
  const norms = places.flatMap((place) => [`${place}.attention.output.LayerNorm`, `${place}.output.LayerNorm`]);
  return {
    embedding,
    embeddings: namesUnder(at, embeddingShapes(c)),
    gains: [`${at}.LayerNorm`, ...norms, names.norm].map((name) => `${name}.weight`),
    layers: places.map((place) => layer(c, weights, place)),
    output,
    head: { weight: weights(c.tie_word_embeddings ? nameWords(names) : names.output), bias: weights(names.bias) },
    keyWidth: c.hidden_size,
    keyHeads: c.num_attention_heads,
    isSmooth: true,
    prompts: "masked",
  };
}

const makeNorm = (c: Encoder, weights: Weights) => {
  return (x: tf.Tensor, name: string): tf.Tensor2D =>
    layerNorm(x, weights(`${name}.weight`), weights(`${name}.bias`), c.layer_norm_eps);
};

function layer(c: Encoder, weights: Weights, at: string): Layer {
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

function limits({ max_position_embeddings: positions, firstPosition, begin, ends }: Encoder): Limits {
  return { maxLength: positions - firstPosition, begin, ends };
}
