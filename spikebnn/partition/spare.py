"""Spare: banks that fill the columns of cores and leave axons take fewer columns of each, for neurons of many axons there.

Each of their cores more costs a copy of what they read, so it pays only where there are such neurons: pieces that share
no axon, as aggregators are, which `mixed` deals out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikebnn.partition.join import Bin, load_of
from spikebnn.partition.types import Bank
from spikebnn.targets.target import Target

LOOSE = 1.15  # cores over what columns or axons fill by themselves, from which on it is tried
SHARE = 0.9  # of a core's columns, that is left to such banks
FULL, OPEN = 0.9, 0.7  # columns that they fill at least, and axons at most


def crowded(
    banks: Sequence[Bank], bins: Sequence[Bin], cores: int, inputs: int, target: Target
) -> frozenset[int]:
    """Banks that fill columns and leave axons; none where cores are full, and none that hear only the host.

    `bins` are the parts of a bank on a core each, `cores` what all of them take together. Lines of the host need no
    copies: `mixed` tries that.
    """
    if target.synapse.format != "crossbar" or target.core.output_edges is not None or not bins:
        return frozenset()
    limit = np.array([target.core.neurons, target.core.axons])
    load = np.array([load_of(banks, held, target)[:2] for held in bins]) / limit
    if cores <= LOOSE * load.sum(axis=0).max():
        return frozenset()
    bank = np.array([held[0].bank for held in bins])
    found = []
    for index in np.unique(bank).tolist():
        own = load[bank == index]
        columns, axons = own.mean(axis=0)
        if len(own) > 1 and columns >= FULL and axons <= OPEN and int(banks[index].synapses.taps.max()) >= inputs:
            found.append(index)
    return frozenset(found)
