"""A step of MeZO (Malladi et al. 2023) in PyTorch: as the authors' trainer makes it, and as fast as PyTorch was found to make it."""

import time

import numpy as np
import torch

EPS, LR = 1e-3, 1e-7


class AuthorsStep:
    """Four sweeps over the weights, each of which makes z anew, out of place and in the weights' own format."""

    def __init__(self, model, loss):
        self.model, self.loss = model, loss
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.seconds = {"forward": 0.0, "sweep": 0.0}

    def timed(self, part, work):
        started = time.perf_counter()
        result = work()
        self.seconds[part] += time.perf_counter() - started
        return result

    def forward(self):
        with torch.inference_mode():
            return self.loss(self.model)

    def sweep(self, seed, scale):
        torch.manual_seed(seed)
        for weight in self.weights:
            z = torch.normal(mean=0, std=1, size=weight.size(), device=weight.device, dtype=weight.dtype)
            weight.data = weight.data + scale * z * EPS

    def update(self, seed, projected):
        torch.manual_seed(seed)
        for weight in self.weights:
            z = torch.normal(mean=0, std=1, size=weight.size(), device=weight.device, dtype=weight.dtype)
            weight.data = weight.data - LR * (projected * z)

    def finish(self, seed, projected):
        self.sweep(seed, 1)
        self.update(seed, projected)

    def step(self):
        seed = np.random.randint(1000000000)
        self.timed("sweep", lambda: self.sweep(seed, 1))
        plus = self.timed("forward", self.forward)
        self.timed("sweep", lambda: self.sweep(seed, -2))
        minus = self.timed("forward", self.forward)
        projected = ((plus - minus) / (2 * EPS)).item()
        self.timed("sweep", lambda: self.finish(seed, projected))
        return float(plus)


class TunedStep(AuthorsStep):
    """Three sweeps in place, with one buffer for z. Of weights in bfloat16 z is made in float32 and rounded: PyTorch's normal_ is slow in bfloat16."""

    def __init__(self, model, loss):
        super().__init__(model, loss)
        most = max(weight.numel() for weight in self.weights)
        self.z = torch.empty(most)
        self.rounded = self.z if self.weights[0].dtype == torch.float32 else torch.empty(most, dtype=self.weights[0].dtype)

    def add(self, seed, scale):
        torch.manual_seed(seed)
        with torch.no_grad():
            for weight in self.weights:
                z = self.z[: weight.numel()].normal_()
                if self.rounded is not self.z:
                    z = self.rounded[: weight.numel()].copy_(z)
                weight.data.add_(z.view_as(weight), alpha=scale)

    def sweep(self, seed, scale):
        self.add(seed, scale * EPS)

    def finish(self, seed, projected):
        self.add(seed, EPS - LR * projected)
