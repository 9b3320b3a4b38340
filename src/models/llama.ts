import { type Config, type Fields, flag } from "./config.ts";
import { ATTENTION, type Decoder, decoderFamily, FEED_FORWARD } from "./decoder.ts";
import { type OwnFields, readDecoderConfig } from "./decoderConfig.ts";
import { defineFamily, type ModelFamily } from "./family.ts";

/** What a Llama's config.json has beside the fields of every such decoder. */
interface LlamaFields {
  readonly attention_bias: boolean;
  readonly mlp_bias: boolean;
}

const FIELDS: Fields<LlamaFields> = { attention_bias: flag, mlp_bias: flag };

const OWN: OwnFields<LlamaFields> = {
  fields: FIELDS,
  defaults: { bos_token_id: 1, attention_bias: false, mlp_bias: false },
};

/** A Llama's config with what it leaves out. Throws a KitError for a field that does not fit, and for what is not built. */
export function readConfig(found: Config): Decoder {
  const config = readDecoderConfig("Llama", OWN, found);
  const bos = found.bos_token_id === null ? undefined : config.bos_token_id;
  return {
    ...config,
    biases: [...(config.attention_bias ? ATTENTION : []), ...(config.mlp_bias ? FEED_FORWARD : [])],
    headNorms: false,
    begin: { mezo: bos, config: bos },
  };
}

/** Llama (Touvron et al. 2023) and what is built like it: TinyLlama, SmolLM2, Llama 3. */
export const llama: ModelFamily = defineFamily("llama", decoderFamily(readConfig));
