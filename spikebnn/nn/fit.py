"""A training loop that suits binary nets: Adam, one cycle of a high learning rate, clipped latent weights."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikebnn.nn.layers import clip_


def fit(model: nn.Module, x: Tensor, y: Tensor, *, epochs: int, lr: float = 2e-2, batch: int = 128, seed: int = 0,
        augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
        on_epoch: Callable[[str], object] | None = None) -> None:
    """Train `model`, in place, on frames `x` and labels `y` by cross entropy.

    The order of the frames is drawn from `seed`; the last incomplete batch of an epoch is left out.
    `augment` changes the frames of a batch; `on_epoch` is told one line per epoch.
    """
    steps = len(x) // batch
    if steps == 0:
        raise ValueError(f"{len(x)} frames do not fill one batch of {batch}; choose a smaller batch")
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    every = epochs * steps
    rise = 0.1 if every > 10 else 0.0  # the scheduler divides by the length of the rise, which 10 steps leave at 0
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=every, pct_start=rise)
    draw = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        model.train()
        began, total = time.perf_counter(), 0.0
        for rows in torch.randperm(len(x), generator=draw)[: steps * batch].view(steps, batch):
            frames = x[rows] if augment is None else augment(x[rows], draw)
            loss = functional.cross_entropy(model(frames), y[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            clip_(model)
            total += float(loss.detach())
        if on_epoch is not None:
            seconds = time.perf_counter() - began
            on_epoch(f"epoch {epoch + 1}/{epochs}: loss {total / steps:.3f}, {seconds:.1f} s")


def accuracy(model: nn.Module, x: Tensor, y: Tensor, batch: int = 500) -> float:
    """The share of frames whose largest score (the lowest index on ties) is the label; sets the model to eval."""
    model.eval()
    right = 0
    with torch.no_grad():
        for frames, labels in zip(x.split(batch), y.split(batch), strict=True):
            right += int((model(frames).argmax(1) == labels).sum())
    return right / len(x)
