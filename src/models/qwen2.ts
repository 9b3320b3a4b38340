import { type Config, flag, optional, size } from "./config.ts";
import { type Decoder, decoderFamily } from "./decoder.ts";
import { type OwnFields, readDecoderConfig } from "./decoderConfig.ts";
import { defineFamily, type ModelFamily } from "./family.ts";

/** What the config.json of Qwen2 and of Qwen3 has beside the fields of every such decoder. */
export interface QwenFields {
  readonly use_sliding_window: boolean;
  /** How many tokens one of them sees, where that is used. */
  readonly sliding_window: number;
}

/** These fields and what is left out of them. */
export const QWEN: OwnFields<QwenFields> = {
  fields: { use_sliding_window: flag, sliding_window: optional(size) },
  defaults: { use_sliding_window: false, sliding_window: 4096 },
};

/** How many tokens of a Qwen see one another, where not all; layers below max_window_layers would see all of them. */
export const readWindow = (config: QwenFields): number | undefined =>
  config.use_sliding_window ? config.sliding_window : undefined;

function readConfig(found: Config): Decoder {
  const config = readDecoderConfig("Qwen2", QWEN, found);
  return {
    ...config,
    biases: ["q_proj", "k_proj", "v_proj"].map((name) => `self_attn.${name}`),
    headNorms: false,
    begin: { mezo: undefined, config: config.bos_token_id }, // texts were given to it without a begin token
    window: readWindow(config),
  };
}

/** Qwen2 and Qwen2.5 (Yang et al. 2024): a Llama with biases in queries, keys and values. */
export const qwen2: ModelFamily = defineFamily("qwen2", decoderFamily(readConfig));
