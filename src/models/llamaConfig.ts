import { KitError, shown } from "../error.ts";
import type { RopeScaling } from "../nn/rope.ts";
import type { Config } from "./family.ts";
import {
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
} from "./fields.ts";

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
  if (share !== 1) throw notBuilt(`turned in a part of ${shown(share)} of each head`, "whole heads are");
  if (type === "default") return { rope_theta, rope_scaling: undefined };
  if (type !== "llama3") throw notBuilt(`scaled as ${shown(type)}`, 'a scaling of "llama3" is');
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
      `The Llama config needs an object for rope_scaling and rope_parameters, not ${shown(value)}: correct config.json.`,
    );
  return Object.keys(value).length > 0 ? value : undefined;
};
