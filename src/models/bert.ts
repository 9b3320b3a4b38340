import { type Config, checkDivides, optional, readFields, tokenIds } from "./config.ts";
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

/** What a BERT's config.json may have beside the fields of every such encoder. */
interface BertConfig extends EncoderConfig {
  readonly eos_token_id?: number | readonly number[];
}

const FIELDS = { ...ENCODER_FIELDS, eos_token_id: optional(tokenIds) };

function readConfig(found: Config): Encoder {
  const bert = readFields<BertConfig>("BERT", FIELDS, { ...ENCODER_DEFAULTS, pad_token_id: 0 }, found);
  checkDivides("BERT", bert.num_attention_heads, bert.hidden_size, "a width");
  // [CLS] and [SEP] are the tokenizer's: a BERT's config does not name them.
  return {
    ...bert,
    firstPosition: 0,
    begin: { mezo: undefined, config: undefined },
    ends: listEnds(bert.eos_token_id),
  };
}

const NAMES: EncoderNames = {
  ...{ encoder: "bert", dense: "cls.predictions.transform.dense", norm: "cls.predictions.transform.LayerNorm" },
  ...{ output: "cls.predictions.decoder.weight", bias: "cls.predictions.bias" },
};

/** What checkpoints hold beside the masked language model: buffers, the layer that pools a sequence, and the head for its successor. */
const UNUSED = /(^|\.)(position_ids|token_type_ids|pooler\.dense\.(weight|bias)|seq_relationship\.(weight|bias))$/;

/**
 * Older checkpoints call a norm's gain gamma and its shift beta. One of the encoder alone names it without "bert."; of a tied pair one may hold
 * either, or both.
 */
function canonicalName(found: string, config: Config): string | undefined {
  if (UNUSED.test(found)) return undefined;
  if (found === nameOutputBias(NAMES)) return NAMES.bias;
  if (found === NAMES.output && readConfig(config).tie_word_embeddings) return nameWords(NAMES);
  const name = found.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias");
  return /^(embeddings|encoder)\./.test(name) ? `bert.${name}` : name;
}

/** BERT (Devlin et al. 2019) with its head for masked language modelling. */
export const bert: ModelFamily = defineFamily("bert", encoderFamily(NAMES, readConfig, canonicalName));
