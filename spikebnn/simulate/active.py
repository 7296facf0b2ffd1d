"""Which neurons found input in a tick: those of which one axon or more was active."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from spikebnn.arrays import F32, I64, Array
from spikebnn.program import Program
from spikebnn.simulate.arriving import joined, sources
from spikebnn.simulate.wiring import Wiring

Group = tuple[int, Array, F32, F32]  # start, one axon per source, sources x patterns, neurons per pattern


@lru_cache(maxsize=8)
def groups(program: Program, wiring: Wiring) -> list[list[Group]]:
    """For each core and each start of its neurons: from which sources they hear, equal neurons together.

    Axons with the same sources are active in the same ticks, so that one stands for all; in a dense layer all neurons
    then have one pattern, whatever the signs of their synapses.
    """
    key = sources(program, wiring, collapsed=False).key
    out = []
    for number, core in enumerate(program.cores):
        mine = key[wiring.axon_first[number] : wiring.axon_first[number + 1]]
        heard, first, which = np.unique(mine, return_index=True, return_inverse=True)
        hears = np.zeros((core.neurons, len(heard)), bool)
        neuron, axon = np.nonzero(joined(core))
        hears[neuron, which.ravel()[axon]] = True
        alive = heard >= 0  # -1: nothing ever arrives
        made: list[Group] = []
        for start in np.unique(core.start).tolist():
            patterns, count = np.unique(hears[core.start == start][:, alive], axis=0, return_counts=True)
            made.append((start, first[alive], patterns.T.astype(np.float32), count.astype(np.float32)))
        out.append(made)
    return out


def active(group: Group, axons: Array) -> I64:
    """How many neurons of a group found input, (streams,), from a core's active axons (streams, axons)."""
    _, one, patterns, count = group
    found: I64 = np.rint(((axons[:, one].astype(np.float32) @ patterns) > 0) @ count).astype(np.int64)
    return found
