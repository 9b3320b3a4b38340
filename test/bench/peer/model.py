"""OPT in plain PyTorch, with random weights. "authors": the operations that the paper's transformers 4.28 runs. "tuned": fused attention."""

import torch
import torch.nn.functional as F
from torch import nn

SHAPES = {
    "opt125m": dict(layers=12, width=768, heads=12, wide=3072, words=50272, positions=2048),
    "tiny": dict(layers=2, width=32, heads=4, wide=64, words=128, positions=64),
}
RANK, ALPHA = 8, 16


def authors_attention(q, k, v, mask):
    scores = torch.bmm(q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2)).view(*q.shape[:3], k.shape[2]) + mask
    scores = torch.max(scores, torch.tensor(torch.finfo(scores.dtype).min))
    return torch.bmm(F.softmax(scores, dim=-1).flatten(0, 1), v.flatten(0, 1)).view_as(q)


def fused_attention(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)


class LoRALinear(nn.Linear):
    """A frozen projection and its trained correction of rank 8."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.lora_A = nn.Parameter(torch.empty(RANK, inputs).uniform_(-(inputs**-0.5), inputs**-0.5))
        self.lora_B = nn.Parameter(torch.zeros(outputs, RANK))

    def forward(self, x):
        y = F.linear(x, self.weight, self.bias)
        y += (x @ self.lora_A.T @ self.lora_B.T) * (ALPHA / RANK)
        return y


class Layer(nn.Module):
    def __init__(self, width, heads, wide, attention, corrected):
        super().__init__()
        self.heads, self.attention = heads, attention
        self.k_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.q_proj, self.v_proj = (corrected(width, width) for _ in range(2))
        self.fc1, self.fc2 = nn.Linear(width, wide), nn.Linear(wide, width)
        self.self_attn_layer_norm, self.final_layer_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def split(self, x):
        rows, tokens, width = x.shape
        return x.view(rows, tokens, self.heads, width // self.heads).transpose(1, 2).contiguous()

    def forward(self, x, mask):
        seen = self.self_attn_layer_norm(x)
        q = self.split(self.q_proj(seen) * (x.shape[2] // self.heads) ** -0.5)
        k, v = self.split(self.k_proj(seen)), self.split(self.v_proj(seen))
        x = x + self.out_proj(self.attention(q, k, v, mask).transpose(1, 2).reshape(x.shape))
        inner = F.relu(self.fc1(self.final_layer_norm(x).flatten(0, 1)))
        return x + self.fc2(inner).view_as(x), (k, v)


class OPT(nn.Module):
    """Its output matrix is its embedding. With `lora` only the corrections of queries and values are trained."""

    def __init__(self, layers, width, heads, wide, words, positions, tuned=False, lora=False):
        super().__init__()
        attention = fused_attention if tuned else authors_attention
        corrected = LoRALinear if lora else nn.Linear
        self.tuned = tuned
        self.embed_tokens, self.embed_positions = nn.Embedding(words, width), nn.Embedding(positions + 2, width)
        self.layers = nn.ModuleList(Layer(width, heads, wide, attention, corrected) for _ in range(layers))
        self.final_layer_norm = nn.LayerNorm(width)
        for name, weight in self.named_parameters():
            if lora and "lora" not in name:
                weight.requires_grad = False
            if "lora" not in name and weight.dim() > 1:
                nn.init.normal_(weight, std=0.02)

    def hidden(self, ids):
        """The last layer's results. As transformers does, all keys and values are kept until its end, unless tuned."""
        tokens = ids.shape[1]
        x = self.embed_tokens(ids) + self.embed_positions(torch.arange(2, tokens + 2))
        mask = torch.full((tokens, tokens), torch.finfo(x.dtype).min, dtype=x.dtype).triu(1)
        kept = []
        for layer in self.layers:
            x, keys_values = layer(x, mask)
            if not self.tuned:
                kept.append(keys_values)
        return self.final_layer_norm(x)

    def logits(self, hidden):
        return F.linear(hidden, self.embed_tokens.weight)


def authors_loss(model, ids, labels):
    """The logits of the whole vocabulary at every position; the loss is over each row's last token, or over pairs of rows where there are labels."""
    logits = model.logits(model.hidden(ids)).contiguous()[:, :-1].contiguous()
    wanted = ids[:, 1:].clone()
    wanted[:, :-1] = -100
    if labels is None:
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), wanted.view(-1), ignore_index=-100)
    log_probs = F.log_softmax(logits, dim=-1)
    counts = wanted != -100
    wanted[~counts] = 0
    chosen = log_probs.gather(-1, wanted[..., None])[..., 0]
    return F.cross_entropy(((chosen * counts).sum(-1) / counts.sum(-1)).view(-1, 2), labels)


def tuned_loss(model, ids, labels):
    """The same loss with logits at the position before each row's last token alone."""
    log_probs = F.log_softmax(model.logits(model.hidden(ids)[:, -2]), dim=-1)
    chosen = log_probs.gather(1, ids[:, -1:])[:, 0]
    return -chosen.mean() if labels is None else F.cross_entropy(chosen.view(-1, 2), labels)
