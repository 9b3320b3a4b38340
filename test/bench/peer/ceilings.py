"""What PyTorch does at best on this machine."""

import time

import torch
import torch.nn.functional as F


def least_seconds(times, work):
    def seconds():
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return min(seconds() for _ in range(times))


def product_gflops(dtype, times=24):
    """One product [1024, 768] x [768, 3072]."""
    x, weight = torch.randn(1024, 768).to(dtype), torch.randn(3072, 768).to(dtype)
    with torch.inference_mode():
        return 2 * 1024 * 768 * 3072 / least_seconds(times, lambda: F.linear(x, weight)) / 1e9


def normals_per_second(size=2**24):
    z = torch.empty(size)
    return size / least_seconds(5, z.normal_)


def bytes_per_second(size=2**26):
    """Read and written by a multiplication in place."""
    x = torch.ones(size)
    return 8 * size / least_seconds(8, lambda: x.mul_(1.0))


def ceilings():
    return dict(
        sgemm_gflops=product_gflops(torch.float32),
        bfloat16_gflops=product_gflops(torch.bfloat16),
        normals_per_s=normals_per_second(),
        bytes_per_s=bytes_per_second(),
    )
