"""Times steps of MeZO in PyTorch, and prints one line of JSON: the median seconds of a step and of its parts, and the peak memory."""

import argparse
import json
import os
import resource
import statistics
import time

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", default="opt125m")
parser.add_argument("--mode", choices=["mezo", "mezo-lora", "ceilings"], default="mezo")
parser.add_argument("--impl", choices=["paper", "inplace"], default="paper", help="as the authors wrote it, or tuned")
parser.add_argument("--logits", choices=["full", "option"], default="full", help="of every position, or where the loss needs them")
parser.add_argument("--objective", choices=["lm", "cls"], default="lm", help="language-model loss, or two candidates a row")
parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--seq", type=int, default=64)
parser.add_argument("--steps", type=int, default=3, help="after one to warm up")
parser.add_argument("--threads", type=int, default=os.cpu_count())
given = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(given.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402

import ceilings  # noqa: E402
from model import OPT, SHAPES, authors_loss, tuned_loss  # noqa: E402
from steps import AuthorsStep, TunedStep  # noqa: E402

torch.set_num_threads(given.threads)
torch.manual_seed(0)
np.random.seed(0)


def batch(words):
    """Rows of arbitrary tokens; of two candidates a row each has a row of its own."""
    ids = torch.randint(4, words, (given.batch, given.seq))
    if given.objective == "lm":
        return ids, None
    ids = ids.repeat_interleave(2, dim=0)
    ids[:, -1] = torch.randint(4, words, (2 * given.batch,))
    return ids, torch.randint(0, 2, (given.batch,))


def measure():
    tuned = given.impl == "inplace"
    shape = SHAPES[given.model]
    torch.set_default_dtype(getattr(torch, given.dtype))  # never in float32 first: that would be its peak
    model = OPT(**shape, tuned=tuned, lora=given.mode == "mezo-lora").eval()
    torch.set_default_dtype(torch.float32)
    ids, labels = batch(shape["words"])
    loss = tuned_loss if given.logits == "option" else authors_loss
    mezo = (TunedStep if tuned else AuthorsStep)(model, lambda model: loss(model, ids, labels))
    parts = []
    for _ in range(given.steps + 1):
        mezo.seconds = {"forward": 0.0, "sweep": 0.0}
        started = time.perf_counter()
        value = mezo.step()
        parts.append(dict(mezo.seconds, step=time.perf_counter() - started))
    medians = {f"{name}_s": statistics.median(one[name] for one in parts[1:]) for name in parts[0]}
    return dict(medians, loss=value)


def main():
    fields = dict(vars(given), pytorch=torch.__version__)
    if given.mode == "ceilings":
        return dict(fields, **ceilings.ceilings())
    sgemm = ceilings.product_gflops(torch.float32)
    found = measure()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return dict(fields, sgemm_gflops_best=sgemm, **found, peak_rss_mb=peak)


print(json.dumps(main()))
