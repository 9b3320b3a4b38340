import { narrow } from "../../../src/tensor/halves.ts";
import { floats, type Tensor, type Value } from "./files.ts";

/** Weights of a checkpoint, under their names there. */
interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

type Config = Readonly<Record<string, unknown>>;

/** llama.cpp's names, as its converter has them. */
const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^(model\.embed_tokens|transformer\.wte)/, "token_embd"],
  [/^transformer\.wpe/, "position_embd"],
  [/^(model\.norm|transformer\.ln_f)/, "output_norm"],
  [/^lm_head/, "output"],
  [/^(?:model\.layers|transformer\.h)\.(\d+)\./, "blk.$1."],
  [/input_layernorm|ln_1/, "attn_norm"],
  [/post_attention_layernorm|ln_2/, "ffn_norm"],
  [/self_attn\.([qkv])_(proj|norm)/, "attn_$1_$2"],
  [/attn_([qkv])_proj/, "attn_$1"],
  [/attn\.c_attn/, "attn_qkv"],
  [/self_attn\.o_proj|attn\.c_proj/, "attn_output"],
  [/mlp\.(gate|up|down)_proj/, "ffn_$1"],
  [/mlp\.c_fc/, "ffn_up"],
  [/mlp\.c_proj/, "ffn_down"],
];

/** Its permutation of Llama's queries and keys: a head's rows as [2, half] become [half, 2]. */
function permute(rows: Float32Array, heads: number, half: number): Float32Array {
  const width = rows.length / (heads * 2 * half);
  const out = new Float32Array(rows.length);
  for (let head = 0; head < heads; head++)
    for (let side = 0; side < 2; side++)
      for (let i = 0; i < half; i++) {
        const [from, to] = [head * 2 * half + side * half + i, head * 2 * half + 2 * i + side];
        out.set(rows.subarray(from * width, (from + 1) * width), to * width);
      }
  return out;
}

function transpose(values: Float32Array, [rows, columns]: readonly number[]): Float32Array {
  return values.map((_, i) => values[(i % rows!) * columns! + Math.floor(i / rows!)]!);
}

const headWidth = ({ head_dim, hidden_size, num_attention_heads: heads }: Config): number =>
  (head_dim as number | undefined) ?? (hidden_size as number) / (heads as number);

function convert({ name, shape, data }: Weight, config: Config): Tensor {
  const to = NAMES.reduce((text, [from, to]) => text.replace(from, to), name);
  if (config.model_type === "gpt2" && /c_(attn|proj|fc)\.weight$/.test(name))
    return floats(to, shape.toReversed(), transpose(data, shape));
  const isKey = name.includes("k_proj");
  if (!/^(llama|mistral)$/.test(String(config.model_type)) || !(isKey || name.includes("q_proj")))
    return floats(to, shape, data);
  const heads = isKey ? config.num_key_value_heads : config.num_attention_heads;
  return floats(to, shape, permute(data, heads as number, headWidth(config) / 2));
}

/** Weights as llama.cpp's converter writes them; matrices in float16 where asked for. */
export function convertWeights(config: Config, weights: readonly Weight[], matrices: "F32" | "F16" = "F32"): Tensor[] {
  return weights.map((weight) => {
    const tensor = convert(weight, config);
    return matrices === "F16" && tensor.shape.length === 2 ? inHalves(tensor) : tensor;
  });
}

const F16 = 1;

function inHalves({ data, ...tensor }: Tensor): Tensor {
  const bits = new Uint16Array(data.length / 4);
  narrow(new Float32Array(data.slice().buffer), { format: "float16", rounding: "nearest", bits }, 0);
  return { ...tensor, type: F16, data: new Uint8Array(bits.buffer) };
}

/** What a family's config.json leaves out. */
const USUAL = { rms_norm_eps: 1e-6, rope_theta: 10_000, layer_norm_epsilon: 1e-5 };

/** The metadata of a config, without a tokenizer. */
export function convertConfig(config: Config): Record<string, Value> {
  const c = { ...USUAL, ...config } as Readonly<Record<string, number>>;
  const architecture = config.model_type === "mistral" ? "llama" : String(config.model_type);
  const own: Readonly<Record<string, Value>> =
    architecture === "gpt2"
      ? {
          ...{ context_length: c.n_positions!, embedding_length: c.n_embd!, block_count: c.n_layer! },
          ...{ feed_forward_length: c.n_inner ?? 4 * c.n_embd!, "attention.head_count": c.n_head! },
          "attention.layer_norm_epsilon": c.layer_norm_epsilon!,
        }
      : {
          ...{ context_length: c.max_position_embeddings!, embedding_length: c.hidden_size! },
          ...{ block_count: c.num_hidden_layers!, feed_forward_length: c.intermediate_size! },
          ...{ "attention.head_count": c.num_attention_heads!, "attention.head_count_kv": c.num_key_value_heads! },
          ...{ "attention.key_length": headWidth(config), "attention.value_length": headWidth(config) },
          ...{ "attention.layer_norm_rms_epsilon": c.rms_norm_eps!, "rope.freq_base": c.rope_theta! },
        };
  return {
    "general.architecture": architecture,
    ...Object.fromEntries(Object.entries(own).map(([key, value]) => [`${architecture}.${key}`, value])),
    ...{ "tokenizer.ggml.bos_token_id": c.bos_token_id!, "tokenizer.ggml.eos_token_id": c.eos_token_id! },
  };
}
