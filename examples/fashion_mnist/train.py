"""Train the Fashion-MNIST net: every neuron sees at most 128 inputs, every weight and activation is ±1.

    python examples/fashion_mnist/train.py -o net.pt        (one thread, ten minutes)

Blocks of the image do not overlap after the first layer, and a layer's groups have at most 128 inputs: each
neuron feeds one core of the next layer. Choices were made on 5,000 validation images; the test set is used once.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch.nn import functional

import spikebnn.nn as bnn
from spikebnn.data import fashion_mnist
from spikebnn.importers import save

LEVELS = [16, 64, 112, 160, 208]  # grey values; 5x5 pixels of 5 levels are 125 inputs


def build(first: int = 128, second: int = 64, third: int = 63, votes: int = 50) -> nn.Sequential:
    """The net; `second` and `third` are neurons per group, `votes` the voting neurons per group."""
    groups = first // 32
    middle = groups * second  # channels of 6x6
    wide = middle // 32 * third  # channels of 3x3, a multiple of 14
    last = wide // 14
    return nn.Sequential(
        bnn.Thermometer(LEVELS),
        bnn.BinConv2d(len(LEVELS), first, 5, stride=2), nn.BatchNorm2d(first), bnn.Sign(),  # 125 inputs, 12x12
        bnn.BinConv2d(first, middle, 2, stride=2, groups=groups), nn.BatchNorm2d(middle), bnn.Sign(),  # 128, 6x6
        bnn.Shuffle(groups),
        bnn.BinConv2d(middle, wide, 2, stride=2, groups=middle // 32), nn.BatchNorm2d(wide), bnn.Sign(),  # 128, 3x3
        bnn.Shuffle(middle // 32),
        bnn.BinConv2d(wide, last * votes, 3, groups=last), nn.BatchNorm2d(last * votes), bnn.Sign(),  # 126, 1x1
        bnn.Votes(10), bnn.Scale(last * votes // 10),
    )


def shake(frames: Tensor, draw: torch.Generator) -> Tensor:
    """Mirror half of the images, and shift the batch by up to one pixel."""
    mirrored = torch.rand(len(frames), generator=draw) < 0.5
    frames[mirrored] = frames[mirrored].flip(3)
    dy, dx = torch.randint(0, 3, (2,), generator=draw).tolist()
    return functional.pad(frames, (1, 1, 1, 1))[:, :, dy : dy + 28, dx : dx + 28]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", default="net.pt")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lr", type=float, default=2e-2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--widths", type=int, nargs=4, default=[128, 64, 63, 50])
    parser.add_argument("--no-shake", action="store_true", help="train without mirroring and shifting")
    parser.add_argument("--no-test", action="store_true", help="leave the test set alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(chosen.seed)
    data = fashion_mnist("train")
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    model = build(*chosen.widths)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, at most {bnn.widest(model)} inputs per neuron")
    bnn.fit(model, x[5000:], y[5000:], epochs=chosen.epochs, lr=chosen.lr, seed=chosen.seed, on_epoch=print,
            augment=None if chosen.no_shake else shake)
    bnn.freeze(model.eval())
    print(f"validation accuracy {bnn.accuracy(model, x[:5000], y[:5000]):.4f}", flush=True)
    if not chosen.no_test:
        test = fashion_mnist("test")
        print(f"test accuracy {bnn.accuracy(model, torch.from_numpy(test.x), torch.from_numpy(test.y)):.4f}")
    save(model, x[:2], chosen.output)


if __name__ == "__main__":
    main()
