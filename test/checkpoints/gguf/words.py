"""Writes words.json: how texts are split into words by each way that GGUF names, by the Python packages tokenizers and transformers.

    pip install transformers tokenizers gguf && python words.py > words.json
"""

import json

from tokenizers import Regex, pre_tokenizers
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

TEXTS = [
    "Hello world, it's 1234567 degrees;\n\n\tDON'T \"quote\" é漢字🙂  two  spaces \r\n end",
    " a\u00a0b\u0085c ﬁne x²³ Ǆungla ٣٤٥٦ '’S we'LL fooBarBAZ a/b/\n \n\n  x\n",
]


def split(pattern: str) -> pre_tokenizers.PreTokenizer:
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), behavior="isolated"), letters])


gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
# llama.cpp's patterns for smollm: \p{N}, then GPT-2's.
digits = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\p{N}"), behavior="isolated"), gpt2])
WAYS = {
    "gpt-2": gpt2,
    "smollm": digits,
    "llama-bpe": split(GGUF_PRE_TOKENIZER_SPLITS["llama-bpe"]),
    "tekken": split(GGUF_PRE_TOKENIZER_SPLITS["tekken"]),
    "qwen2": split(GGUF_PRE_TOKENIZER_SPLITS["qwen2"]),
}
words = {name: [[word for word, _ in way.pre_tokenize_str(text)] for text in TEXTS] for name, way in WAYS.items()}
print(json.dumps({"texts": TEXTS, "words": words}))
