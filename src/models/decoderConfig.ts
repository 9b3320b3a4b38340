import { KitError, showValue } from "../error.ts";
import type { RopeScaling } from "../nn/rope.ts";
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

/** Sizes and switches of the config.json of a decoder that is built like Llama, under its own names. */
export interface DecoderConfig {
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
  readonly tie_word_embeddings: boolean;
  readonly bos_token_id?: number;
  readonly eos_token_id?: number | readonly number[];
}

type Plain = Omit<DecoderConfig, "rope_theta" | "rope_scaling">;

const FIELDS: Fields<Plain> = {
  ...{ vocab_size: size, hidden_size: size, intermediate_size: size, num_hidden_layers: layers },
  ...{ num_attention_heads: size, num_key_value_heads: size, head_dim: evenSize, max_position_embeddings: size },
  ...{ rms_norm_eps: positive, hidden_act: only("silu"), tie_word_embeddings: flag },
  ...{ bos_token_id: optional(tokenId), eos_token_id: optional(tokenIds) },
};

/** What a config leaves out stands for these values, as in the library that it was written by. */
const DEFAULTS: Partial<Plain> = { hidden_act: "silu", rms_norm_eps: 1e-6, tie_word_embeddings: false };

/** What the config of one family has beside these fields, and its defaults. */
export interface OwnFields<Own> {
  readonly fields: Fields<Own>;
  readonly defaults: Partial<DecoderConfig & Own>;
}

/** A decoder's config with what it leaves out. Throws a KitError, which names the family, for a field that does not fit, and for what is not built. */
export function readDecoderConfig<Own extends object>(
  family: string,
  { fields, defaults }: OwnFields<Own>,
  found: Config,
): DecoderConfig & Own {
  const { num_attention_heads: heads, hidden_size: width } = found;
  const share = typeof width === "number" && typeof heads === "number" ? width / heads : 0;
  const shared = { num_key_value_heads: heads as number, head_dim: Number.isInteger(share) && share > 0 ? share : 2 };
  const all = { ...DEFAULTS, ...shared, ...defaults } as Partial<Plain & Own>;
  const config = readFields<Plain & Own>(family, { ...FIELDS, ...fields } as Fields<Plain & Own>, all, found);
  if (typeof found.head_dim !== "number" && defaults.head_dim === undefined)
    checkDivides(family, config.num_attention_heads, config.hidden_size, "a width");
  checkDivides(family, config.num_key_value_heads, config.num_attention_heads, "queries' heads");
  return { ...config, ...rope(family, found, config.max_position_embeddings) };
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
function rope(family: string, found: Config, longest: number): Pick<DecoderConfig, "rope_theta" | "rope_scaling"> {
  const together = (readOptions(family, found.rope_scaling) ??
    readOptions(family, found.rope_parameters) ??
    {}) as Config;
  const theta = together.rope_theta ?? found.rope_theta;
  const { rope_theta } = readFields(family, THETA, { rope_theta: 10_000 }, { rope_theta: theta ?? null });
  const type = together.rope_type ?? together.type ?? "default";
  const share = together.partial_rotary_factor ?? found.partial_rotary_factor ?? 1;
  if (share !== 1) throw notBuilt(family, `turned in a part of ${showValue(share)} of each head`, "whole heads are");
  if (type === "default") return { rope_theta, rope_scaling: undefined };
  if (type !== "llama3") throw notBuilt(family, `scaled as ${showValue(type)}`, 'a scaling of "llama3" is');
  const length = found.original_max_position_embeddings ?? together.original_max_position_embeddings ?? longest;
  const scaling = { ...together, original_max_position_embeddings: length };
  return { rope_theta, rope_scaling: readFields(family, SCALING, {}, scaling) };
}

function notBuilt(family: string, what: string, built: string): KitError {
  return new KitError(
    `The ${family} config asks for rotary positions ${what}, but only ${built} built: use another model, or remove rope_scaling to run it within its original length.`,
  );
}

function readOptions(family: string, value: unknown): object | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value))
    throw new KitError(
      `The ${family} config needs an object for rope_scaling and rope_parameters, not ${showValue(value)}: correct config.json.`,
    );
  return Object.keys(value).length > 0 ? value : undefined;
}
