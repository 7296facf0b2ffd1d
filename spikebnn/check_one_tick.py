"""The fast walk: a core whose axons each carry one bit in one tick is compared as a matrix."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.check_forms import CHANGES, chunks, claim, repeats
from spikebnn.program import Core
from spikebnn.threshold import NO_TAP, ThresholdNetwork


def equal_in_one_tick(core: Core, weights: I64, bit: I64, number: int, network: ThresholdNetwork, state: Array) -> bool:
    """Compare all neurons of a core with the network; False where this walk cannot tell, CheckError where they differ.

    `weights` (neurons, axons); axon a carries bit[a]. All neurons are memoryless and of the network's layers.
    """
    layers = np.unique(core.layer).tolist()
    if len(layers) != 1 or repeats(network.layers[layers[0]].synapses):
        return False
    layer = network.layers[layers[0]]
    s = layer.synapses
    order = np.argsort(bit, kind="stable")
    fresh = np.flatnonzero(np.diff(bit[order], prepend=-2))
    have = np.add.reduceat(weights[:, order], fresh, axis=1) if len(fresh) else np.zeros((core.neurons, 0), np.int64)
    column = np.full(network.bits + 1, len(fresh), np.int64)  # the last column takes what must not matter
    column[bit[order][fresh]] = np.arange(len(fresh))
    told = np.append(state, 0)
    for some in chunks(core.neurons, s.taps.shape[1]):
        unit = core.unit[some]
        taps = s.taps[s.patch[unit]]
        weight = s.weight[s.row[unit]].astype(np.int64) * layer.sign[unit].astype(np.int64)[:, None]
        fixed = (weight * (told[taps] == 1) * (taps != NO_TAP)).sum(axis=1)
        live = (taps != NO_TAP) & (told[taps] == CHANGES) & (weight != 0)
        row, at = np.nonzero(live)
        where = column[taps[row, at]]
        claim((where < len(fresh)).all(), f"core {number} has no axon for a bit that its neurons read")
        want = np.zeros((len(unit), len(fresh)), np.int64)
        want[row, where] = weight[row, at]
        differs = (want != have[some]).any(axis=1)
        first = some.start + int(differs.argmax())
        claim(not differs.any(), f"neuron {first} of core {number} ({layer.name}) has other synapses than the layer")
        theta = core.threshold[some].astype(np.int64) - core.leak[some]
        differs = theta != layer.threshold[unit] - fixed
        first = some.start + int(differs.argmax())
        claim(not differs.any(), f"neuron {first} of core {number} ({layer.name}) fires at another sum than the layer")
    return True
