"""Makes families.json: tiny tokenizers as the model families have them, and the ids that Python's libraries give texts with them.

    python families.py
"""

import json
import pathlib
import tempfile

import tokenizers
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
TEXTS = [
    "It's a great film, isn't it? I'LL SAY!",
    "  two spaces,\ttabs\r\n\r\nand  lines \n",
    "12345 plots in 2024, 3.14 each",
    "na\u00efve caf\u00e9s \u2014 \u4e2d\u6587 \U0001f600!",
    "terrible... it was [MASK] terrible",
    "\u00c9COLE fran\u00e7aise un-believable",
]
CORPUS = ["It was a great film and the plot was terrible, isn't it great? They said it's 12 films in 2024, and 3 plots."] * 4
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def train(parts: Tokenizer, **options) -> dict:
    trainer = trainers.BpeTrainer(show_progress=False, **options)
    parts.train_from_iterator(CORPUS, trainer)
    return json.loads(parts.to_str())["model"]


def byte_level_model() -> dict:
    parts = Tokenizer(models.BPE())
    parts.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return train(parts, vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def spaced_model() -> dict:
    """SentencePiece's kind: spaces are visible letters, and letters that are not known become bytes."""
    parts = Tokenizer(models.BPE(unk_token="<unk>"))
    parts.pre_tokenizer = pre_tokenizers.Metaspace()
    model = train(parts, vocab_size=340, special_tokens=["<unk>", "<s>", "</s>", *BYTES])
    return {**model, "byte_fallback": True, "fuse_unk": True}


def with_model(parts: Tokenizer, model: dict) -> dict:
    return {**json.loads(parts.to_str()), "model": model}


def parts(pre_tokenizer, normalizer=None, template=None, special=(), decoder=None) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizer
    if normalizer:
        made.normalizer = normalizer
    if template:
        made.post_processor = processors.TemplateProcessing(single=template, special_tokens=list(special))
    made.decoder = decoder or decoders.ByteLevel()
    return made


def split(pattern: str):
    bytes_alone = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), bytes_alone])


def added(content: str, id_: int) -> dict:
    off = {key: False for key in ("single_word", "lstrip", "rstrip", "normalized")}
    return {"id": id_, "content": content, **off, "special": True}


def cases() -> tuple:
    bytes_, spaced = byte_level_model(), spaced_model()
    space = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    older = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    newer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    start = dict(template="<s> $A", special=[("<s>", 1)], decoder=space)
    spaced_special = [added("<unk>", 0), added("<s>", 1), added("</s>", 2)]
    llama3 = with_model(parts(split(LLAMA3), template="<|begin_of_text|> $A", special=[("<|begin_of_text|>", 300)]), "byteLevel")
    llama3["added_tokens"] = [added("<|begin_of_text|>", 300), added("<|end_of_text|>", 301)]
    qwen = with_model(parts(split(QWEN), normalizer=normalizers.NFC()), "byteLevel")
    qwen["added_tokens"] = [added("<|endoftext|>", 300), added("<|im_start|>", 301), added("<|im_end|>", 302)]
    old = with_model(parts(None, normalizer=older, **start), "spaced")
    new = with_model(parts(newer, **start), "spaced")
    for one in (old, new):
        one["added_tokens"] = spaced_special
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"!',.-?", "a", "it", "great", "film", "is", "##n", "t", "s", "terrible"]
    words += ["12", "##34", "##5", "un", "##believ", "##able", "caf", "##es", "cafes", "naive", "na", "##\u00efve", "\u4e2d", "ecole", "say"]
    words += ["It", "I", "##LL", "SAY", "was", "in", "and", "lines", "two", "3", "14"]
    files = {
        "gpt2": {"tokenizer.json": with_model(parts(pre_tokenizers.ByteLevel(add_prefix_space=False)), "byteLevel")},
        "llama3": {"tokenizer.json": llama3, "tokenizer_config.json": {"bos_token": "<|begin_of_text|>"}},
        "qwen2": {"tokenizer.json": qwen, "tokenizer_config.json": {"add_bos_token": False, "bos_token": None, "eos_token": "<|im_end|>"}},
        "mistral, as written before 2024": {"tokenizer.json": old},
        "mistral": {"tokenizer.json": new, "tokenizer_config.json": {"add_bos_token": True, "bos_token": "<s>"}},
        "bert, uncased": {"vocab.txt": "\n".join(words) + "\n"},
        "bert, cased": {"vocab.txt": "\n".join(words) + "\n", "tokenizer_config.json": {"do_lower_case": False}},
    }
    return {"byteLevel": {**bytes_, "ignore_merges": True}, "spaced": spaced}, files


def encode(given: dict, shared: dict) -> tuple:
    """The ids of every text without special tokens, and those of an empty text with them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in given.items():
            if name == "tokenizer.json":
                content = {**content, "model": shared[content["model"]]}
            text = content if isinstance(content, str) else json.dumps(content)
            (pathlib.Path(folder) / name).write_text(text, encoding="utf8")
        if "vocab.txt" in given:
            made = transformers.BertTokenizerFast.from_pretrained(folder)
            return [made(text, add_special_tokens=False)["input_ids"] for text in TEXTS], made("")["input_ids"]
        made = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
        return [made.encode(text, add_special_tokens=False).ids for text in TEXTS], made.encode("").ids


def main() -> None:
    shared, files = cases()
    made_by = f"tokenizers {tokenizers.__version__}, transformers {transformers.__version__}"
    found = {"madeBy": made_by, "texts": TEXTS, "models": shared, "cases": []}
    for name, given in files.items():
        ids, around = encode(given, shared)
        found["cases"].append({"name": name, "files": given, "ids": ids, "around": around})
    (HERE / "families.json").write_text(json.dumps(found, separators=(",", ":"), ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
