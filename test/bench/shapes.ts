import type { Config } from "../../src/models/config.ts";
import type { ModelFamily } from "../../src/models/family.ts";
import { llama } from "../../src/models/llama.ts";
import { opt } from "../../src/models/opt.ts";
import { roberta } from "../../src/models/roberta.ts";

/** The shape of a model: its family, and what its config.json says of sizes. */
export interface ModelShape {
  /** What it is called, and how many weights it has in millions. */
  readonly name: string;
  readonly millions: number;
  readonly family: ModelFamily;
  readonly config: Config;
}

/** An OPT (Zhang et al. 2022): its width, layers and heads of attention. */
function optShape(
  name: string,
  millions: number,
  [width, layers, heads]: readonly [number, number, number],
): ModelShape {
  const config = {
    ...{ vocab_size: 50272, max_position_embeddings: 2048, hidden_size: width, ffn_dim: 4 * width },
    ...{ num_hidden_layers: layers, num_attention_heads: heads },
  };
  return { name, millions, family: opt, config };
}

const OPT_350M = optShape("OPT-350M", 331, [1024, 24, 16]);

const SMOLLM2: Config = {
  ...{ vocab_size: 49152, max_position_embeddings: 8192, hidden_size: 576, intermediate_size: 1536 },
  ...{ num_hidden_layers: 30, num_attention_heads: 9, num_key_value_heads: 3 },
  ...{ rms_norm_eps: 1e-5, rope_theta: 1e5, tie_word_embeddings: true },
};

/** The shapes that random weights are drawn in, by the names that `--model` takes. */
export const modelShapes: Readonly<Record<string, ModelShape>> = {
  "opt-125m": optShape("OPT-125M", 125, [768, 12, 12]),
  "smollm2-135m": { name: "SmolLM2-135M", millions: 135, family: llama, config: SMOLLM2 },
  "opt-350m": { ...OPT_350M, config: { ...OPT_350M.config, word_embed_proj_dim: 512, do_layer_norm_before: false } },
  "opt-1.3b": optShape("OPT-1.3B", 1316, [2048, 24, 32]),
  "opt-6.7b": optShape("OPT-6.7B", 6658, [4096, 32, 32]),
  "opt-13b": optShape("OPT-13B", 12853, [5120, 40, 40]),
};

const ROBERTA_BASE: Config = {
  ...{ vocab_size: 50265, max_position_embeddings: 514, type_vocab_size: 1, layer_norm_eps: 1e-5, pad_token_id: 1 },
  ...{ hidden_size: 768, intermediate_size: 3072, num_hidden_layers: 12, num_attention_heads: 12 },
};

/** The shapes that backends are compared in: a masked model too, and one in which a look takes seconds. */
export const shapesOnBackends: Readonly<Record<string, ModelShape>> = {
  ...modelShapes,
  "roberta-base": { name: "RoBERTa-base", millions: 125, family: roberta, config: ROBERTA_BASE },
  tiny: optShape("a tiny OPT", 3, [64, 2, 2]),
};
