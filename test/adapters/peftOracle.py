"""Writes random models, LoRAs of PEFT for them, and the logits that PEFT gives: python test/adapters/peftOracle.py FOLDER"""

import json
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

OUT = pathlib.Path(sys.argv[1])
IDS = torch.tensor([[0, 4, 9, 17, 3, 22]])

SIZES = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4}
DECODER = {**SIZES, "intermediate_size": 24, "num_key_value_heads": 2, "max_position_embeddings": 16,
           "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
ENCODER = {**SIZES, "intermediate_size": 24, "max_position_embeddings": 18}

MODELS = {
    "opt": lambda: OPTForCausalLM(OPTConfig(**SIZES, ffn_dim=24, max_position_embeddings=16, word_embed_proj_dim=16)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**DECODER, tie_word_embeddings=False)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**DECODER, sliding_window=None)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**DECODER)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**DECODER, head_dim=8)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=32, n_embd=16, n_layer=3, n_head=4, n_positions=16,
                                               bos_token_id=2, eos_token_id=2)),
    "roberta": lambda: RobertaForMaskedLM(RobertaConfig(**ENCODER, type_vocab_size=1)),
    "bert": lambda: BertForMaskedLM(BertConfig(**ENCODER)),
}

ATTENTION = {"opt": ["q_proj", "k_proj", "v_proj", "out_proj"], "gpt2": ["attn.c_attn", "attn.c_proj"],
             **dict.fromkeys(["roberta", "bert"], ["query", "key", "value", "attention.output.dense"]),
             **dict.fromkeys(["llama", "mistral", "qwen2", "qwen3"], ["q_proj", "k_proj", "v_proj", "o_proj"])}
FEED_FORWARD = {"opt": ["fc1", "fc2"], "gpt2": ["c_fc", "mlp.c_proj"],
                **dict.fromkeys(["roberta", "bert"], ["intermediate.dense", "output.dense"]),
                **dict.fromkeys(["llama", "mistral", "qwen2", "qwen3"], ["gate_proj", "up_proj", "down_proj"])}
WORDS = {"opt": "layers", "gpt2": "h", "roberta": "layer", "bert": "layer",
         **dict.fromkeys(["llama", "mistral", "qwen2", "qwen3"], "layers")}

CASES = {
    "default": {},
    "attention": {"target_modules": ATTENTION},
    "feed-forward": {"target_modules": FEED_FORWARD},
    "all-linear": {"target_modules": "all-linear"},
    "rank-stabilized": {"use_rslora": True, "r": 4},
    "patterns": {"target_modules": "all-linear",
                 "rank_pattern": {"layers.1.self_attn.q_proj": 2, "layer.1.attention.self.query": 2, "fc1|up_proj": 3,
                                  "^model.decoder.layers.0.fc2": 1, ".*down_proj": 5, "h.1.attn.c_attn": 2},
                 "alpha_pattern": {"k_proj": 1, "key": 1, "fc2": 20, "layers\\.[01]\\.mlp\\.gate_proj": 3.5,
                                   "mlp.c_proj": 30}},
    "some layers": {"layers_to_transform": [0, 2]},
    "one layer of a word": {"layers_to_transform": 1, "layers_pattern": WORDS},
    "a pattern": {"target_modules": r".*\.(q_proj|query|fc2|o_proj|attn\.c_proj)"},
    "excluded": {"target_modules": "all-linear", "exclude_modules": r".*(v_proj|value|c_fc).*"},
    "orthogonal start": {"init_lora_weights": "orthogonal", "r": 4},
    "pickled": {"old": False},
    "pickled before 1.6": {"old": True},
}


def logits(model):
    with torch.no_grad():
        return model(IDS).logits[0].double().flatten().tolist()


def pickle(model, folder, old):
    """Puts PyTorch's file in place of the model's safetensors."""
    torch.save(model.state_dict(), folder / "pytorch_model.bin", _use_new_zipfile_serialization=not old)
    (folder / "model.safetensors").unlink()


for family, make in MODELS.items():
    for number, (name, options) in enumerate(CASES.items()):
        torch.manual_seed(number)
        model = make().eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.0 if parameter.dim() > 1 else 0.5, 0.3)
        folder = OUT / family / name
        model.save_pretrained(folder / "model")
        options = {key: value[family] if isinstance(value, dict) and family in value else value
                   for key, value in options.items()}
        old = options.pop("old", None)
        if old is not None:
            pickle(model, folder / "model", old)
        plain = logits(model)
        adapted = get_peft_model(model, LoraConfig(**{"r": 8, "lora_alpha": 16, **options})).eval()
        for key, parameter in adapted.named_parameters():
            if "lora_" in key:
                torch.nn.init.normal_(parameter, 0.0, 0.3)
        adapted.save_pretrained(folder / "adapter", safe_serialization=old is None)
        (folder / "logits.json").write_text(
            json.dumps({"plain": plain, "adapted": logits(adapted), "ids": IDS[0].tolist()})
        )
