"""Train a net that finds heartbeats in one lead of an ECG, ten times a second.

    python examples/ecg/train.py -o net.pt --beside float32.npz           (one thread, a minute)

A frame is 54 rows (0.3 s at 180 Hz) of the scenario's encoder, 216 bits. Trained on five minutes of one person, played as
recorded and, changed at random, four times more: louder or softer, upside down, with noise and a wandering
baseline. Tested on two recordings of two others. Choices were made on the last minute.
"""

from __future__ import annotations

import argparse
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
TRAIN = HERE.parent / "data" / "ecg.npz"
SCENARIO = load_scenario(HERE.parent.parent / "sims" / "ecg.toml", network=False)
RATE, ROWS = 180, 54
ENCODER = tables(SCENARIO.encoder, RATE)
LAST = 60 * RATE  # rows that judge choices


def windows(millivolts: np.ndarray, y: np.ndarray, first: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of encoded rows, one every `hop` rows from `first` on: uint8 (windows, 216), and 1 for a beat."""
    bits = ENCODER(millivolts[:, None])
    ends = np.arange(first + ROWS - 1, len(bits), hop)
    return np.stack([bits[end - ROWS + 1 : end + 1].ravel() for end in ends]), y[ends].astype(np.int64)


def changed(millivolts: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The recording as another body and another electrode might give it."""
    seconds = np.arange(len(millivolts)) / RATE
    wander = 0.1 * np.sin(2 * np.pi * draw.uniform(0.1, 0.4) * seconds + draw.uniform(0, 6))
    gain = draw.uniform(0.5, 1.6) * (1 if draw.random() < 0.8 else -1)
    return gain * millivolts + wander + draw.normal(0, draw.uniform(0, 0.02), len(millivolts))


def told(rows: slice, seed: int) -> tuple[Tensor, Tensor]:
    """The training windows of some rows of the recording."""
    with np.load(TRAIN) as held:
        millivolts, y = held["x"][rows, 0] / 1000, held["y"][rows]
    draw = np.random.default_rng(seed)
    parts = [windows(millivolts, y, 0, 3)] + [windows(changed(millivolts, draw), y, k, 4) for k in range(4)]
    return tuple(torch.from_numpy(np.concatenate(part)) for part in zip(*parts))  # type: ignore[return-value]


def judged() -> tuple[Tensor, Tensor]:
    """The stream's windows of the two other recordings."""
    frames = training_frames(SCENARIO)
    assert frames.y is not None
    return torch.from_numpy(frames.x.reshape(len(frames.x), -1).astype(np.uint8)), torch.from_numpy(frames.y)


def build(inputs: int, first: int = 256, second: int = 64) -> nn.Sequential:
    """Two layers of neurons with at most 128 inputs, then votes."""
    return nn.Sequential(
        bnn.Thermometer([1]),
        bnn.BinLinear(inputs, first, fan_in=128), nn.BatchNorm1d(first), bnn.Sign(), nn.Dropout(0.1),
        bnn.BinLinear(first, second, fan_in=128), nn.BatchNorm1d(second), bnn.Sign(),
        bnn.Votes(2), bnn.Scale(second // 2),
    )  # fmt: skip


class Bits(nn.Module):
    """Bits as floats, -1 and 1."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x.float() - 1


def found(model: nn.Module, x: Tensor, y: Tensor) -> str:
    """Accuracy, beats that are found, and windows that are taken for a beat."""
    said = float32.decisions(model, x)
    hits, wrong = int(((said == 1) & (y == 1)).sum()), int(((said == 1) & (y == 0)).sum())
    return f"accuracy {bnn.accuracy(model, x, y):.4f}, {hits} of {int((y == 1).sum())} beats, {wrong} more"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", default="net.pt")
    parser.add_argument("--beside", help="also train a float32 net, and write its decisions on the test windows")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-test", action="store_true", help="train on four minutes, judge by the last one")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(chosen.seed)
    x, y = told(slice(0, -LAST) if chosen.no_test else slice(None), chosen.seed)
    judge = told(slice(-LAST, None), 1) if chosen.no_test else judged()
    model = build(x.shape[1])
    bnn.fit(model, x, y, epochs=chosen.epochs, seed=chosen.seed)
    bnn.freeze(model.eval())
    print(f"{len(x)} windows; {'validation' if chosen.no_test else 'test'}: {found(model, *judge)}", flush=True)
    save(model, x[:2], chosen.output)
    if chosen.beside:
        torch.manual_seed(chosen.seed)
        other = nn.Sequential(Bits(), *float32.dense(x.shape[1], (64, 32), 2))
        bnn.fit(other, x, y, epochs=chosen.epochs, lr=3e-3, seed=chosen.seed)
        print(f"float32: {found(other, *judge)}")
        print(float32.save(chosen.beside, other, x[:5000], *judged(), f"64 and 32 ReLU on the same bits, "
                           f"examples/ecg/train.py, seed {chosen.seed}"))


if __name__ == "__main__":
    main()
