"""Trains the bundled model: an OPT decoder on film reviews, from raw text to the folder that the kit loads.

    pip install torch==2.15.0 tokenizers numpy safetensors
    python train.py prepare --corpus CORPUS --sentiment SENTIMENT --work WORK
    python train.py train   --work WORK --steps 2100 --decay 500
    python train.py export  --work WORK --out .

CORPUS holds aclImdb-labelled.jsonl.xz and aclImdb-unsup.jsonl.xz (Maas et al., ACL 2011), one JSON line a review;
SENTIMENT is test/fixtures of the npm package sentiment 5.0.2, whose sentences the kit evaluates on. Every review in
which one of them occurs is left out, and so is IMDb's test split. `train` resumes from its last checkpoint; the
learning rate is constant before the last DECAY steps, so a run can be lengthened without starting again.
"""
import argparse, json, lzma, math, os, re, time
from pathlib import Path

import numpy as np

VOCAB, WIDTH, LAYERS, HEADS, FFN, POSITIONS = 8192, 256, 4, 4, 1024, 1024
TOKENS, SEED = 8192, 1  # a step
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]  # ids 0 to 3, as in OPT's own vocabulary


# ---- text -----------------------------------------------------------------------------------------------------------
def reviews(corpus):
    """Texts of IMDb's train and unsupervised splits; the test split stays out."""
    for name in ("aclImdb-labelled.jsonl.xz", "aclImdb-unsup.jsonl.xz"):
        with lzma.open(Path(corpus) / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row["split"] == "train":
                    yield re.sub(r"\s*<br\s*/?>\s*(<br\s*/?>\s*)*", "\n", row["text"]).strip()


def words(text):
    return tuple(re.findall(r"[a-z0-9]+", text.lower()))


def evaluation_sentences(folder):
    for name in ("imdb", "amazon", "yelp"):
        for row in json.loads((Path(folder) / f"{name}.json").read_text()):
            if row["text"].strip():
                yield words(row["text"])


def overlap_finder(sentences):
    """A test for whether one of the sentences occurs in a text (case and punctuation aside): as a run of words anywhere, or,
    for those under four words ("Awful."), as a sentence of its own, since such words are part of many other sentences."""
    short = {s for s in sentences if len(s) < 4}
    by_start = {}
    for s in set(sentences) - short: by_start.setdefault(s[:2], []).append(s)

    def found(text):
        if any(words(piece) in short for piece in re.split(r"[.!?;:\n]+", text)): return True
        w = words(text)
        return any(w[i:i + len(s)] == s for i in range(len(w)) for s in by_start.get(w[i:i + 2], ()))

    return found


def prepare(a):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    work = Path(a.work); work.mkdir(parents=True, exist_ok=True)
    overlaps = overlap_finder(list(evaluation_sentences(a.sentiment)))
    seen, kept, removed, total = set(), [], 0, 0
    for text in reviews(a.corpus):
        total += 1
        if text in seen: continue
        seen.add(text)
        if overlaps(text): removed += 1
        else: kept.append(text)
    order = np.random.default_rng(SEED).permutation(len(kept))
    kept = [kept[i] for i in order]
    held, train = kept[:500], kept[500:]
    tok = Tokenizer(models.BPE(unk_token=None))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)])
    tok.train_from_iterator(train, trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=SPECIAL, show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tok.save(str(work / "tokenizer.json"))

    def ids(texts):
        return np.concatenate([np.array(e.ids, np.uint16) for i in range(0, len(texts), 2000) for e in tok.encode_batch(texts[i:i + 2000])])

    streams = {"train": ids(train), "held": ids(held)}
    for name, stream in streams.items(): np.save(work / f"{name}.npy", stream)
    facts = dict(reviews=total, duplicates=total - len(seen), removed_for_evaluation_sentences=removed, train_reviews=len(train),
                 held_out_reviews=len(held), train_tokens=len(streams["train"]), held_out_tokens=len(streams["held"]),
                 held_out_words=sum(len(t.split()) for t in held), **ngram_perplexities(**streams))
    (work / "facts.json").write_text(json.dumps(facts, indent=1)); print(facts)


def ngram_perplexities(train, held):
    """Unigram (add one) and bigram (absolute discount 0.75, backing off to the unigram) on the held-out tokens."""
    uni = np.bincount(train, minlength=VOCAB) + 1.0; uni /= uni.sum()
    pairs, counts = np.unique(train[:-1].astype(np.int64) * VOCAB + train[1:], return_counts=True)
    first = np.bincount(train[:-1], minlength=VOCAB).astype(float)
    kinds = np.bincount(pairs // VOCAB, minlength=VOCAB).astype(float)
    want = held[:-1].astype(np.int64) * VOCAB + held[1:]
    at = np.minimum(np.searchsorted(pairs, want), len(pairs) - 1)
    count = np.where(pairs[at] == want, counts[at], 0)
    f, k = first[held[:-1]], kinds[held[:-1]]
    p = np.where(f > 0, (np.maximum(count - .75, 0) + .75 * k * uni[held[1:]]) / np.maximum(f, 1), uni[held[1:]])
    real = held[1:] != 0  # the begin token of the next review is not scored
    return dict(unigram_perplexity=float(np.exp(-np.log(uni[held[1:]][real]).mean())), bigram_perplexity=float(np.exp(-np.log(p[real]).mean())))


# ---- model ----------------------------------------------------------------------------------------------------------
def build():
    import torch, torch.nn as nn, torch.nn.functional as F

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

        def forward(self, x):
            split = lambda t: t.unflatten(-1, (HEADS, -1)).transpose(1, 2)
            y = F.scaled_dot_product_attention(split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x)), is_causal=True)
            return self.out_proj(y.transpose(1, 2).flatten(2))

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.self_attn, self.self_attn_layer_norm = Attention(), nn.LayerNorm(WIDTH)
            self.fc1, self.fc2, self.final_layer_norm = nn.Linear(WIDTH, FFN), nn.Linear(FFN, WIDTH), nn.LayerNorm(WIDTH)

        def forward(self, x):
            x = x + self.self_attn(self.self_attn_layer_norm(x))
            return x + self.fc2(F.relu(self.fc1(self.final_layer_norm(x))))

    class OPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed_tokens, self.embed_positions = nn.Embedding(VOCAB, WIDTH), nn.Embedding(POSITIONS + 2, WIDTH)
            self.layers, self.final_layer_norm = nn.ModuleList(Layer() for _ in range(LAYERS)), nn.LayerNorm(WIDTH)
            for name, p in self.named_parameters():
                if p.ndim == 2: nn.init.normal_(p, std=.02 / (math.sqrt(2 * LAYERS) if "out_proj" in name or "fc2" in name else 1))
                elif name.endswith("bias"): nn.init.zeros_(p)

        def forward(self, ids, first_position):
            at = torch.arange(ids.shape[1]) + first_position[:, None] + 2
            x = self.embed_tokens(ids) + self.embed_positions(at)
            for layer in self.layers: x = layer(x)
            return self.final_layer_norm(x)

    torch.manual_seed(SEED)
    return OPT()


def batch(stream, step):
    """Batch of one step: random windows of the stream, 256 tokens long (every eighth step 1,024, for long prompts), each
    placed at a random start so that every position is trained."""
    rng = np.random.default_rng([SEED, step])
    length = POSITIONS if step % 8 == 7 else 256
    rows = np.stack([stream[i:i + length + 1] for i in rng.integers(0, len(stream) - length - 1, TOKENS // length)]).astype(np.int64)
    first = np.where(rng.random(len(rows)) < .5, 0, rng.integers(0, POSITIONS - length + 1, len(rows)))
    return rows[:, :-1], rows[:, 1:], first


def held_out_loss(model, held, rows=256, length=256):
    import torch, torch.nn.functional as F
    total = n = 0
    with torch.no_grad():
        for i in range(0, min(len(held) - length - 1, rows * length), length):
            ids = torch.from_numpy(held[i:i + length + 1].astype(np.int64))
            logits = model(ids[None, :-1], torch.zeros(1, dtype=torch.long))[0] @ model.embed_tokens.weight.T
            loss = F.cross_entropy(logits, ids[1:], reduction="none")
            real = ids[1:] != 0
            total += loss[real].sum().item(); n += int(real.sum())
    return total / n


def softmax_gradient(logits, y):
    """The summed cross-entropy of some rows of logits, and its gradient in bfloat16."""
    import torch
    logits = logits.float()
    top = logits.amax(-1, keepdim=True)
    e = torch.exp(logits - top); total = e.sum(-1, keepdim=True)
    loss = (torch.log(total) + top - logits.gather(1, y[:, None])).sum()
    hit = torch.arange(logits.shape[1])[None, :] == y[:, None]
    return loss, (e / total - hit.float()).to(torch.bfloat16)


def token_loss(chunk=256):
    """Mean cross-entropy of hidden states with the output matrix. The logits of a few rows at a time, with their gradient, stay in the
    processor's cache: a third of the time that an array of them all takes."""
    import torch
    soft = torch.compile(softmax_gradient)

    class TokenLoss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, table, y):
            x, w, n = x.to(torch.bfloat16), table.to(torch.bfloat16), len(y)
            loss, by_x, by_w = torch.zeros(()), torch.empty_like(x), torch.zeros_like(table)
            for at in (slice(i, i + chunk) for i in range(0, n, chunk)):
                part, p = soft(x[at] @ w.T, y[at])
                loss += part; by_x[at] = p @ w; by_w += p.T @ x[at]
            ctx.save_for_backward(by_x.float() / n, by_w / n)
            return loss / n

        @staticmethod
        def backward(ctx, scale):
            by_x, by_w = ctx.saved_tensors
            return by_x * scale, by_w * scale, None

    return TokenLoss.apply


def loss_of(model):
    import torch
    run, loss = torch.compile(model), token_loss()

    def of(x, y, first):
        with torch.autocast("cpu", torch.bfloat16): hidden = run(x, first)
        return loss(hidden.flatten(0, 1).float(), model.embed_tokens.weight, y.flatten())

    return of


def train(a):
    held = np.load(Path(a.work) / "held.npy")
    fit(a, build(), "state", "embed", 2e-3, batch, loss_of, lambda model: held_out_loss(model, held))


def begun(folder):
    """The weights of a folder that `export` wrote, to go on from."""
    from safetensors.torch import load_file
    return {k.removeprefix("model.decoder."): v.float() for k, v in load_file(Path(folder) / "model.safetensors").items()}


def fit(a, model, name, tables, rate, batch, loss_of, held_out_loss):
    """Trains a model from its last checkpoint on: Muon for matrices, AdamW at `rate` for vectors and for what has `tables` in its name."""
    import torch
    torch.set_num_threads(a.threads)
    work = Path(a.work)
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and tables not in n]
    vectors = [p for n, p in model.named_parameters() if p.ndim != 2 or tables in n]
    optimizers = [torch.optim.Muon(matrices, lr=.02, weight_decay=.05, momentum=.95, adjust_lr_fn="original"),
                  torch.optim.AdamW(vectors, lr=rate, betas=(.9, .95), weight_decay=.01)]
    base = [[g["lr"] for g in o.param_groups] for o in optimizers]
    stream = np.load(work / "train.npy", mmap_mode="r")
    state, start = work / f"{name}.pt", 0
    if a.begin and not state.exists(): model.load_state_dict(begun(a.begin))
    if state.exists():
        s = torch.load(state); model.load_state_dict(s["model"]); start = s["step"]
        for o, d in zip(optimizers, s["optimizers"]): o.load_state_dict(d)
    log = open(work / f"{name}.jsonl", "a"); began = time.time(); run = loss_of(model)
    for step in range(start, a.steps):
        scale = min(1, (step + 1) / 100, (a.steps - step) / a.decay)
        for o, lrs in zip(optimizers, base):
            for g, lr in zip(o.param_groups, lrs): g["lr"] = lr * scale
        loss = run(*(torch.from_numpy(v) for v in batch(stream, step))); loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in optimizers: o.step(); o.zero_grad()
        if (step + 1) % 20 == 0:
            print(json.dumps(dict(step=step + 1, loss=round(loss.item(), 4), scale=round(scale, 3), seconds=round(time.time() - began, 1))), file=log, flush=True)
        if (step + 1) % 200 == 0 or step + 1 == a.steps:
            torch.save(dict(model=model.state_dict(), optimizers=[o.state_dict() for o in optimizers], step=step + 1), work / f"{name}.tmp")
            os.replace(work / f"{name}.tmp", state)
            if step + 1 == a.steps - a.decay: torch.save(torch.load(state), work / f"{name}-before-decay.pt")
            print(json.dumps(dict(step=step + 1, held_out_loss=round(held_out_loss(model), 4))), file=log, flush=True)


# ---- what the kit loads ---------------------------------------------------------------------------------------------
def export(a):
    import torch
    from safetensors.torch import save_file
    work, out, model = Path(a.work), Path(a.out), build()
    s = torch.load(work / "state.pt"); model.load_state_dict(s["model"]); model.half().float()
    held = np.load(work / "held.npy")
    weights = {f"model.decoder.{k}": v.half().contiguous() for k, v in model.state_dict().items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    config = dict(model_type="opt", architectures=["OPTForCausalLM"], vocab_size=VOCAB, hidden_size=WIDTH, word_embed_proj_dim=WIDTH, ffn_dim=FFN,
                  num_hidden_layers=LAYERS, num_attention_heads=HEADS, max_position_embeddings=POSITIONS, do_layer_norm_before=True,
                  activation_function="relu", enable_bias=True, layer_norm_elementwise_affine=True, tie_word_embeddings=True, dropout=0.0,
                  attention_dropout=0.0, bos_token_id=0, pad_token_id=1, eos_token_id=2, torch_dtype="float16")
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (out / "tokenizer.json").write_text((work / "tokenizer.json").read_text())
    facts = json.loads((work / "facts.json").read_text())
    loss = held_out_loss(model, held, 10**9)
    facts |= dict(steps=s["step"], tokens_seen=s["step"] * TOKENS, held_out_loss=loss, held_out_perplexity=math.exp(loss),
                  parameters=sum(p.numel() for p in model.parameters()))
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n"); print(facts)


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("stage", choices=["prepare", "train", "export"]); ap.add_argument("--work", required=True)
    ap.add_argument("--corpus"); ap.add_argument("--sentiment"); ap.add_argument("--out", default=".")
    ap.add_argument("--steps", type=int); ap.add_argument("--decay", type=int); ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--begin", help="a folder whose weights training goes on from")
    args = ap.parse_args()
    dict(prepare=prepare, train=train, export=export)[args.stage](args)
