import { KitError } from "../error.ts";
import type { RopeScaling } from "../nn/rope.ts";
import type { Config } from "./family.ts";
import { checkDivides, checkSizes } from "./sizes.ts";

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
  readonly rope_scaling?: RopeScaling;
  readonly attention_bias: boolean;
  readonly mlp_bias: boolean;
  readonly tie_word_embeddings: boolean;
  readonly bos_token_id: number;
}

const SIZES = [
  "vocab_size",
  "hidden_size",
  "intermediate_size",
  "num_hidden_layers",
  "num_attention_heads",
  "num_key_value_heads",
  "head_dim",
  "max_position_embeddings",
];

/** A Llama's config with what it leaves out. Throws a KitError for a size that is missing and for what is not built. */
export function readConfig(found: Config): LlamaConfig {
  const config = withDefaults(found);
  checkSizes("Llama", config, SIZES);
  if (config.hidden_act !== "silu")
    throw new KitError(
      `The Llama config asks for the activation ${config.hidden_act}, but only silu is built: use a released Llama's config.`,
    );
  const llama = config as unknown as LlamaConfig;
  checkDivides("Llama", llama.num_key_value_heads, llama.num_attention_heads, "queries' heads");
  return llama;
}

/** What a config leaves out stands for these values, as in the library that it was written by. */
function withDefaults(found: Config): Config {
  const { num_attention_heads: heads, hidden_size: width, head_dim, num_key_value_heads } = found;
  const { theta, scaling } = rope(found);
  return {
    hidden_act: "silu",
    rms_norm_eps: 1e-6,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: false,
    ...found,
    num_key_value_heads: num_key_value_heads ?? heads,
    head_dim: head_dim ?? (width as number) / (heads as number),
    bos_token_id: Number.isInteger(found.bos_token_id) ? found.bos_token_id : 1,
    rope_theta: theta,
    rope_scaling: scaling,
  };
}

/** Newer configs keep theta and the scaling together in rope_parameters, older ones apart. */
function rope(found: Config): { readonly theta: number; readonly scaling: RopeScaling | undefined } {
  const together = (found.rope_parameters ?? {}) as Config;
  const scaling = (found.rope_scaling ?? together) as Config;
  const theta = Number(found.rope_theta ?? together.rope_theta ?? 10_000);
  const type = scaling.rope_type ?? scaling.type ?? "default";
  if (type === "default") return { theta, scaling: undefined };
  if (type === "llama3") return { theta, scaling: scaling as unknown as RopeScaling };
  throw new KitError(
    `The Llama config asks for rotary positions scaled as "${type}", but only "llama3" is built: use another model, or remove rope_scaling to run it within its original length.`,
  );
}
