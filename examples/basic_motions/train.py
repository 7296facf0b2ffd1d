"""Train a net that tells four activities apart by two seconds of a wrist's motion, twice a second.

    python examples/basic_motions/train.py -o net.pt         (ten seconds)

A frame is a window of 20 rows (2 s at 10 Hz) of 6 channels: three of an accelerometer, three of a gyroscope; 120
values of 4 levels, 480 inputs in blocks of at most 128. Recordings are split as the data set says, 40 and 40;
choices were made on every fifth training recording.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import spikebnn.nn as bnn
from spikebnn.importers import save
from spikebnn.nn import float32

DATA = Path(__file__).parent.parent / "data" / "basic_motions.npz"
WINDOW, LEVELS = 20, 4


def recordings(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The recordings of "train" or "test": float32 (40, 100 rows, 6 channels), and the activity, 0 to 3."""
    with np.load(DATA) as held:
        x = held[f"{split}_x_milli"].transpose(0, 2, 1).astype(np.float32) / 1000
        return x, held[f"{split}_y"].astype(np.int64)


def windows(x: np.ndarray, y: np.ndarray, hop: int) -> tuple[Tensor, Tensor]:
    """Windows of 20 rows, none across two recordings: (windows, 120) and activities."""
    starts = range(0, x.shape[1] - WINDOW + 1, hop)
    cut = np.stack([x[:, s : s + WINDOW].reshape(len(x), -1) for s in starts], axis=1)
    return torch.from_numpy(cut.reshape(-1, cut.shape[2])), torch.from_numpy(np.repeat(y, len(starts)))


def build(rows: np.ndarray) -> nn.Sequential:
    """480 inputs, 256 and 96 neurons, 24 votes per activity; a channel's levels are quantiles of its readings."""
    steps = torch.arange(1, LEVELS + 1) / (LEVELS + 1)
    levels = torch.quantile(torch.from_numpy(rows.reshape(-1, 6)), steps, dim=0)
    return nn.Sequential(
        bnn.Thermometer(levels.repeat(1, WINDOW)),
        bnn.BinLinear(WINDOW * 6 * LEVELS, 256, fan_in=128), nn.BatchNorm1d(256), bnn.Sign(), nn.Dropout(0.1),
        bnn.BinLinear(256, 96, fan_in=128), nn.BatchNorm1d(96), bnn.Sign(), nn.Dropout(0.1),
        bnn.Votes(4), bnn.Scale(24),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", default="net.pt")
    parser.add_argument("--stream-data", help="also write the rows of the test recordings, for `spikebnn stream`")
    parser.add_argument("--beside", help="also train a float32 net, and write its decisions on the test windows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-test", action="store_true", help="leave the test recordings alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(chosen.seed)
    x, y = recordings("train")
    held = np.arange(len(x)) % 5 == 0
    judge = (x[held], y[held]) if chosen.no_test else recordings("test")
    if chosen.no_test:
        x, y = x[~held], y[~held]
    model = build(x)
    frames, labels = windows(x, y, 1)
    bnn.fit(model, frames, labels, epochs=15, batch=32, seed=chosen.seed,
            augment=lambda cut, draw: cut + 0.3 * torch.randn(cut.shape, generator=draw))  # fmt: skip
    bnn.freeze(model.eval())
    name = "validation" if chosen.no_test else "test"
    print(f"{name} accuracy {bnn.accuracy(model, *windows(*judge, 5)):.4f}, at most {bnn.widest(model)} inputs per neuron")
    save(model, frames[:2], chosen.output)
    if chosen.beside is not None:
        told, answers = windows(*recordings("train"), 1)
        held = torch.arange(len(x)).repeat_interleave(len(told) // len(x)) % 5 == 0
        torch.manual_seed(chosen.seed)
        candidates = {
            "values": nn.Sequential(float32.Normal(told), *float32.dense(WINDOW * 6, (256, 96), 4)),
            "bits": nn.Sequential(model[0], *float32.dense(WINDOW * 6 * LEVELS, (256, 96), 4)),
        }
        best, other = float32.best(candidates, told, answers, held, epochs=20, batch=64, seed=chosen.seed)
        test = windows(*recordings("test"), 5)
        print(float32.save(chosen.beside, other, told, *test, f"256 and 96 ReLU on the same {best}, "
                           f"examples/basic_motions/train.py, seed {chosen.seed}"))
    if chosen.stream_data is not None:
        x, y = recordings("test")
        milli = np.rint(x * 1000).astype(np.int32).reshape(-1, 6)
        number = np.repeat(np.arange(len(x)), x.shape[1]).astype(np.uint16)
        np.savez_compressed(chosen.stream_data, x=milli, y=y[number].astype(np.uint8), recording=number)


if __name__ == "__main__":
    main()
