"""Trains the bundled masked model: a RoBERTa on film reviews, from raw text to the folder that the kit loads.

    pip install torch==2.15.0 tokenizers numpy safetensors
    python ../opt-reviews/train.py prepare --corpus CORPUS --sentiment SENTIMENT --work WORK
    python train.py train   --work WORK --steps STEPS --decay DECAY
    python train.py export  --work WORK --out .

The text, its cleaning (no review that holds an evaluation sentence) and the vocabulary are those of the bundled OPT, whose
training script prepares them; `<mask>` is one id more. The weights start from the bundled OPT's, which saves a good part of
the training: see `from_opt`. `train` resumes from its last checkpoint; the learning rate is constant before the last DECAY
steps, so a run can be lengthened without starting again.
"""
import argparse, importlib.util, json, math
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
OPT = HERE.parent / "opt-reviews"
spec = importlib.util.spec_from_file_location("opt_train", OPT / "train.py")
opt = importlib.util.module_from_spec(spec); spec.loader.exec_module(opt)

MASK, VOCAB = opt.VOCAB, opt.VOCAB + 1
WIDTH, LAYERS, HEADS, FFN, POSITIONS = 256, 4, 4, 1024, 512
TOKENS, SEED = 8192, 1  # a step
MASKED = .2  # share of the positions that are hidden and guessed; all of them show <mask>, as the prompts do


# ---- model ----------------------------------------------------------------------------------------------------------
def build():
    import torch, torch.nn as nn, torch.nn.functional as F
    norm = lambda: nn.LayerNorm(WIDTH, eps=1e-5)

    class SelfAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

        def forward(self, x):
            split = lambda t: t.unflatten(-1, (HEADS, -1)).transpose(1, 2)
            y = F.scaled_dot_product_attention(split(self.query(x)), split(self.key(x)), split(self.value(x)))
            return y.transpose(1, 2).flatten(2)

    class Output(nn.Module):
        def __init__(self, wide):
            super().__init__()
            self.dense, self.LayerNorm = nn.Linear(wide, WIDTH), norm()

        def forward(self, y, x): return self.LayerNorm(x + self.dense(y))

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.self, self.output = SelfAttention(), Output(WIDTH)

        def forward(self, x): return self.output(self.self(x), x)

    class Intermediate(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(WIDTH, FFN)

        def forward(self, x): return F.gelu(self.dense(x))

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention, self.intermediate, self.output = Attention(), Intermediate(), Output(FFN)

        def forward(self, x):
            x = self.attention(x)
            return self.output(self.intermediate(x), x)

    class Embeddings(nn.Module):
        def __init__(self):
            super().__init__()
            self.word_embeddings, self.position_embeddings = nn.Embedding(VOCAB, WIDTH), nn.Embedding(POSITIONS + 2, WIDTH)
            self.token_type_embeddings, self.LayerNorm = nn.Embedding(1, WIDTH), norm()

        def forward(self, ids, first):
            at = torch.arange(ids.shape[1]) + first[:, None] + 2
            return self.LayerNorm(self.word_embeddings(ids) + self.position_embeddings(at) + self.token_type_embeddings.weight[0])

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.ModuleList(Layer() for _ in range(LAYERS))

    class Body(nn.Module):
        def __init__(self):
            super().__init__()
            self.embeddings, self.encoder = Embeddings(), Encoder()

        def forward(self, ids, first):
            x = self.embeddings(ids, first)
            for layer in self.encoder.layer: x = layer(x)
            return x

    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense, self.layer_norm, self.bias = nn.Linear(WIDTH, WIDTH), norm(), nn.Parameter(torch.zeros(VOCAB))

    class Roberta(nn.Module):
        def __init__(self):
            super().__init__()
            self.roberta, self.lm_head = Body(), Head()
            for name, p in self.named_parameters():
                if p.ndim == 2: nn.init.normal_(p, std=.02)
                elif name.endswith("bias"): nn.init.zeros_(p)

        def forward(self, ids, first, at):
            """Logits [rows * masked, VOCAB] at the masked positions `at` [rows, masked]."""
            x = self.roberta(ids, first)
            x = torch.gather(x, 1, at[..., None].expand(-1, -1, WIDTH)).flatten(0, 1)
            x = self.lm_head.layer_norm(F.gelu(self.lm_head.dense(x)))
            return F.linear(x, self.roberta.embeddings.word_embeddings.weight, self.lm_head.bias)

    torch.manual_seed(SEED)
    return Roberta()


def from_opt(model, text):
    """Starts a RoBERTa from the bundled OPT. OPT normalizes a copy of the residual stream before each block, RoBERTa the stream
    itself after it: so the norms' gains and shifts go into the products that read them, and what a block adds is divided by
    the stream's size where it is added, measured on `text`, ids [rows, length]."""
    import torch, torch.nn.functional as F
    from safetensors.torch import load_file
    decoder = opt.build()
    decoder.load_state_dict({k.removeprefix("model.decoder."): v.float() for k, v in load_file(OPT / "model.safetensors").items()})
    rms = lambda x: x.sub(x.mean(-1, keepdim=True)).pow(2).mean(-1).sqrt().mean()

    def read(target, source, norm):
        target.weight.copy_(source.weight * norm.weight); target.bias.copy_(source.bias + source.weight @ norm.bias)

    def add(target, source, size):
        target.weight.copy_(source.weight / size); target.bias.copy_(source.bias / size)

    with torch.no_grad():
        e, ids = model.roberta.embeddings, torch.from_numpy(text.astype(np.int64))
        e.word_embeddings.weight[:opt.VOCAB] = decoder.embed_tokens.weight
        e.word_embeddings.weight[MASK] = decoder.embed_tokens.weight.mean(0)
        e.position_embeddings.weight.copy_(decoder.embed_positions.weight[:POSITIONS + 2])
        x = decoder.embed_tokens(ids) + decoder.embed_positions(torch.arange(ids.shape[1]) + 2)
        for ours, theirs in zip(model.roberta.encoder.layer, decoder.layers):
            for to, source in zip((ours.attention.self.query, ours.attention.self.key, ours.attention.self.value),
                                  (theirs.self_attn.q_proj, theirs.self_attn.k_proj, theirs.self_attn.v_proj)):
                read(to, source, theirs.self_attn_layer_norm)
            add(ours.attention.output.dense, theirs.self_attn.out_proj, rms(x))
            x = x + theirs.self_attn(theirs.self_attn_layer_norm(x))
            read(ours.intermediate.dense, theirs.fc1, theirs.final_layer_norm)
            add(ours.output.dense, theirs.fc2, rms(x))
            x = x + theirs.fc2(F.relu(theirs.fc1(theirs.final_layer_norm(x))))
    return model


# ---- data -----------------------------------------------------------------------------------------------------------
def hide(windows, rng):
    """`<s> window </s>` with a fifth of the window's tokens hidden: (ids, masked positions, what stood there). Reviews inside
    a window are parted by </s>, as in RoBERTa's own training."""
    rows, length = windows.shape[0], windows.shape[1] + 2
    ids = np.concatenate([np.zeros((rows, 1)), np.where(windows == 0, 2, windows), np.full((rows, 1), 2)], 1).astype(np.int64)
    draw = rng.random((rows, length)); draw[:, 0] = draw[:, -1] = 2
    draw[ids == 2] = 2
    at = np.sort(np.argsort(draw, 1)[:, :round(MASKED * (length - 2))], 1)
    gold = np.take_along_axis(ids, at, 1)
    np.put_along_axis(ids, at, MASK, 1)
    return ids, at, gold


def batch(stream, step, seed=SEED):
    """Batch of one step: random windows, 128 tokens long (every eighth step 512); a quarter of the short ones start at a
    random position, so that every position is trained."""
    rng = np.random.default_rng([seed, step])
    length = POSITIONS if step % 8 == 7 else 128
    rows = np.stack([stream[i:i + length - 2] for i in rng.integers(0, len(stream) - length, TOKENS // length)])
    first = np.where(rng.random(len(rows)) < .75, 0, rng.integers(0, POSITIONS - length + 1, len(rows)))
    ids, at, gold = hide(rows, rng)
    return ids, first, at, gold


def held_out_loss(model, held, rows, length=128):
    """Mean loss of the hidden tokens of the first `rows` held-out windows, a fixed fifth hidden."""
    import torch, torch.nn.functional as F
    rng, losses = np.random.default_rng(SEED), []
    rows = min(rows, len(held) // (length - 2))
    windows = held[:rows * (length - 2)].reshape(rows, -1)
    with torch.no_grad():
        for i in range(0, rows, 32):
            ids, at, gold = (torch.from_numpy(v) for v in hide(windows[i:i + 32], rng))
            logits = model(ids, torch.zeros(len(ids), dtype=torch.long), at)
            losses.append(F.cross_entropy(logits.float(), gold.flatten(), reduction="none"))
    return torch.cat(losses).mean().item()


def loss_of(model):
    import torch, torch.nn.functional as F
    run = torch.compile(model)

    def of(ids, first, at, gold):
        with torch.autocast("cpu", torch.bfloat16): logits = run(ids, first, at)
        return F.cross_entropy(logits.float(), gold.flatten())

    return of


# ---- training -------------------------------------------------------------------------------------------------------
def train(a):
    work, model = Path(a.work), build()
    held, stream = np.load(work / "held.npy"), np.load(work / "train.npy", mmap_mode="r")
    if not a.begin: from_opt(model, stream[:32 * 128].reshape(32, 128))
    opt.fit(a, model, "roberta", "embeddings", 1.5e-3, lambda *at: batch(*at, a.seed), loss_of, lambda m: held_out_loss(m, held, 256))


# ---- what the kit loads ---------------------------------------------------------------------------------------------
def tokenizer_with_mask(source):
    """The OPT's tokenizer with <mask> as the next id, which swallows the space before it, and RoBERTa's frame of a text."""
    t = json.loads(source.read_text())
    t["added_tokens"].append(dict(id=MASK, content="<mask>", single_word=False, lstrip=True, rstrip=False, normalized=False, special=True))
    piece = lambda name, kind=0: {"SpecialToken": {"id": name, "type_id": kind}}
    text = lambda name: {"Sequence": {"id": name, "type_id": 0}}
    special = {name: {"id": name, "ids": [i], "tokens": [name]} for name, i in (("<s>", 0), ("</s>", 2))}
    t["post_processor"] = dict(type="TemplateProcessing", single=[piece("<s>"), text("A"), piece("</s>")],
                               pair=[piece("<s>"), text("A"), piece("</s>"), piece("</s>"), text("B"), piece("</s>")], special_tokens=special)
    return json.dumps(t, ensure_ascii=False, indent=2)


def export(a):
    import torch
    from safetensors.torch import save_file
    work, out, model = Path(a.work), Path(a.out), build()
    s = torch.load(work / "roberta.pt"); model.load_state_dict(s["model"]); model.half().float()
    held = np.load(work / "held.npy")
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, out / "model.safetensors", metadata={"format": "pt"})
    config = dict(model_type="roberta", architectures=["RobertaForMaskedLM"], vocab_size=VOCAB, hidden_size=WIDTH, intermediate_size=FFN,
                  num_hidden_layers=LAYERS, num_attention_heads=HEADS, max_position_embeddings=POSITIONS + 2, type_vocab_size=1, hidden_act="gelu",
                  layer_norm_eps=1e-5, tie_word_embeddings=True, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, bos_token_id=0,
                  pad_token_id=1, eos_token_id=2, torch_dtype="float16")
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (out / "tokenizer.json").write_text(tokenizer_with_mask(work / "tokenizer.json"))
    facts = {k: v for k, v in json.loads((work / "facts.json").read_text()).items() if "bigram" not in k}
    loss = held_out_loss(model, held, 10**9)
    facts |= dict(steps=s["step"], tokens_seen=s["step"] * TOKENS, masked_share=MASKED, held_out_loss=loss, held_out_perplexity=math.exp(loss),
                  parameters=sum(p.numel() for p in model.parameters()))
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n"); print(facts)


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("stage", choices=["train", "export"]); ap.add_argument("--work", required=True); ap.add_argument("--out", default=".")
    ap.add_argument("--steps", type=int); ap.add_argument("--decay", type=int); ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--begin", help="a folder whose weights training goes on from, instead of the OPT's")
    ap.add_argument("--seed", type=int, default=SEED, help="draws the batches")
    args = ap.parse_args()
    dict(train=train, export=export)[args.stage](args)
