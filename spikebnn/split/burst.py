"""Exact split: partial neurons count in bursts.

Per slice one partial neuron holds the positive weights and one the negative ones; both add, so a partial sum is
never negative and needs no offset, and on a crossbar an input takes one axon, not two. A partial (threshold 1,
reset by subtraction) emits its sum as that many spikes, one per tick, in whatever order its inputs come: V is the
number of arrivals not yet passed on. The aggregator adds the first kind and subtracts the second.
"""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I16
from spikebnn.partition.pulse import values_of
from spikebnn.partition.types import Bank, Violation, total
from spikebnn.program import AUXILIARY, NO_FLOOR, SATURATE, SUBTRACT
from spikebnn.split.axons import axon_limit, cut_taps, tap_cost, too_many_types
from spikebnn.split.sums import Line, Sums, Wide, said
from spikebnn.targets.target import Target
from spikebnn.threshold import Synapses


def halves(synapses: Synapses) -> tuple[I16, Synapses]:
    """The positive weights over the magnitudes of the negative ones, and all of them as one wiring."""
    rows = np.concatenate([np.maximum(synapses.weight, 0), np.maximum(-synapses.weight, 0)])
    return rows, Synapses(weight=rows, taps=synapses.taps, row=synapses.row, patch=synapses.patch)


def burst(wide: Wide, target: Target) -> Sums | Violation:
    """Partial sums as bursts, in as few slices as there can be."""
    s = wide.synapses
    weight, both = halves(s)
    values = values_of(weight)
    limit = axon_limit(target, int(weight.max(initial=1)))
    if target.synapse.format == "crossbar" and len(values) > (target.synapse.axon_types or len(values)):
        return too_many_types(wide.name, len(values), target)
    slices = cut_taps(both, tap_cost(both, target), limit)
    if slices is None:
        return too_many_types(wide.name, len(values), target)
    banks: list[Bank] = []
    lines: list[Line] = []
    n, first = s.neurons, wide.first
    for cut in slices:
        row = np.concatenate([s.row, s.row + len(s.weight)]).astype(np.int32)
        patch = np.concatenate([s.patch, s.patch])
        high = total(weight[:, cut], wide.count[:, cut], row, patch)
        signals = first + np.arange(2 * n)
        lines += [said(signals[:n], +1, high[:n]), said(signals[n:], -1, high[n:])]
        banks.append(
            Bank(
                name=f"{wide.name}.partials", role=wide.role, layer=wide.layer,
                unit=np.full(2 * n, AUXILIARY, np.int32), spot=np.concatenate([wide.spot, wide.spot]),
                synapses=Synapses(weight=weight[:, cut], taps=s.taps[:, cut], row=row, patch=patch),
                threshold=np.ones(2 * n, np.int32), leak=np.zeros(2 * n, np.int32), reset=SUBTRACT,
                floor=np.full(2 * n, NO_FLOOR, np.int32), floor_mode=SATURATE, first=first,
                low=np.zeros(2 * n, np.int64), high=high, burst=max(1, int(high.max(initial=0))),
            )
        )
        first += 2 * n
    return Sums(banks=tuple(banks), lines=tuple(lines), offset=np.zeros(n, np.int64), next=first)
