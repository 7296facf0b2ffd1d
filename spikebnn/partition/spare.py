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


def crowded(banks: Sequence[Bank], bins: Sequence[Bin], cores: int, target: Target) -> list[frozenset[int]]:
    """Banks of one layer each that fill columns and leave axons, those first that leave most; none where cores are full.

    `bins` are the parts of a bank on a core each, `cores` what all of them take together.
    """
    if target.synapse.format != "crossbar" or target.core.output_edges is not None or not bins:
        return []
    limit = np.array([target.core.neurons, target.core.axons])
    load = np.array([load_of(banks, held, target)[:2] for held in bins]) / limit
    if cores <= LOOSE * load.sum(axis=0).max():
        return []
    bank = np.array([held[0].bank for held in bins])
    left: dict[str, float] = {}
    found: dict[str, frozenset[int]] = {}
    for index in np.unique(bank).tolist():
        own = load[bank == index]
        mean, name = own.mean(axis=0), banks[index].name
        if len(own) > 1 and mean[0] >= FULL and mean[1] <= OPEN:
            left[name] = left.get(name, 0.0) + float((1 - own[:, 1]).sum())
            found[name] = found.get(name, frozenset()) | {index}
    return [found[name] for name in sorted(found, key=lambda name: -left[name])]
