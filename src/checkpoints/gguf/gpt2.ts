import { transposeStored } from "../transpose.ts";
import type { Architecture } from "./architecture.ts";

/** GPT-2, whose checkpoints hold linear maps as [in, out], as GGUF does not. */
export const gpt2: Architecture = {
  ...{ model_type: "gpt2", architectures: ["GPT2LMHeadModel"], layers: "transformer.h" },
  config: (_file, { number, decimal }) => ({
    ...{ activation_function: "gelu_new", layer_norm_epsilon: decimal("attention.layer_norm_epsilon") },
    ...{ n_positions: number("context_length"), n_embd: number("embedding_length"), n_layer: number("block_count") },
    ...{ n_head: number("attention.head_count"), n_inner: number("feed_forward_length") },
  }),
  outside: {
    ...{ token_embd: "transformer.wte", position_embd: "transformer.wpe", output_norm: "transformer.ln_f" },
    output: "lm_head",
  },
  inside: {
    ...{ attn_norm: "ln_1", attn_qkv: "attn.c_attn", attn_output: "attn.c_proj" },
    ...{ ffn_norm: "ln_2", ffn_up: "mlp.c_fc", ffn_down: "mlp.c_proj" },
  },
  arrange: (_module, stored) => (stored.shape.length === 2 ? transposeStored(stored) : stored),
};
