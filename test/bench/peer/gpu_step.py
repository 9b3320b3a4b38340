"""Times the authors' MeZO step in float16 on a CUDA card, and the card's matrix products; prints one line of JSON."""

import argparse
import json
import statistics
import time

import torch

from model import OPT, authors_loss
from steps import AuthorsStep

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--shape", required=True, help="layers,width,heads,words")
parser.add_argument("--rows", type=int, default=16)
parser.add_argument("--tokens", type=int, default=64)
parser.add_argument("--steps", type=int, default=3, help="after one to warm up")
parser.add_argument("--device", default="cuda")
given = parser.parse_args()
torch.set_default_device(given.device)


def wait():
    if given.device == "cuda":
        torch.cuda.synchronize()


def timed(work):
    wait()
    started = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - started


def flops(dtype, width=8192 if given.device == "cuda" else 64):
    """Operations a second of a square product; TF32 stays off, as PyTorch has it."""
    a, b = (torch.ones(width, width, dtype=dtype) for _ in range(2))
    return 2 * width**3 / min(timed(lambda: a @ b) for _ in range(6))


def main():
    layers, width, heads, words = (int(number) for number in given.shape.split(","))
    rates = {f"{name}_flops": flops(getattr(torch, name)) for name in ["float32", "float16", "bfloat16"]}
    torch.set_default_dtype(torch.float16)
    model = OPT(layers=layers, width=width, heads=heads, wide=4 * width, words=words, positions=2048).eval()
    ids = torch.randint(4, words, (given.rows, given.tokens))
    mezo = AuthorsStep(model, lambda model: authors_loss(model, ids, None))
    seconds = [timed(mezo.step) for _ in range(given.steps + 1)][1:]
    peak = torch.cuda.max_memory_allocated() if given.device == "cuda" else None
    name = torch.cuda.get_device_name() if given.device == "cuda" else given.device
    return dict(rates, pytorch=torch.__version__, device=name, step=statistics.median(seconds), deviceBytes=peak)


print(json.dumps(main()))
