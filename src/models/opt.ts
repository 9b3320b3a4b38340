import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import { attention } from "../kernels/attention.ts";
import { embed } from "../kernels/embed.ts";
import { layerNorm } from "../kernels/layerNorm.ts";
import { type LinearExtras, linear } from "../kernels/linear.ts";
import { positionsOf, type TokenBatch } from "../nn/batch.ts";
import type { Network } from "../nn/network.ts";
import type { Config, Limits, ModelFamily, Weights } from "./family.ts";

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
}

const SIZES = [
  "vocab_size",
  "hidden_size",
  "num_hidden_layers",
  "ffn_dim",
  "num_attention_heads",
  "max_position_embeddings",
  "word_embed_proj_dim",
];

function readConfig(found: Config): OptConfig {
  const config: Config = { word_embed_proj_dim: found.hidden_size, do_layer_norm_before: true, ...found };
  const bad = SIZES.filter((name) => !(Number.isInteger(config[name]) && (config[name] as number) > 0));
  if (bad.length > 0)
    throw new KitError(`The OPT config needs positive whole numbers for ${bad.join(", ")}: complete config.json.`);
  const { activation_function: activation = "relu", tie_word_embeddings: tied = true } = config;
  if (activation !== "relu" || !tied || config.enable_bias === false || config.layer_norm_elementwise_affine === false)
    throw new KitError(
      "The OPT config asks for another activation than relu, an untied head, or layers without bias, which no released OPT has: use a config like facebook/opt-125m's.",
    );
  const opt = config as unknown as OptConfig;
  if (opt.hidden_size % opt.num_attention_heads !== 0)
    throw new KitError(
      `The OPT config divides a width of ${opt.hidden_size} among ${opt.num_attention_heads} heads, which leaves a rest: correct config.json.`,
    );
  return opt;
}

const hasProjection = (c: OptConfig): boolean => c.word_embed_proj_dim !== c.hidden_size;
const hasFinalNorm = (c: OptConfig): boolean =>
  c.do_layer_norm_before && !(c as { _remove_final_layer_norm?: boolean })._remove_final_layer_norm;

function layerShapes({ hidden_size: d, ffn_dim: f }: OptConfig): Record<string, number[]> {
  const dense = (name: string, out: number, from: number): Record<string, number[]> => ({
    [`${name}.weight`]: [out, from],
    [`${name}.bias`]: [out],
  });
  const norm = (name: string): Record<string, number[]> => ({ [`${name}.weight`]: [d], [`${name}.bias`]: [d] });
  return {
    ...dense("self_attn.k_proj", d, d),
    ...dense("self_attn.v_proj", d, d),
    ...dense("self_attn.q_proj", d, d),
    ...dense("self_attn.out_proj", d, d),
    ...norm("self_attn_layer_norm"),
    ...dense("fc1", f, d),
    ...dense("fc2", d, f),
    ...norm("final_layer_norm"),
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
    for (const [name, shape] of Object.entries(layerShapes(c))) all.set(`layers.${i}.${name}`, shape);
  return new Map([...all].map(([name, shape]) => [`model.decoder.${name}`, shape]));
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
  const dense = (x: tf.Tensor, name: string, extras: LinearExtras = {}): tf.Tensor2D =>
    linear(x, w(`${name}.weight`), { bias: w(`${name}.bias`), ...extras });
  const norm = (x: tf.Tensor, name: string): tf.Tensor2D => layerNorm(x, w(`${name}.weight`), w(`${name}.bias`));

  const embedding = (batch: TokenBatch): tf.Tensor => {
    const tokens = embed(tf.tensor1d(batch.ids, "int32"), w("embed_tokens.weight"));
    const positions = embed(positionsOf(batch, POSITION_OFFSET), w("embed_positions.weight"));
    return hasProjection(c)
      ? linear(tokens, w("project_in.weight"), { residual: positions })
      : tf.add(tokens, positions);
  };

  const selfAttention = (x: tf.Tensor, residual: tf.Tensor, at: string, lengths: readonly number[]): tf.Tensor2D => {
    const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((name) => dense(x, `${at}.${name}`));
    return dense(attention(q!, k!, v!, lengths, c.num_attention_heads), `${at}.out_proj`, { residual });
  };
  const feedForward = (x: tf.Tensor, residual: tf.Tensor, at: string): tf.Tensor2D =>
    dense(dense(x, `${at}.fc1`, { activation: "relu" }), `${at}.fc2`, { residual });

  const preNorm = (x: tf.Tensor, at: string, lengths: readonly number[]): tf.Tensor => {
    const middle = selfAttention(norm(x, `${at}.self_attn_layer_norm`), x, `${at}.self_attn`, lengths);
    return feedForward(norm(middle, `${at}.final_layer_norm`), middle, at);
  };
  const postNorm = (x: tf.Tensor, at: string, lengths: readonly number[]): tf.Tensor => {
    const middle = norm(selfAttention(x, x, `${at}.self_attn`, lengths), `${at}.self_attn_layer_norm`);
    return norm(feedForward(middle, middle, at), `${at}.final_layer_norm`);
  };
  const layer = c.do_layer_norm_before ? preNorm : postNorm;

  const features = (batch: TokenBatch): tf.Tensor2D => {
    let x = tf.tidy(() => embedding(batch));
    for (let i = 0; i < c.num_hidden_layers; i++) {
      const next = tf.tidy(() => layer(x, `layers.${i}`, batch.lengths));
      x = replace(x, next);
    }
    if (hasFinalNorm(c)) x = replace(x, norm(x, "final_layer_norm"));
    if (hasProjection(c)) x = replace(x, linear(x, w("project_out.weight")));
    return x as tf.Tensor2D;
  };
  return { features, head: w("embed_tokens.weight") };
}

/** Disposes of the old value, unless a gradient may still need it: TensorFlow.js keeps those itself. */
function replace(old: tf.Tensor, next: tf.Tensor): tf.Tensor {
  old.dispose();
  return next;
}

function limits(config: Config): Limits {
  const { max_position_embeddings: maxLength } = readConfig(config);
  // The paper's code sets OPT's begin token to 0, though OPT was trained with the one that its config names.
  return {
    maxLength,
    begin: { mezo: 0, config: Number.isInteger(config.bos_token_id) ? (config.bos_token_id as number) : 2 },
  };
}

/** OPT (Zhang et al. 2022), both variants: the norm before each block, and OPT-350M's after it with projected embeddings. */
export const opt: ModelFamily = { shapes, canonicalName, build, limits };
