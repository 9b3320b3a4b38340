import { floats, ggufParts, padded } from "../checkpoints/gguf/files.ts";

export { padded } from "../checkpoints/gguf/files.ts";

const TOKENS = ["<unk>", "<s>", "</s>", "a", "b", "Ġ", "ab", "Ġa"];

const METADATA = {
  ...{ "general.architecture": "llama", "general.alignment": 32, "llama.context_length": 8, "llama.block_count": 1 },
  ...{ "llama.embedding_length": 4, "llama.feed_forward_length": 4, "llama.attention.head_count": 2 },
  ...{ "llama.attention.head_count_kv": 1, "llama.attention.layer_norm_rms_epsilon": 1e-5 },
  ...{ "llama.rope.freq_base": 300, "llama.rope.dimension_count": 2, "tokenizer.ggml.model": "gpt2" },
  ...{ "tokenizer.ggml.pre": "qwen2", "tokenizer.ggml.tokens": TOKENS, "tokenizer.ggml.merges": ["a b", "Ġ a"] },
  ...{ "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1, 1, 4], "tokenizer.ggml.bos_token_id": 1 },
  ...{ "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.add_bos_token": true, "tokenizer.chat_template": "{{ x }}" },
};

const SHAPES: readonly (readonly [string, readonly number[]])[] = [
  ...([
    ["token_embd.weight", [8, 4]],
    ["output_norm.weight", [4]],
    ["blk.0.attn_norm.weight", [4]],
  ] as const),
  ...([
    ["blk.0.ffn_norm.weight", [4]],
    ["blk.0.attn_q.weight", [4, 4]],
    ["blk.0.attn_k.weight", [2, 4]],
  ] as const),
  ...([
    ["blk.0.attn_v.weight", [2, 4]],
    ["blk.0.attn_output.weight", [4, 4]],
  ] as const),
  ...([
    ["blk.0.ffn_gate.weight", [4, 4]],
    ["blk.0.ffn_up.weight", [4, 4]],
    ["blk.0.ffn_down.weight", [4, 4]],
  ] as const),
];

/** A Llama of one layer as GGUF: all its bytes, and its header and data apart. */
export function tinyGguf(): { readonly bytes: Buffer; readonly header: Buffer; readonly data: Buffer } {
  const tensors = SHAPES.map(([name, shape]) => {
    const size = shape.reduce((product, length) => product * length, 1);
    return floats(
      name,
      shape,
      Float32Array.from({ length: size }, (_, i) => ((i * 7) % 11) / 10 - 0.5),
    );
  });
  const { header, data } = ggufParts(METADATA, tensors);
  return { header, data, bytes: Buffer.concat([padded(header), data]) };
}
