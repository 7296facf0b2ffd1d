"""What the original network answers on data, evaluated in NumPy: the reference for agreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.errors import InputError
from spikebnn.evaluate import evaluate
from spikebnn.importers import load_network
from spikebnn.network import Network

BATCH = 250  # frames evaluated at once


def original(source: str | Path | Network, x: Array) -> F64:
    """The scores (frames, classes) of a network on frames `x`, without any mapping."""
    network = source if isinstance(source, Network) else load_network(source)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise InputError(
            f"the network has {len(network.inputs)} inputs and {len(network.outputs)} outputs; one of each is wanted"
        )
    name, out = network.inputs[0], network.outputs[0]
    dtype = np.dtype(str(network.example.get("dtype", x.dtype)))
    parts = [
        np.asarray(evaluate(network, {name: x[first : first + BATCH].astype(dtype)}, [out])[out], np.float64)
        for first in range(0, len(x), BATCH)
    ]
    return np.concatenate(parts)
