"""Train two nets that tell nine speakers apart by a vowel: one per utterance, one for every 6.4 ms.

    python examples/japanese_vowels/train.py -o net.pt --window-output window.pt      (half a minute)

`net` sees a whole utterance, resampled to 12 frames of 12 cepstra (144 values, 4 levels each, 576 inputs).
`window` sees 3 neighbouring frames (36 values, 8 levels each, 288 inputs) and so decides at every frame.
No neuron of either has more than 128 inputs. The split in train and test is the data set's own; choices were
made on every fifth training utterance.
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

DATA = Path(__file__).parent.parent / "data" / "japanese_vowels.npz"
FRAMES, WINDOW = 12, 3


def utterances(split: str) -> list[tuple[np.ndarray, int]]:
    """The recordings of "train" or "test": float32 (frames, 12) and the speaker, 0 to 8."""
    with np.load(DATA) as held:
        whole = zip(held[f"{split}_x_milli"], held[f"{split}_len"], held[f"{split}_y"], strict=True)
        return [(x[:n].astype(np.float32) / 1000, int(y)) for x, n, y in whole]


def resample(x: np.ndarray) -> np.ndarray:
    """An utterance as 12 frames, by linear interpolation, flattened to 144 values."""
    at = np.linspace(0, len(x) - 1, FRAMES)
    return np.stack([np.interp(at, np.arange(len(x)), c) for c in x.T], 1).astype(np.float32).ravel()


def whole(recordings: list[tuple[np.ndarray, int]]) -> tuple[Tensor, Tensor]:
    """One frame per utterance: (utterances, 144) and speakers."""
    return (torch.from_numpy(np.stack([resample(x) for x, _ in recordings])),
            torch.tensor([y for _, y in recordings]))


def windows(recordings: list[tuple[np.ndarray, int]]) -> tuple[Tensor, Tensor]:
    """One frame per window of 3 rows, none across two utterances: (windows, 36) and speakers."""
    cut = [(x[i : i + WINDOW].ravel(), y) for x, y in recordings for i in range(len(x) - WINDOW + 1)]
    return torch.from_numpy(np.stack([x for x, _ in cut])), torch.tensor([y for _, y in cut])


def blur(x: Tensor, draw: torch.Generator) -> Tensor:
    """Add a little noise: cepstra spread by about 0.3."""
    return x + 0.1 * torch.randn(x.shape, generator=draw)


def build(x: Tensor, levels: int, first: int, votes: int, drop: float) -> nn.Sequential:
    """Two layers of neurons with at most 128 inputs, then votes; the levels are quantiles of `x`."""
    inputs = x.shape[1] * levels
    steps = torch.arange(1, levels + 1) / (levels + 1)
    return nn.Sequential(
        bnn.Thermometer(torch.quantile(x, steps, dim=0)),
        bnn.BinLinear(inputs, first, fan_in=128), nn.BatchNorm1d(first), bnn.Sign(), nn.Dropout(drop),
        bnn.BinLinear(first, 9 * votes, fan_in=128), nn.BatchNorm1d(9 * votes), bnn.Sign(), nn.Dropout(drop),
        bnn.Votes(9), bnn.Scale(votes),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", default="net.pt")
    parser.add_argument("--window-output", default="window.pt")
    parser.add_argument("--data", help="also write the resampled test utterances, for `spikebnn run`")
    parser.add_argument("--stream-data", help="also write the rows of the test utterances, for `spikebnn stream`")
    parser.add_argument("--beside", help="also train a float32 net, and write its decisions on the test windows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-test", action="store_true", help="leave the test utterances alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    told, held = utterances("train"), utterances("train")[::5]
    if chosen.no_test:
        told = [pair for number, pair in enumerate(told) if number % 5]
    judge = held if chosen.no_test else utterances("test")
    for path, cut, levels, first, votes, epochs, batch, augment in (
        (chosen.output, whole, 4, 360, 30, 120, 18, blur),
        (chosen.window_output, windows, 8, 384, 30, 15, 64, None),
    ):
        torch.manual_seed(chosen.seed)
        x, y = cut(told)
        model = build(x, levels, first, votes, 0.1)
        bnn.fit(model, x, y, epochs=epochs, batch=batch, seed=chosen.seed, augment=augment)
        bnn.freeze(model.eval())
        name = "validation" if chosen.no_test else "test"
        print(f"{path}: {len(x)} frames, {name} accuracy {bnn.accuracy(model, *cut(judge)):.4f}, "
              f"at most {bnn.widest(model)} inputs per neuron")
        save(model, x[:2], path)
    if chosen.beside is not None:
        x, y = windows(utterances("train"))
        held = torch.cat([torch.full((len(u) - WINDOW + 1,), k % 5 == 0) for k, (u, _) in enumerate(utterances("train"))])
        torch.manual_seed(chosen.seed)
        candidates = {
            "values": nn.Sequential(float32.Normal(x), *float32.dense(x.shape[1], (384, 270), 9)),
            "bits": nn.Sequential(model[0], *float32.dense(x.shape[1] * 8, (384, 270), 9)),
        }
        best, other = float32.best(candidates, x, y, held, epochs=15, batch=64, seed=chosen.seed)
        print(float32.save(chosen.beside, other, x, *windows(utterances("test")), f"384 and 270 ReLU on the same {best}, "
                           f"examples/japanese_vowels/train.py, seed {chosen.seed}"))
    if chosen.data is not None:
        x, y = whole(utterances("test"))
        data.save(chosen.data, data.Frames(x=x.numpy(), y=y.numpy().astype(np.uint8)))
    if chosen.stream_data is not None:
        test = utterances("test")
        lengths = [len(x) for x, _ in test]
        np.savez_compressed(
            chosen.stream_data,
            x=np.rint(np.concatenate([x for x, _ in test]) * 1000).astype(np.int16),
            y=np.repeat([y for _, y in test], lengths).astype(np.uint8),
            utterance=np.repeat(np.arange(len(test)), lengths).astype(np.uint16),
        )


if __name__ == "__main__":
    main()
