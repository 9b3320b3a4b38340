import { KitError, showValue } from "../../error.ts";
import type { StoredTensor } from "../safetensors.ts";
import type { Architecture, Config, Fields } from "./architecture.ts";
import type { GgufFile } from "./header.ts";
import { reorderRows, storedTensor } from "./tensors.ts";

/** Divisors of the rotary frequencies. */
const FREQUENCIES = "rope_freqs.weight";

/** Names of what Llama and its like have. */
const NAMES = {
  outside: { token_embd: "model.embed_tokens", output_norm: "model.norm", output: "lm_head" },
  layers: "model.layers",
  inside: {
    ...{ attn_norm: "input_layernorm", ffn_norm: "post_attention_layernorm" },
    ...{ attn_q: "self_attn.q_proj", attn_k: "self_attn.k_proj", attn_v: "self_attn.v_proj" },
    ...{ attn_output: "self_attn.o_proj", attn_q_norm: "self_attn.q_norm", attn_k_norm: "self_attn.k_norm" },
    ...{ ffn_gate: "mlp.gate_proj", ffn_up: "mlp.up_proj", ffn_down: "mlp.down_proj" },
  },
  unused: [FREQUENCIES],
};

/** Llama, and Mistral; queries and keys come as their converter reorders them, and whether there are biases the tensors say. */
export const llama: Architecture = {
  ...{ model_type: "llama", architectures: ["LlamaForCausalLM"], ...NAMES },
  config: (file, fields) => ({
    ...decoderConfig(file, fields),
    ...{ attention_bias: hasBias(file, "attn_q"), mlp_bias: hasBias(file, "ffn_up") },
  }),
  arrange: (module, stored, { head_dim }) =>
    module === "attn_q" || module === "attn_k" ? splitPairs(stored, Number(head_dim)) : stored,
};

export const qwen2: Architecture = {
  ...{ model_type: "qwen2", architectures: ["Qwen2ForCausalLM"], config: decoderConfig, ...NAMES },
};

export const qwen3: Architecture = {
  ...{ model_type: "qwen3", architectures: ["Qwen3ForCausalLM"], ...NAMES },
  config: (file, fields) => ({ ...decoderConfig(file, fields), attention_bias: hasBias(file, "attn_q") }),
};

const hasBias = ({ tensors }: GgufFile, module: string): boolean => tensors.has(`blk.0.${module}.bias`);

/**
 * Undoes what llama.cpp's converter does to Llama's queries and keys: as it turns neighbours as pairs, the i-th row of a head's first half
 * and of its second lie side by side.
 */
function splitPairs(stored: StoredTensor, headWidth: number): StoredTensor {
  const half = headWidth / 2;
  return reorderRows(stored, headWidth, (row) => 2 * (row % half) + Math.floor(row / half));
}

function decoderConfig(file: GgufFile, fields: Fields): Config {
  const { number, decimal } = fields;
  const [width, heads] = [number("embedding_length"), number("attention.head_count")];
  const head_dim = number("attention.key_length", width / heads);
  const rope_theta = decimal("rope.freq_base", 10_000);
  checkBuilt(file.path, fields, head_dim);
  return {
    ...{ hidden_act: "silu", hidden_size: width, num_attention_heads: heads, head_dim },
    num_key_value_heads: number("attention.head_count_kv", heads),
    num_hidden_layers: number("block_count"),
    intermediate_size: number("feed_forward_length"),
    max_position_embeddings: number("context_length"),
    rms_norm_eps: decimal("attention.layer_norm_rms_epsilon"),
    ...{ rope_theta, ...scaling(file, rope_theta, head_dim) },
  };
}

/** Throws a KitError for what the kit's decoders do not compute. */
function checkBuilt(path: string, { number, value }: Fields, headWidth: number): void {
  const scaled = value("rope.scaling.type") ?? "none";
  const findings: Readonly<Record<string, boolean>> = {
    [`${value("expert_count")} experts in each layer`]: number("expert_count", 0) > 0,
    [`rotary positions scaled as ${showValue(scaled)}`]: scaled !== "none" && number("rope.scaling.factor", 1) !== 1,
    "only a part of each head turned": number("rope.dimension_count", headWidth) !== headWidth,
    "values of another width than keys": number("attention.value_length", headWidth) !== headWidth,
  };
  const wrong = Object.keys(findings).filter((what) => findings[what]);
  if (wrong.length === 0) return;
  throw new KitError(
    `Reading ${path}: the model has ${wrong.join(" and ")}, which the kit does not build; take another model.`,
  );
}

/** Llama 3.1's scaling of rotary frequencies, as all its releases have it but for the factor. */
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/**
 * GGUF has the divisors that come of Llama 3.1's scaling instead of its settings: the largest is the factor, and the others must follow from
 * it. Throws a KitError where they do not.
 */
function scaling({ path, tensors }: GgufFile, theta: number, headWidth: number): Config {
  const tensor = tensors.get(FREQUENCIES);
  if (!tensor) return {};
  const [size, half] = [tensor.shape.reduce((product, length) => product * length, 1), headWidth / 2];
  const found = new Float32Array(size === half ? half : 0);
  storedTensor(path, tensor).read(found);
  const factor = Math.max(...found);
  const wanted = (i: number): number => llama3Divisor(theta ** (-i / half), factor);
  if (found.length > 0 && found.every((divisor, i) => Math.abs(divisor / wanted(i) - 1) < 1e-4))
    return { rope_scaling: { rope_type: "llama3", factor, ...LLAMA3 } };
  throw new KitError(
    `Reading ${path}: its rotary frequencies are scaled otherwise than Llama 3.1's, which the kit does not build; take another model.`,
  );
}

/** What a frequency is divided by: 1 where a turn is short, the factor where it is long, between them something between. */
function llama3Divisor(frequency: number, factor: number): number {
  const { low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: length } = LLAMA3;
  const turns = (length * frequency) / (2 * Math.PI);
  const smooth = Math.min(1, Math.max(0, (turns - low) / (high - low)));
  return 1 / ((1 - smooth) / factor + smooth);
}
