"""Training of ±1 nets in PyTorch: layers and a short training loop. Nothing else in spikebnn needs this package.

    import spikebnn.nn as bnn
    model = nn.Sequential(bnn.Thermometer(levels), bnn.BinLinear(72, 64), nn.BatchNorm1d(64), bnn.Sign(),
                          bnn.BinLinear(64, 32), nn.BatchNorm1d(32), bnn.Sign(), bnn.Votes(2), bnn.Scale(16))
    bnn.fit(model, x, y, epochs=5)
    from spikebnn.importers import save; save(bnn.freeze(model.eval()), x[:2], "net.pt")

`fan_in=128` in BinLinear and BinConv2d groups what a layer reads, so that no neuron is wider than a core that takes 128
±1 inputs, and the net maps there without a split, one frame per tick. End such a net with Votes: a dense readout
of ten scores over many neurons is as wide as any other layer.
"""

from __future__ import annotations

from spikebnn.nn.fit import accuracy, fit
from spikebnn.nn.layers import (
    BinConv2d,
    BinLinear,
    Scale,
    Shuffle,
    Sign,
    Thermometer,
    Votes,
    clip_,
    freeze,
    sign,
    widest,
)

__all__ = ["BinConv2d", "BinLinear", "Scale", "Shuffle", "Sign", "Thermometer", "Votes", "accuracy", "clip_", "fit",
           "freeze", "sign", "widest"]
