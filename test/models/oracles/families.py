"""Makes the oracles of families.test.ts: logits and greedy tokens that Python's transformers computes in float64.

    python families.py            remakes one JSON file a family beside this script
    python families.py FOLDER...  compares saved models with their oracles; prints the largest difference of each

The weights are a formula of their names and places (fill below; weightAt in families.ts), so that no weight file is kept. Every value is
a multiple of 1/256 in at most 8 significant bits: float16 and bfloat16 hold it too.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import transformers

HERE = pathlib.Path(__file__).parent
SIZES = dict(vocab_size=19, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=32)
DECODER = dict(SIZES, intermediate_size=24, num_key_value_heads=2, bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
QWEN = dict(DECODER, use_sliding_window=False, max_window_layers=2)
GPT2 = dict(vocab_size=19, n_positions=32, n_embd=16, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2)
ROBERTA = dict(SIZES, intermediate_size=24, max_position_embeddings=34, pad_token_id=1)
BERT = dict(SIZES, intermediate_size=24, pad_token_id=0)

CASES = {
    "opt": {
        "norm before": dict(SIZES, ffn_dim=24, word_embed_proj_dim=16),
        "norm after": dict(SIZES, ffn_dim=24, word_embed_proj_dim=8, do_layer_norm_before=False),
    },
    "llama": {
        "untied": dict(DECODER, tie_word_embeddings=False),
        "tied, biases": dict(DECODER, tie_word_embeddings=True, attention_bias=True, mlp_bias=True),
        "llama3 positions": dict(DECODER, rope_theta=500.0, rope_scaling=LLAMA3, head_dim=12),
    },
    "mistral": {
        "no window": dict(DECODER, sliding_window=None),
        "a window of 12, heads wider than their share": dict(DECODER, sliding_window=12, head_dim=6),
    },
    "qwen2": {
        "untied": dict(QWEN, rope_theta=1000000.0),
        "tied": dict(QWEN, tie_word_embeddings=True, rms_norm_eps=1e-5),
    },
    "qwen3": {
        "tied": dict(QWEN, tie_word_embeddings=True, head_dim=6),
        "untied, biases": dict(QWEN, head_dim=4, attention_bias=True),
    },
    "gpt2": {
        "tied": GPT2,
        "untied, a narrower middle": dict(GPT2, n_inner=24, tie_word_embeddings=False),
    },
    "roberta": {
        "tied": dict(ROBERTA, type_vocab_size=1, layer_norm_eps=1e-5),
        "untied": dict(ROBERTA, tie_word_embeddings=False),
    },
    "bert": {
        "tied": dict(BERT),
        "untied": dict(BERT, tie_word_embeddings=False, layer_norm_eps=1e-6),
    },
}
MASKED = ("roberta", "bert")
TEXTS = [[7], [3, 18, 4, 4, 11], [17, 5, 9, 18, 2, 2, 0, 7, 13, 16, 6, 10]]  # 1 is RoBERTa's padding
PROMPTS = [[1, 5, 9], [12], [3, 3, 17, 8, 14]]
NEW_TOKENS = 7


def values(name: str, size: int) -> np.ndarray:
    """An integer hash (FNV-1a of the name, then a mix of it with the element's place) in 256 steps from -1/2 up."""
    start = 2166136261
    for byte in name.encode():
        start = ((start ^ byte) * 16777619) & 0xFFFFFFFF
    x = (start + np.arange(size, dtype=np.uint64) * 2654435761) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return (x >> 24).astype(np.float64) / 256 - 0.5


def fill(model: torch.nn.Module) -> None:
    with torch.no_grad():
        for name, weight in model.named_parameters():
            found = values(name, weight.numel())
            if weight.dim() == 1 and name.endswith("weight"):  # the gain of a norm
                found = 1 + np.floor(found * 64) / 128
            weight.copy_(torch.from_numpy(found).reshape(weight.shape))
        head = model.cls.predictions if hasattr(model, "cls") else getattr(model, "lm_head", None)
        if hasattr(head, "decoder"):
            head.decoder.bias.copy_(head.bias)  # one weight in transformers before 5, and two in an untied model since


def make(family: str, config: dict) -> torch.nn.Module:
    given = transformers.AutoConfig.for_model(family, **config)
    kind = transformers.AutoModelForMaskedLM if family in MASKED else transformers.AutoModelForCausalLM
    model = kind.from_config(given, attn_implementation="eager").double().eval()
    fill(model)
    return model


def logits(model: torch.nn.Module, ids: list) -> np.ndarray:
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].double().numpy()


def greedy(model: torch.nn.Module, ids: list) -> list:
    made = list(ids)
    for _ in range(NEW_TOKENS):
        made.append(int(logits(model, made)[-1].argmax()))
    return made[len(ids) :]


def oracle(family: str, name: str, config: dict) -> dict:
    model = make(family, config)
    found = {"name": name, "config": {"model_type": family, **config}}
    found["logits"] = [[[round(float(v), 6) for v in row] for row in logits(model, ids)] for ids in TEXTS]
    if family not in MASKED:
        found["greedy"] = [greedy(model, ids) for ids in PROMPTS]
    return found


def write() -> None:
    for family, cases in CASES.items():
        made = {"madeBy": f"transformers {transformers.__version__}, torch {torch.__version__}, float64"}
        made |= {"texts": TEXTS, **({} if family in MASKED else {"prompts": PROMPTS})}
        head = json.dumps(made)[:-1]
        lines = ",\n".join(json.dumps(oracle(family, *case), separators=(",", ":")) for case in cases.items())
        (HERE / f"{family}.json").write_text(f'{head}, "cases": [\n{lines}\n]}}\n')


def compare(folder: str) -> dict:
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    family = config["model_type"]
    kind = transformers.AutoModelForMaskedLM if family in MASKED else transformers.AutoModelForCausalLM
    model, report = kind.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    model = model.double().eval()
    stored = json.loads((HERE / f"{family}.json").read_text())
    fitting = [case for case in stored["cases"] if all(config.get(k) == v for k, v in case["config"].items())]
    wanted = max(fitting, key=lambda case: len(case["config"]))
    worst = max(
        float(np.abs(logits(model, ids) - np.array(rows)).max()) for ids, rows in zip(stored["texts"], wanted["logits"])
    )
    return {"largest": worst, "unexpected": sorted(report["unexpected_keys"])}


if __name__ == "__main__":
    print(json.dumps([compare(folder) for folder in sys.argv[1:]])) if len(sys.argv) > 1 else write()
