"""Train a net that knows clothes by what a simulated event camera sends in three saccades of 10 ms.

    python examples/fashion_events/train.py -o net.pt        (one thread, some ten minutes)

A frame is three bins of 10 ms of 28x28 pixels, ON and OFF: 6 x 28 x 28 bits, made by the event camera and the encoder
that the stream uses. No neuron has more than 128 inputs. The images come from Debian's package
dataset-fashion-mnist; choices were made on 5,000 of the 60,000 training images.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import spikebnn.nn as bnn
from spikebnn import data
from spikebnn.encoders import EventFrames
from spikebnn.importers import save
from spikebnn.nn import float32
from spikebnn.stream.sources.saccade import SACCADE, TOGETHER, swept, thresholds

BINS = 3
NOISE, SEED = 0.1, 0  # of the camera; sims/fashion_events.toml says the same


def frames(split: str, limit: int | None = None) -> tuple[Tensor, Tensor]:
    """Bits uint8 (images, 6, 28, 28), and the kind of clothes, 0 to 9."""
    held = data.fashion_mnist(split)
    images, y = held.x[:limit, 0], held.y[:limit]
    steps = thresholds(images.shape[1:], NOISE, SEED)
    encoder = EventFrames(images.shape[2], images.shape[1], SACCADE)
    out = np.zeros((len(images), BINS, encoder.width(4)), np.uint8)
    for at in range(0, len(images), TOGETHER):
        sent, image = swept(images[at : at + TOGETHER] / 255.0, steps)
        edges = np.searchsorted(image, np.arange(TOGETHER + 1))
        for k in range(len(images[at : at + TOGETHER])):
            bins = encoder(sent[edges[k] : edges[k + 1]])
            out[at + k, : len(bins)] = bins[:BINS]
    return torch.from_numpy(out.reshape(len(images), 2 * BINS, 28, 28)), torch.from_numpy(y)


def build(first: int = 96, second: int = 64, third: int = 63, votes: int = 50) -> nn.Sequential:
    """Four layers; `second` and `third` are neurons per group, `votes` the voting neurons per group."""
    groups = first // 32
    middle = groups * second  # channels of 6x6
    wide = middle // 32 * third  # channels of 3x3, a multiple of 14
    last = wide // 14
    return nn.Sequential(
        bnn.Thermometer([1]),
        bnn.BinConv2d(2 * BINS, first, 4, stride=2), nn.BatchNorm2d(first), bnn.Sign(),  # 96 inputs, 13x13
        bnn.BinConv2d(first, middle, 2, stride=2, groups=groups), nn.BatchNorm2d(middle), bnn.Sign(),  # 128, 6x6
        bnn.Shuffle(groups),
        bnn.BinConv2d(middle, wide, 2, stride=2, groups=middle // 32), nn.BatchNorm2d(wide), bnn.Sign(),  # 128, 3x3
        bnn.Shuffle(middle // 32),
        bnn.BinConv2d(wide, last * votes, 3, groups=last), nn.BatchNorm2d(last * votes), bnn.Sign(),  # 126, 1x1
        bnn.Votes(10), bnn.Scale(last * votes // 10),
    )  # fmt: skip


class Bits(nn.Module):
    """Bits as floats, -1 and 1."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x.float() - 1


def rival(wide: int = 32) -> nn.Sequential:
    """A small float32 net on the same bits: three convolutions and a dense layer."""
    return nn.Sequential(
        Bits(),
        nn.Conv2d(2 * BINS, wide, 4, stride=2), nn.BatchNorm2d(wide), nn.ReLU(),
        nn.Conv2d(wide, 2 * wide, 2, stride=2), nn.BatchNorm2d(2 * wide), nn.ReLU(),
        nn.Conv2d(2 * wide, 4 * wide, 2, stride=2), nn.BatchNorm2d(4 * wide), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(36 * wide, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(128, 10),
    )  # fmt: skip


def shake(x: Tensor, draw: torch.Generator) -> Tensor:
    """Shift the batch by up to one pixel."""
    dy, dx = torch.randint(0, 3, (2,), generator=draw).tolist()
    return functional.pad(x, (1, 1, 1, 1))[:, :, dy : dy + 28, dx : dx + 28]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", default="net.pt")
    parser.add_argument("--beside", help="also train a float32 net, and write its decisions on 500 test images")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--widths", type=int, nargs=4, default=[96, 64, 63, 50])
    parser.add_argument("--limit", type=int, help="train on the first so many images")
    parser.add_argument("--no-test", action="store_true", help="leave the test set alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    x, y = frames("train", chosen.limit)
    print(f"{len(x)} images seen in {time.perf_counter() - began:.0f} s", flush=True)
    test = (x[:5000], y[:5000]) if chosen.no_test else frames("test")
    torch.manual_seed(chosen.seed)
    model = build(*chosen.widths)
    bnn.fit(model, x[5000:], y[5000:], epochs=chosen.epochs, seed=chosen.seed, on_epoch=print, augment=shake)
    bnn.freeze(model.eval())
    right = [bnn.accuracy(model, *part) for part in ((x[:5000], y[:5000]), test, (test[0][:500], test[1][:500]))]
    print("accuracy: validation {:.4f}, test {:.4f}, of the first 500 {:.4f}".format(*right), flush=True)
    save(model, x[:2], chosen.output)
    if chosen.beside:
        torch.manual_seed(chosen.seed)
        other = rival()
        bnn.fit(other, x[5000:], y[5000:], epochs=6, lr=3e-3, seed=chosen.seed, on_epoch=print, augment=shake)
        print(f"float32: validation accuracy {bnn.accuracy(other, x[:5000], y[:5000]):.4f}, "
              f"test accuracy {bnn.accuracy(other, *test):.4f}")
        print(float32.save(chosen.beside, other, x[5000:7000], test[0][:500], test[1][:500],
                           "three convolutions and a dense layer on the same bits, examples/fashion_events/train.py"))


if __name__ == "__main__":
    main()
