"""Join: parts that leave room on a core share it, also when they are of different banks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikebnn.arrays import I64
from spikebnn.partition.pack import Gap
from spikebnn.partition.types import Bank, Part, Shard
from spikebnn.program import SUBTRACT
from spikebnn.targets.target import Target

Bin = list[Part]  # the parts on one core


def join(banks: Sequence[Bank], bins: Sequence[Bin], target: Target) -> list[Shard]:
    """Shards of one bin or several: first fit, the largest first; bins that no other could join stay alone.

    Axons are not shared between parts, so columns, axons, edges and bits of a core are the sums of its parts'. On a
    crossbar an axon type is a weight per neuron: parts use the same types, each with its own weights.
    """
    limit = limits_of(target)
    size = np.array([load_of(banks, held, target) for held in bins], np.int64).reshape(-1, len(limit))
    order = np.argsort(-(size / limit).max(axis=1, initial=0), kind="stable")
    least = size.min(axis=0, initial=1 << 60)
    load = np.zeros((len(bins), len(limit)), np.int64)
    core_of = np.zeros(len(bins), np.int64)
    count = 0
    still: I64 = np.zeros(0, np.int64)  # cores that something may still join
    for k in order.tolist():
        fits = np.flatnonzero((load[still] + size[k] <= limit).all(axis=1))
        if len(fits):
            core = int(still[fits[0]])
        else:
            core, count = count, count + 1
            still = np.append(still, core)
        load[core] += size[k]
        core_of[k] = core
        if (load[core] + least > limit).any():
            still = still[still != core]
    together: dict[int, list[Part]] = {}
    for held, core in zip(bins, core_of.tolist(), strict=True):
        together.setdefault(core, []).extend(held)
    return [Shard(parts=tuple(found)) for found in together.values()]


def gaps_of(banks: Sequence[Bank], bins: Sequence[Bin], target: Target) -> list[Gap]:
    """What is left on the core of each bin."""
    limit = limits_of(target)
    left = [limit - np.array(load_of(banks, held, target)) for held in bins]
    return [Gap(cells=int(a), axons=int(b), edges=int(c), bits=int(d)) for a, b, c, d in left]


def load_of(banks: Sequence[Bank], held: Bin, target: Target) -> tuple[int, int, int, int]:
    """Cells, axons, edges and bits of the parts of a bin."""
    sizes = [_size(banks[part.bank], part, target) for part in held]
    return sum(s[0] for s in sizes), sum(s[1] for s in sizes), sum(s[2] for s in sizes), sum(s[3] for s in sizes)


def limits_of(target: Target) -> I64:
    """Cells, axons, edges and bits of an empty core."""
    c = target.core
    free = 1 << 60
    bits = c.synapse_bits if target.synapse.format == "list" and c.synapse_bits is not None else free
    return np.array([c.neurons, c.axons, free if c.output_edges is None else c.output_edges, bits], np.int64)


def _size(bank: Bank, part: Part, target: Target) -> tuple[int, int, int, int]:
    cells = len(part.neuron) * (target.core.neurons_per_subtract if bank.reset == SUBTRACT else 1)
    return cells, len(part.source) + bank.controls, part.edges, part.bits
