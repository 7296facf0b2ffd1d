"""Train a net that tells 11 appliances apart by a third of a second of their current.

    python examples/plaid/train.py -o net.pt --beside float32.npz         (one thread, some minutes)

A frame is five rows of the scenario's encoder, log energies of 8 bands; 40 values of 24 levels, 960 inputs in blocks of
at most 128. Recordings are split as the data set says, 537 and 537; choices were made on every fifth training
recording.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import spikebnn.nn as bnn
from spikebnn.encoders.registry import tables
from spikebnn.importers import save
from spikebnn.nn import float32
from spikebnn.stream import load_scenario, training_frames

HERE = Path(__file__).parent
TRAIN = HERE.parent / "data" / "plaid_train.npz"
SCENARIO = load_scenario(HERE.parent.parent / "sims" / "plaid.toml", network=False)
LEVELS, CLASSES = 24, 11


def windows(train: bool) -> tuple[Tensor, Tensor]:
    """The stream's own windows of the training or of the test recordings: (windows, 40) and appliances."""
    source = replace(SCENARIO.source, file=str(TRAIN)) if train else SCENARIO.source
    frames = training_frames(replace(SCENARIO, source=source))
    assert frames.y is not None
    return torch.from_numpy(frames.x.reshape(len(frames.x), -1).astype(np.float32)), torch.from_numpy(frames.y)


def recordings() -> np.ndarray:
    """The recording of each training window, in the order of `windows`."""
    encoder = tables(SCENARIO.encoder, SCENARIO.source.rate)
    with np.load(TRAIN) as held:
        rows = np.bincount(held["recording"])
    counts = np.maximum(0, (rows - encoder.span) // encoder.stride + 1 - int(SCENARIO.rows or 1) + 1)
    return np.repeat(np.arange(len(rows)), counts)


def build(x: Tensor, first: int = 1024, second: int = 48 * CLASSES) -> nn.Sequential:
    """Two layers of neurons with at most 128 inputs, then votes; the levels are quantiles of `x`."""
    levels = torch.quantile(x, torch.arange(1, LEVELS + 1) / (LEVELS + 1), dim=0)
    return nn.Sequential(
        bnn.Thermometer(levels),
        bnn.BinLinear(x.shape[1] * LEVELS, first, fan_in=128), nn.BatchNorm1d(first), bnn.Sign(), nn.Dropout(0.2),
        bnn.BinLinear(first, second, fan_in=128), nn.BatchNorm1d(second), bnn.Sign(), nn.Dropout(0.2),
        bnn.Votes(CLASSES), bnn.Scale(second // CLASSES),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", default="net.pt")
    parser.add_argument("--beside", help="also train a float32 net, and write its decisions on the test windows")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-test", action="store_true", help="leave the test recordings alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(chosen.seed)
    x, y = windows(train=True)
    held = torch.from_numpy(recordings() % 5 == 0)
    told = ~held if chosen.no_test else torch.ones(len(x), dtype=torch.bool)
    judge = (x[held], y[held]) if chosen.no_test else windows(train=False)
    model = build(x[told])
    bnn.fit(model, x[told], y[told], epochs=chosen.epochs, batch=64, seed=chosen.seed)
    bnn.freeze(model.eval())
    name = "validation" if chosen.no_test else "test"
    print(f"{int(told.sum())} windows, {name} accuracy {bnn.accuracy(model, *judge):.4f}, "
          f"at most {bnn.widest(model)} inputs per neuron", flush=True)
    save(model, x[:2], chosen.output)
    if chosen.beside:
        torch.manual_seed(chosen.seed)
        levels = model[0]
        candidates = {
            "values": nn.Sequential(float32.Normal(x), *float32.dense(x.shape[1], (256, 128), CLASSES, drop=0.2)),
            "bits": nn.Sequential(levels, *float32.dense(x.shape[1] * LEVELS, (256, 128), CLASSES, drop=0.2)),
        }
        name, other = float32.best(candidates, x, y, held, epochs=20, batch=64, seed=chosen.seed)
        print(float32.save(chosen.beside, other, x, *windows(train=False), f"256 and 128 ReLU on the same {name}, "
                           f"examples/plaid/train.py, seed {chosen.seed}"))


if __name__ == "__main__":
    main()
