import { type Config, flag } from "./config.ts";
import { ATTENTION, type Decoder, decoderFamily } from "./decoder.ts";
import { type OwnFields, readDecoderConfig } from "./decoderConfig.ts";
import { defineFamily, type ModelFamily } from "./family.ts";
import { QWEN, type QwenFields, readWindow } from "./qwen2.ts";

/** What a Qwen3's config.json has beside the fields of Qwen2's. */
interface Qwen3Fields extends QwenFields {
  readonly attention_bias: boolean;
}

const OWN: OwnFields<Qwen3Fields> = {
  fields: { ...QWEN.fields, attention_bias: flag },
  defaults: { ...QWEN.defaults, head_dim: 128, attention_bias: false },
};

function readConfig(found: Config): Decoder {
  const config = readDecoderConfig("Qwen3", OWN, found);
  return {
    ...config,
    biases: config.attention_bias ? ATTENTION : [],
    headNorms: true,
    begin: { mezo: undefined, config: config.bos_token_id }, // texts were given to it without a begin token
    window: readWindow(config),
  };
}

/** Qwen3 (Yang et al. 2025), the dense models: a Llama that normalizes each head of queries and keys. */
export const qwen3: ModelFamily = defineFamily("qwen3", decoderFamily(readConfig));
