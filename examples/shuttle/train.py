"""Train a net that finds anomalies in the telemetry of a space shuttle: 72 inputs, two binary layers, votes.

    python examples/shuttle/train.py -o net.pt              (a few seconds)

One row of 9 sensors is one frame. The second half of the recording is the test; the first half trains the net,
its last fifth is held out for choices.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import spikebnn.nn as bnn
from spikebnn import data
from spikebnn.importers import save
from spikebnn.nn import float32

DATA = Path(__file__).parent.parent / "data" / "shuttle.npz"
LEVELS = 8  # per sensor


def rows() -> tuple[Tensor, Tensor]:
    """All rows, float32 (49097, 9), and 1 where a row is an anomaly."""
    with np.load(DATA) as held:
        return torch.from_numpy(held["x"].astype(np.float32)), torch.from_numpy(held["anomaly"].astype(np.int64))


def build(x: Tensor) -> nn.Sequential:
    """72-64-32 with 16 votes for each of the two classes; the levels are quantiles of `x`."""
    steps = torch.tensor([0.02, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 0.98])
    return nn.Sequential(
        bnn.Thermometer(torch.quantile(x, steps, dim=0) + 0.5),
        bnn.BinLinear(9 * LEVELS, 64), nn.BatchNorm1d(64), bnn.Sign(),
        bnn.BinLinear(64, 32), nn.BatchNorm1d(32), bnn.Sign(),
        bnn.Votes(2), bnn.Scale(16),
    )


def balanced(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The mean over both classes of the share that is found."""
    return (bnn.accuracy(model, x[y == 0], y[y == 0]) + bnn.accuracy(model, x[y == 1], y[y == 1])) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", default="net.pt")
    parser.add_argument("--data", help="also write the test rows, for `spikebnn run` and `spikebnn stream`")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=2e-2)
    parser.add_argument("--beside", help="also train a float32 net, and write its decisions on the test rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-test", action="store_true", help="leave the test rows alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(chosen.seed)
    x, y = rows()
    half = len(x) // 2
    kept = half * 4 // 5
    model = build(x[:kept])
    bnn.fit(model, x[:kept], y[:kept], epochs=chosen.epochs, lr=chosen.lr, seed=chosen.seed, on_epoch=print)
    bnn.freeze(model.eval())
    for name, part in (("validation", slice(kept, half)), ("test", slice(half, None)))[: 1 if chosen.no_test else 2]:
        print(f"{name} accuracy {bnn.accuracy(model, x[part], y[part]):.4f}, "
              f"balanced {balanced(model, x[part], y[part]):.4f}")
    save(model, x[:2], chosen.output)
    if chosen.beside is not None:
        held = torch.arange(half) >= kept
        torch.manual_seed(chosen.seed)
        candidates = {
            "values": nn.Sequential(float32.Normal(x[:kept]), *float32.dense(9, (64, 32), 2, drop=0.0)),
            "bits": nn.Sequential(model[0], *float32.dense(9 * LEVELS, (64, 32), 2, drop=0.0)),
        }
        best, other = float32.best(candidates, x[:half], y[:half], held, epochs=chosen.epochs, seed=chosen.seed)
        print(float32.save(chosen.beside, other, x[:half], x[half:], y[half:], f"64 and 32 ReLU on the same {best}, "
                           f"examples/shuttle/train.py, seed {chosen.seed}"))
    if chosen.data is not None:
        data.save(chosen.data, data.Frames(x=x[half:].numpy(), y=y[half:].numpy().astype(np.uint8)))


if __name__ == "__main__":
    main()
