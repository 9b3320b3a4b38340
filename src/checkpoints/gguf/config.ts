import { KitError, showValue } from "../../error.ts";
import type { StoredTensor } from "../safetensors.ts";
import type { GgufFile } from "./header.ts";
import { reorderRows, storedTensor } from "./tensors.ts";

/** A model's config.json. */
type Config = Readonly<Record<string, unknown>>;

/** An architecture of GGUF: what config.json calls it, and whether its converter has reordered the rows of queries and keys. */
interface Architecture {
  readonly model_type: string;
  readonly architectures: readonly string[];
  readonly reordered: boolean;
}

/** The architectures that are read, by the names that GGUF has for them. A Mistral is a "llama" there. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama: { model_type: "llama", architectures: ["LlamaForCausalLM"], reordered: true },
  qwen2: { model_type: "qwen2", architectures: ["Qwen2ForCausalLM"], reordered: false },
  qwen3: { model_type: "qwen3", architectures: ["Qwen3ForCausalLM"], reordered: false },
};

/** Names of a checkpoint's modules by those of GGUF, outside the layers and in them. */
const OUTSIDE: Readonly<Record<string, string>> = {
  ...{ token_embd: "model.embed_tokens", output_norm: "model.norm", output: "lm_head" },
};
const INSIDE: Readonly<Record<string, string>> = {
  ...{ attn_norm: "input_layernorm", ffn_norm: "post_attention_layernorm" },
  ...{ attn_q: "self_attn.q_proj", attn_k: "self_attn.k_proj", attn_v: "self_attn.v_proj" },
  ...{ attn_output: "self_attn.o_proj", attn_q_norm: "self_attn.q_norm", attn_k_norm: "self_attn.k_norm" },
  ...{ ffn_gate: "mlp.gate_proj", ffn_up: "mlp.up_proj", ffn_down: "mlp.down_proj" },
};

/** Divisors of the rotary frequencies, which config.json describes instead. */
const FREQUENCIES = "rope_freqs.weight";

/** What is read of a file's metadata; each throws a KitError, which names the key, for a value of another kind. */
interface Fields {
  /** A number under the architecture's name. */
  readonly number: (key: string) => number;
  readonly has: (key: string) => boolean;
}

function fieldsOf({ path, metadata }: GgufFile, architecture: string): Fields {
  const at = (key: string): unknown => metadata[`${architecture}.${key}`];
  const number = (key: string): number => {
    const value = at(key);
    if (typeof value === "number" || typeof value === "bigint") return Number(value);
    throw new KitError(
      `Reading ${path}: its metadata have ${showValue(value)} for ${architecture}.${key}, which must be a number; take a file that llama.cpp's converter has made.`,
    );
  };
  return { number, has: (key) => at(key) !== undefined };
}

function findArchitecture({ path, metadata }: GgufFile): [string, Architecture] {
  const name = metadata["general.architecture"];
  if (typeof name === "string" && Object.hasOwn(ARCHITECTURES, name)) return [name, ARCHITECTURES[name]!];
  throw new KitError(
    `Reading ${path}: its architecture is ${showValue(name)}, and of GGUF the kit reads ${Object.keys(ARCHITECTURES).join(", ")}; take another model, or its files in Hugging Face layout.`,
  );
}

/** The config.json that a GGUF file's metadata stand for. Throws a KitError for what they lack, and for what is not built. */
export function makeConfig(file: GgufFile): Config {
  const [architecture, { model_type, architectures }] = findArchitecture(file);
  const { number, has } = fieldsOf(file, architecture);
  const [width, heads] = [number("embedding_length"), number("attention.head_count")];
  const head_dim = has("attention.key_length") ? number("attention.key_length") : width / heads;
  checkBuilt(file, architecture, head_dim);
  return {
    ...{ architectures, model_type, hidden_act: "silu" },
    ...{ hidden_size: width, num_attention_heads: heads, head_dim },
    num_key_value_heads: has("attention.head_count_kv") ? number("attention.head_count_kv") : heads,
    num_hidden_layers: number("block_count"),
    intermediate_size: number("feed_forward_length"),
    max_position_embeddings: number("context_length"),
    rms_norm_eps: shortest(number("attention.layer_norm_rms_epsilon")),
    rope_theta: has("rope.freq_base") ? shortest(number("rope.freq_base")) : 10_000,
    ...scaling(file, has("rope.freq_base") ? number("rope.freq_base") : 10_000, head_dim),
    ...biases(file, model_type),
    vocab_size: file.tensors.get("token_embd.weight")?.shape[0],
    tie_word_embeddings: !file.tensors.has("output.weight"),
    ...specialIds(file),
  };
}

/** The shortest decimal that is the same number in float32, in which GGUF has it: 0.00001 for 0.000009999999747. */
function shortest(value: number): number {
  const digits = [6, 7, 8, 9].find((digits) => Math.fround(Number(value.toPrecision(digits))) === value);
  return digits === undefined ? value : Number(value.toPrecision(digits));
}

function checkBuilt({ path, metadata }: GgufFile, architecture: string, headWidth: number): void {
  const at = (key: string): unknown => metadata[`${architecture}.${key}`];
  const scaled = at("rope.scaling.type") ?? "none";
  const wrong = [
    ...(Number(at("expert_count") ?? 0) > 0 ? [`${at("expert_count")} experts in each layer`] : []),
    ...(scaled === "none" || Number(at("rope.scaling.factor") ?? 1) === 1
      ? []
      : [`rotary positions scaled as ${showValue(scaled)}`]),
    ...(Number(at("rope.dimension_count") ?? headWidth) === headWidth ? [] : ["only a part of each head turned"]),
    ...(Number(at("attention.value_length") ?? headWidth) === headWidth ? [] : ["values of another width than keys"]),
  ];
  if (wrong.length > 0)
    throw new KitError(
      `Reading ${path}: the model has ${wrong.join(", ")}, which the kit does not build; take another model.`,
    );
}

/** Whether projections have biases: of Llama the config says so, of the others it goes without saying. */
function biases({ tensors }: GgufFile, type: string): Config {
  if (type !== "llama") return {};
  return { attention_bias: tensors.has("blk.0.attn_q.bias"), mlp_bias: tensors.has("blk.0.ffn_up.bias") };
}

/** Ids of the begin and end tokens; a model of conversations may have one more that ends a turn. */
function specialIds({ metadata }: GgufFile): Config {
  const id = (name: string): unknown => metadata[`tokenizer.ggml.${name}_token_id`];
  const ends = [...new Set([id("eos"), id("eot"), id("eom")])].filter((end) => end !== undefined);
  return {
    bos_token_id: id("bos") ?? null,
    ...(ends.length > 0 && { eos_token_id: ends.length === 1 ? ends[0] : ends }),
    ...(id("padding") !== undefined && { pad_token_id: id("padding") }),
  };
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
  const found = new Float32Array(tensor.shape.reduce((product, length) => product * length, 1));
  storedTensor(path, tensor).read(found);
  const factor = Math.max(...found);
  const fits = found.every(
    (divisor, i) => Math.abs(divisor / llama3Divisor(theta ** ((-2 * i) / headWidth), factor) - 1) < 1e-4,
  );
  if (fits && found.length === headWidth / 2) return { rope_scaling: { rope_type: "llama3", factor, ...LLAMA3 } };
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

/** The tensors of a GGUF file by a checkpoint's names, in its order of rows; others stay under their own. */
export function nameTensors(file: GgufFile, config: Config): Map<string, StoredTensor> {
  const [, { reordered }] = findArchitecture(file);
  const { num_attention_heads: queries, num_key_value_heads: keys, head_dim } = config;
  const heads: Config = reordered ? { attn_q: queries, attn_k: keys } : {};
  const entries = [...file.tensors.values()].flatMap((tensor): [string, StoredTensor][] => {
    if (tensor.name === FREQUENCIES) return [];
    const stored = storedTensor(file.path, tensor);
    const [, layer, module, what] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(tensor.name) ?? [];
    const place = layer === undefined ? OUTSIDE[module ?? ""] : INSIDE[module ?? ""];
    if (place === undefined) return [[tensor.name, stored]];
    const name = layer === undefined ? `${place}.${what}` : `model.layers.${layer}.${place}.${what}`;
    return [[name, module! in heads ? reorderRows(stored, splitPairs(Number(head_dim))) : stored]];
  });
  return new Map(entries);
}

/**
 * Where llama.cpp's converter has put a row of Llama's queries or keys: it turns neighbours as pairs, so the i-th row of a head's first half
 * and of its second lie side by side.
 */
const splitPairs =
  (headWidth: number) =>
  (row: number): number => {
    const [start, place, half] = [row - (row % headWidth), row % headWidth, headWidth / 2];
    return start + 2 * (place % half) + Math.floor(place / half);
  };
