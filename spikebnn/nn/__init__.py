"""Training of ±1 nets in PyTorch: layers and a short training loop. Nothing else in spikebnn needs this package.

    import spikebnn.nn as bnn
    model = nn.Sequential(bnn.Thermometer(levels), bnn.BinLinear(72, 64), nn.BatchNorm1d(64), bnn.Sign(),
                          bnn.BinLinear(64, 32), nn.BatchNorm1d(32), bnn.Sign(), bnn.Votes(2), bnn.Scale(16))
    bnn.fit(model, x, y, epochs=5)
    spikebnn.importers.save(bnn.freeze(model.eval()), x[:2], "net.pt")
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
