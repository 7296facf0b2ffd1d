"""The float32 net beside a binary one, trained on the same features, and its int8 form as a microcontroller would run it."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from spikebnn.nn.fit import accuracy, fit

STEPS = 255  # of eight bits


class Normal(nn.Module):
    """Every feature with mean 0 and deviation 1 over the frames `x` (frames, features); one that never changes is shifted."""

    mean: Tensor
    scale: Tensor

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        spread = x.std(0)
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("scale", 1 / torch.where(spread > 0, spread, torch.ones_like(spread)))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) * self.scale


class Rounded(nn.Module):
    """Activations in 256 even steps between the smallest and the largest of some frames, 0 among them."""

    def __init__(self, seen: Tensor) -> None:
        super().__init__()
        low, high = min(0.0, float(seen.min())), max(0.0, float(seen.max()))
        self.step = (high - low) / STEPS or 1.0
        self.zero = round(-low / self.step)

    def forward(self, x: Tensor) -> Tensor:
        return (torch.clamp(torch.round(x / self.step) + self.zero, 0, STEPS) - self.zero) * self.step


def dense(inputs: int, widths: Sequence[int], classes: int, drop: float = 0.1) -> list[nn.Module]:
    """Dense layers with batch norm and ReLU, and `classes` scores."""
    out: list[nn.Module] = []
    for wide in widths:
        out += [nn.Linear(inputs, wide), nn.BatchNorm1d(wide), nn.ReLU(), nn.Dropout(drop)]
        inputs = wide
    return [*out, nn.Linear(inputs, classes)]


def best(candidates: Mapping[str, nn.Sequential], x: Tensor, y: Tensor, held: Tensor, *, epochs: int, batch: int = 128,
         seed: int = 0, lr: float = 3e-3) -> tuple[str, nn.Sequential]:  # fmt: skip
    """The candidate that is best on the frames of `held` (bool) when trained on the others, trained anew on all of `x`.

    One candidate alone is not judged.
    """
    scores = {}
    for name, model in candidates.items() if len(candidates) > 1 else ():
        tried = copy.deepcopy(model)
        fit(tried, x[~held], y[~held], epochs=epochs, batch=batch, seed=seed, lr=lr)
        scores[name] = accuracy(tried, x[held], y[held])
    chosen = max(scores, key=lambda name: scores[name]) if scores else next(iter(candidates))
    model = copy.deepcopy(candidates[chosen])
    fit(model, x, y, epochs=epochs, batch=batch, seed=seed, lr=lr)
    return chosen, model.eval()


def int8(model: nn.Sequential, x: Tensor) -> nn.Sequential:
    """The net with weights of int8 (a scale per output) and activations of int8 (a range per layer, as on frames `x`).

    Batch norms are folded into the layer before them; sums stay exact, as in 32-bit accumulators.
    """
    folded: list[nn.Module] = []
    for layer in copy.deepcopy(model).eval():
        if isinstance(layer, nn.BatchNorm1d):
            folded[-1] = fuse_linear_bn_eval(folded[-1], layer)
        elif isinstance(layer, nn.BatchNorm2d):
            folded[-1] = fuse_conv_bn_eval(folded[-1], layer)
        elif not isinstance(layer, nn.Dropout):
            folded.append(layer)
    out: list[nn.Module] = []
    with torch.no_grad():
        for layer in folded:
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                out.append(Rounded(x))
                weight = layer.weight
                scale = weight.abs().flatten(1).amax(1).clamp(min=1e-12) / 127
                scale = scale.view(-1, *[1] * (weight.dim() - 1))
                weight.copy_(torch.round(weight / scale) * scale)
            out.append(layer)
            x = layer(x)
    return nn.Sequential(*out).eval()


def macs(model: nn.Module, x: Tensor) -> int:
    """Multiply-accumulates of one frame of `x` in dense and convolutional layers."""
    counted: list[int] = []

    def count(layer: nn.Module, _: object, out: Tensor) -> None:
        weight = layer.weight
        assert isinstance(weight, Tensor)
        counted.append(weight[0].numel() * out[0].numel())

    hooks = [
        layer.register_forward_hook(count)
        for layer in model.modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d))
    ]
    with torch.no_grad():
        model(x[:1])
    for hook in hooks:
        hook.remove()
    return sum(counted)


def decisions(model: nn.Module, x: Tensor, batch: int = 500) -> Tensor:
    """The class with the largest score of every frame; the lowest index on ties."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(frames).argmax(1) for frames in x.split(batch)])


def save(path: str | os.PathLike[str], model: nn.Sequential, told: Tensor, x: Tensor, y: Tensor,
         about: str) -> dict[str, float]:  # fmt: skip
    """Write what `[report] beside` of a scenario reads: the decisions of `model` and of its int8 form on the windows `x`.

    `x` and the labels `y` are the stream's windows in order; the int8 ranges are those of the training frames `told`.
    Returns both accuracies.
    """
    small = int8(model, told)
    big, little, truth = (
        np.asarray(part).astype(np.uint8) for part in (decisions(model, x), decisions(small, x), y)
    )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        np.savez_compressed(
            file, float32=big, int8=little, y=truth, macs=np.int64(macs(model, x)), about=np.array(about),
            parameters=np.int64(sum(p.numel() for p in model.parameters())),
        )  # fmt: skip
    return {"float32": float((big == truth).mean()), "int8": float((little == truth).mean())}
