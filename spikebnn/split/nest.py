"""Sums of sums: lines of equal weight are added by neurons that count in bursts, until an aggregator can hear all.

Such a neuron (threshold 1, reset by subtraction) passes every arrival on, one per tick, so its count is the sum of
the counts that it hears, whatever their order.
"""

from __future__ import annotations

import numpy as np

from spikebnn.partition.types import Bank
from spikebnn.program import AUXILIARY, NO_FLOOR, SATURATE, SUBTRACT
from spikebnn.split.sums import Line, Sums, Wide, said, weighed


def nested(sums: Sums, group: int, wide: Wide) -> Sums:
    """The sums with at most `group` lines of one weight added up into one."""
    banks: list[Bank] = list(sums.banks)
    out: list[Line] = []
    first = sums.next
    for weight in dict.fromkeys(line.weight for line in sums.lines):
        mine = [line for line in sums.lines if line.weight == weight]
        for start in range(0, len(mine), group):
            some = mine[start : start + group]
            if len(some) == 1:
                out.append(some[0])
                continue
            bank, line = _added(some, weight, first, wide)
            banks.append(bank)
            out.append(line)
            first += bank.neurons
    return Sums(banks=tuple(banks), lines=tuple(out), offset=sums.offset, next=first, clipping=sums.clipping)


def _added(lines: list[Line], weight: int, first: int, wide: Wide) -> tuple[Bank, Line]:
    most = np.asarray(sum(line.most for line in lines), np.int64)
    synapses = weighed([Line(signal=line.signal, weight=1, most=line.most) for line in lines])
    n = synapses.neurons
    bank = Bank(
        name=f"{wide.name}.partials", role=wide.role, layer=wide.layer, unit=np.full(n, AUXILIARY, np.int32),
        spot=wide.spot, synapses=synapses, threshold=np.ones(n, np.int32), leak=np.zeros(n, np.int32), reset=SUBTRACT,
        floor=np.full(n, NO_FLOOR, np.int32), floor_mode=SATURATE, first=first, low=np.zeros(n, np.int64), high=most,
        burst=max(1, int(most.max(initial=0))),
    )
    return bank, said(first + np.arange(n), weight, most)
