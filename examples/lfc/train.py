"""Train an LFC-like net: 784-1024-1024-1024-10, all dense, every weight and activation ±1, on Fashion-MNIST.

    python examples/lfc/train.py -o net.pt        (one thread, five minutes)

Every neuron is wider than a core of 256 axons, so each layer must be split: this is the net to compare splits on.
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

import spikebnn.nn as bnn
from spikebnn.data import fashion_mnist
from spikebnn.importers import save

GREY = 96  # a pixel is one bit: brighter than this, or not


def build(width: int = 1024) -> nn.Sequential:
    """The net of three hidden layers."""
    layers: list[nn.Module] = [bnn.Thermometer([GREY]), nn.Flatten()]
    inputs = 784
    for _ in range(3):
        layers += [bnn.BinLinear(inputs, width), nn.BatchNorm1d(width), bnn.Sign()]
        inputs = width
    return nn.Sequential(*layers, bnn.BinLinear(width, 10), bnn.Scale(32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", default="net.pt")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(chosen.seed)
    data = fashion_mnist("train")
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    model = build(chosen.width)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, at most {bnn.widest(model)} inputs per neuron")
    bnn.fit(model, x[5000:], y[5000:], epochs=chosen.epochs, lr=chosen.lr, batch=256, seed=chosen.seed,
            on_epoch=lambda line: print(line, flush=True))
    bnn.freeze(model.eval())
    print(f"validation accuracy {bnn.accuracy(model, x[:5000], y[:5000]):.4f}", flush=True)
    test = fashion_mnist("test")
    print(f"test accuracy {bnn.accuracy(model, torch.from_numpy(test.x), torch.from_numpy(test.y)):.4f}")
    save(model, x[:2], chosen.output)


if __name__ == "__main__":
    main()
