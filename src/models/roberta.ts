import { KitError } from "../error.ts";
import { type Config, checkDivides, type Fields, readFields, tokenId, tokenIds } from "./config.ts";
import {
  ENCODER_DEFAULTS,
  ENCODER_FIELDS,
  type Encoder,
  type EncoderConfig,
  type EncoderNames,
  encoderFamily,
  nameOutputBias,
  nameWords,
} from "./encoder.ts";
import { defineFamily, listEnds, type ModelFamily } from "./family.ts";

/** What a RoBERTa's config.json has beside the fields of every such encoder. */
interface RobertaConfig extends EncoderConfig {
  readonly bos_token_id: number;
  readonly eos_token_id: number | readonly number[];
}

const FIELDS: Fields<RobertaConfig> = { ...ENCODER_FIELDS, bos_token_id: tokenId, eos_token_id: tokenIds };

const DEFAULTS: Partial<RobertaConfig> = { ...ENCODER_DEFAULTS, pad_token_id: 1, bos_token_id: 0, eos_token_id: 2 };

function readConfig(found: Config): Encoder {
  const roberta = readFields("RoBERTa", FIELDS, DEFAULTS, found);
  checkDivides("RoBERTa", roberta.num_attention_heads, roberta.hidden_size, "a width");
  const { bos_token_id: begin, max_position_embeddings: positions } = roberta;
  const firstPosition = roberta.pad_token_id + 1;
  if (positions > firstPosition)
    return { ...roberta, firstPosition, begin: { mezo: begin, config: begin }, ends: listEnds(roberta.eos_token_id) };
  throw new KitError(
    `The RoBERTa config has ${positions} positions, of which the first ${firstPosition} are no token's (pad_token_id + 1): correct config.json.`,
  );
}

const NAMES: EncoderNames = {
  ...{ encoder: "roberta", dense: "lm_head.dense", norm: "lm_head.layer_norm" },
  ...{ output: "lm_head.decoder.weight", bias: "lm_head.bias" },
};

/** What checkpoints hold beside the masked language model: buffers, and the layer that pools a sequence. */
const UNUSED = /(^|\.)(position_ids|token_type_ids|pooler\.dense\.(weight|bias))$/;

/** A checkpoint of the encoder alone names it without "roberta."; of a tied pair one may hold either, or both. */
function canonicalName(found: string, config: Config): string | undefined {
  if (UNUSED.test(found)) return undefined;
  if (found === nameOutputBias(NAMES)) return NAMES.bias;
  if (found === NAMES.output && readConfig(config).tie_word_embeddings) return nameWords(NAMES);
  return /^(embeddings|encoder)\./.test(found) ? `roberta.${found}` : found;
}

/** RoBERTa (Liu et al. 2019) with its head for masked language modelling. */
export const roberta: ModelFamily = defineFamily("roberta", encoderFamily(NAMES, readConfig, canonicalName));
