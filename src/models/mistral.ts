import { type Config, optional, size } from "./config.ts";
import { type Decoder, decoderFamily } from "./decoder.ts";
import { type OwnFields, readDecoderConfig } from "./decoderConfig.ts";
import { defineFamily, type ModelFamily } from "./family.ts";

/** What a Mistral's config.json has beside the fields of every such decoder. */
interface MistralFields {
  /** How many tokens one of them sees; null for all. */
  readonly sliding_window?: number;
}

const OWN: OwnFields<MistralFields> = { fields: { sliding_window: optional(size) }, defaults: { bos_token_id: 1 } };

/** The window of a config that does not mention any. */
const WINDOW = 4096;

function readConfig(found: Config): Decoder {
  const config = readDecoderConfig("Mistral", OWN, found);
  const bos = found.bos_token_id === null ? undefined : config.bos_token_id;
  return {
    ...config,
    ...{ biases: [], headNorms: false, begin: { mezo: bos, config: bos } },
    window: found.sliding_window === undefined ? WINDOW : config.sliding_window,
  };
}

/** Mistral (Jiang et al. 2023): a Llama whose tokens see a window of those before them. */
export const mistral: ModelFamily = defineFamily("mistral", decoderFamily(readConfig));
