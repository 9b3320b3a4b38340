"""Writes tiny.gguf, a random Llama with a tensor of nearly every type of GGUF, and tiny.json: what transformers computes with it.

    pip install torch transformers gguf && python tiny.py
"""

import json
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import quantize
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).parent
WIDTH, INNER, HEADS, KEY_HEADS, LAYERS = 32, 32, 4, 2, 2
random = np.random.default_rng(3)

ALPHABET = [*"abcdefghijklmnopqrstuvwxyz.,0123456789", "Ġ", "Ċ"]
MERGES = ["t h", "Ġ th", "Ġth e", "i n", "Ċ Ċ"]
TOKENS = ["<|end|>", "<|begin|>", *ALPHABET, *(merge.replace(" ", "") for merge in MERGES), "<think>"]
TYPES = [TokenType.CONTROL] * 2 + [TokenType.NORMAL] * (len(TOKENS) - 3) + [TokenType.USER_DEFINED]

writer = GGUFWriter(HERE / "tiny.gguf", "llama")
writer.add_context_length(64)
writer.add_embedding_length(WIDTH)
writer.add_block_count(LAYERS)
writer.add_feed_forward_length(INNER)
writer.add_head_count(HEADS)
writer.add_head_count_kv(KEY_HEADS)
writer.add_rope_freq_base(500.0)
writer.add_rope_dimension_count(WIDTH // HEADS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_vocab_size(len(TOKENS))
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("llama-bpe")
writer.add_token_list(TOKENS)
writer.add_token_types(TYPES)
writer.add_token_merges(MERGES)
writer.add_bos_token_id(1)
writer.add_eos_token_id(0)
writer.add_add_bos_token(True)
writer.add_chat_template("{% for message in messages %}{{ message['content'] }}{% endfor %}")


def add(name: str, shape: tuple[int, ...], kind: str) -> None:
    values = random.normal(0, 0.3, shape).astype(np.float32) + (1 if "norm" in name else 0)
    dtype = GGMLQuantizationType[kind]
    writer.add_tensor(name, quantize(values.astype(np.float32), dtype), raw_dtype=dtype)


keys = KEY_HEADS * WIDTH // HEADS
add("token_embd.weight", (len(TOKENS), WIDTH), "Q8_0")
for layer, kinds in enumerate([["Q4_0", "Q4_1", "Q5_0", "Q5_1"], ["F16", "BF16", "F32", "Q8_0"]]):
    at = f"blk.{layer}"
    add(f"{at}.attn_norm.weight", (WIDTH,), "F32")
    add(f"{at}.attn_q.weight", (WIDTH, WIDTH), kinds[0])
    add(f"{at}.attn_k.weight", (keys, WIDTH), kinds[1])
    add(f"{at}.attn_v.weight", (keys, WIDTH), kinds[2])
    add(f"{at}.attn_output.weight", (WIDTH, WIDTH), kinds[3])
    add(f"{at}.ffn_norm.weight", (WIDTH,), "F32")
    add(f"{at}.ffn_gate.weight", (INNER, WIDTH), "Q4_1")
    add(f"{at}.ffn_up.weight", (INNER, WIDTH), "Q4_0")
    add(f"{at}.ffn_down.weight", (WIDTH, INNER), "Q5_0")
add("output_norm.weight", (WIDTH,), "F32")
add("output.weight", (len(TOKENS), WIDTH), "Q8_0")
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

TEXT = "the thin<think> 123,4567\n\nin.\n the<|end|>"
tokenizer = AutoTokenizer.from_pretrained(HERE, gguf_file="tiny.gguf")
model = AutoModelForCausalLM.from_pretrained(HERE, gguf_file="tiny.gguf", dtype=torch.float32).double()
ids = tokenizer(TEXT, add_special_tokens=False).input_ids
with torch.no_grad():
    logits = model(torch.tensor([ids])).logits[0, -1]
expected = {"text": TEXT, "ids": ids, "last": [round(float(v), 6) for v in logits]}
(HERE / "tiny.json").write_text(json.dumps(expected) + "\n")
