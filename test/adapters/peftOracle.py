"""Writes random models, LoRAs of PEFT for them, and the logits that PEFT gives: python test/adapters/peftOracle.py FOLDER"""

import json
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM, RobertaConfig, RobertaForMaskedLM

OUT = pathlib.Path(sys.argv[1])
IDS = torch.tensor([[0, 4, 9, 17, 3, 22]])

MODELS = {
    "opt": lambda: OPTForCausalLM(
        OPTConfig(vocab_size=32, hidden_size=16, num_hidden_layers=3, ffn_dim=24, num_attention_heads=2,
                  max_position_embeddings=16, word_embed_proj_dim=16)
    ),
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(vocab_size=32, hidden_size=16, num_hidden_layers=3, intermediate_size=24, num_attention_heads=4,
                    num_key_value_heads=2, max_position_embeddings=16, tie_word_embeddings=False)
    ),
    "roberta": lambda: RobertaForMaskedLM(
        RobertaConfig(vocab_size=32, hidden_size=16, num_hidden_layers=3, intermediate_size=24, num_attention_heads=2,
                      max_position_embeddings=18, type_vocab_size=1)
    ),
}

CASES = {
    "default": {},
    "attention": {"target_modules": {"opt": ["q_proj", "k_proj", "v_proj", "out_proj"],
                                     "llama": ["q_proj", "k_proj", "v_proj", "o_proj"],
                                     "roberta": ["query", "key", "value", "attention.output.dense"]}},
    "feed-forward": {"target_modules": {"opt": ["fc1", "fc2"], "llama": ["gate_proj", "up_proj", "down_proj"],
                                        "roberta": ["intermediate.dense", "output.dense"]}},
    "all-linear": {"target_modules": "all-linear"},
    "rank-stabilized": {"use_rslora": True, "r": 4},
    "patterns": {"target_modules": "all-linear",
                 "rank_pattern": {"layers.1.self_attn.q_proj": 2, "layer.1.attention.self.query": 2, "fc1|up_proj": 3,
                                  "^model.decoder.layers.0.fc2": 1, ".*down_proj": 5},
                 "alpha_pattern": {"k_proj": 1, "key": 1, "fc2": 20, "layers\\.[01]\\.mlp\\.gate_proj": 3.5}},
    "some layers": {"layers_to_transform": [0, 2]},
    "one layer of a word": {"layers_to_transform": 1, "layers_pattern": {"opt": "layers", "llama": "layers", "roberta": "layer"}},
    "a pattern": {"target_modules": r".*\.(q_proj|query|fc2|o_proj)"},
    "excluded": {"target_modules": "all-linear", "exclude_modules": r".*(v_proj|value).*"},
    "orthogonal start": {"init_lora_weights": "orthogonal", "r": 4},
    "pickled": {"safe": False},
}


def logits(model):
    with torch.no_grad():
        return model(IDS).logits[0].double().flatten().tolist()


for family, make in MODELS.items():
    for number, (name, options) in enumerate(CASES.items()):
        torch.manual_seed(number)
        model = make().eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.0 if parameter.dim() > 1 else 0.5, 0.3)
        folder = OUT / family / name
        model.save_pretrained(folder / "model")
        options = {key: value.get(family, value) if isinstance(value, dict) and "opt" in value else value
                   for key, value in options.items()}
        safe = options.pop("safe", True)
        plain = logits(model)
        adapted = get_peft_model(model, LoraConfig(**{"r": 8, "lora_alpha": 16, **options})).eval()
        for key, parameter in adapted.named_parameters():
            if "lora_" in key:
                torch.nn.init.normal_(parameter, 0.0, 0.3)
        adapted.save_pretrained(folder / "adapter", safe_serialization=safe)
        (folder / "logits.json").write_text(json.dumps({"plain": plain, "adapted": logits(adapted), "ids": IDS[0].tolist()}))
