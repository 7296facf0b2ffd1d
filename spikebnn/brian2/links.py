"""What arrives where: a program as axons with their sources, and synapses from axons to neurons.

Axons in which the same arrives at the same ticks are one here, whatever core they are on, so that each is
filled once; axons that nothing reaches are left out. Weights are summed over planes and over such axons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, Array, unpack_bits
from spikebnn.program import Program
from spikebnn.simulate.wiring import wire


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """Everything that is connected in a program; neurons and lines are numbered as in `spikebnn.simulate.wiring`."""

    lines: int
    neurons: int
    axons: int
    feeds: I64  # (rows, 3): line, axon, delay in ticks, 0 or more
    routes: I64  # (rows, 3): neuron, axon, delay in ticks, 1 or more
    axon: I64  # (synapses,), ascending
    neuron: I64  # (synapses,)
    weight: I64  # (synapses,); not 0
    payload: I64  # (neurons,); the largest number that a spike carries; 1 for a bit

    @property
    def single(self) -> Array:
        """(axons,): whether the axon has one source only, so that two arrivals in one tick cannot be."""
        count = np.bincount(np.concatenate([self.feeds[:, 1], self.routes[:, 1]]), minlength=self.axons)
        return np.asarray(count == 1)

    @property
    def reach(self) -> tuple[I64, I64]:
        """Lowest and highest sum that a neuron's synapses can give in a tick, as (neurons,) each."""
        low, high = np.zeros(self.neurons, np.int64), np.zeros(self.neurons, np.int64)
        worth = np.ones(self.axons, np.int64)
        worth[self.routes[:, 1]] = self.payload[self.routes[:, 0]]
        np.add.at(low, self.neuron, np.minimum(self.weight, 0) * worth[self.axon])
        np.add.at(high, self.neuron, np.maximum(self.weight, 0) * worth[self.axon])
        return low, high

    @property
    def plain(self) -> I64:
        """The routes of spikes that carry no number."""
        return np.asarray(self.routes[self.payload[self.routes[:, 0]] == 1])

    @property
    def spelled(self) -> tuple[I64, I64]:
        """The bits of numbers, (bits, 2): sender and power of two; and their routes, (rows, 3): bit, axon, delay."""
        many = np.array([int(top).bit_length() if top > 1 else 0 for top in self.payload.tolist()], np.int64)
        first = np.concatenate([[0], np.cumsum(many)])
        sender = np.repeat(np.arange(self.neurons), many)
        place = np.int64(1) << (np.arange(len(sender)) - first[sender])
        rows = self.routes[many[self.routes[:, 0]] > 0]
        each = many[rows[:, 0]]
        of = np.repeat(np.arange(len(rows)), each)
        bit = first[rows[of, 0]] + np.arange(len(of)) - np.repeat(np.cumsum(each) - each, each)
        return np.stack([sender, place], axis=1), np.stack([bit, rows[of, 1], rows[of, 2]], axis=1)


def links(program: Program) -> Links:
    """Join the cores of a program."""
    wiring = wire(program)
    rows = np.concatenate([wiring.feeds + [wiring.neurons, 0, 0], wiring.routes])
    rows = np.unique(rows[:, [1, 0, 2]], axis=0)  # axon, source, delay
    heard, first = np.unique(rows[:, 0], return_index=True)
    ends = np.append(first[1:], len(rows))
    seen: dict[bytes, int] = {}
    same = np.full(wiring.axons, -1, np.int64)
    keep = []
    for axon, start, stop in zip(heard.tolist(), first.tolist(), ends.tolist()):
        key = rows[start:stop, 1:].tobytes()
        if key not in seen:
            seen[key] = len(seen)
            keep.append((start, stop))
        same[axon] = seen[key]
    parts = [np.arange(start, stop) for start, stop in keep]
    sources = rows[np.concatenate([np.zeros(0, np.int64), *parts])]
    sources = np.stack([sources[:, 1], same[sources[:, 0]], sources[:, 2]], axis=1)
    outside = sources[:, 0] >= wiring.neurons
    axon, neuron, weight = _synapses(program, same, wiring.axon_first, wiring.neuron_first)
    return Links(
        lines=wiring.lines,
        neurons=wiring.neurons,
        axons=len(seen),
        feeds=sources[outside] - [wiring.neurons, 0, 0],
        routes=sources[~outside],
        axon=axon,
        neuron=neuron,
        weight=weight,
        payload=wiring.payload,
    )


def _synapses(program: Program, same: I64, axon_first: I64, neuron_first: I64) -> tuple[I64, I64, I64]:
    """(axon, neuron, weight) of all synapses, by axon and then by neuron."""
    parts = [np.zeros((3, 0), np.int64)]
    for number, core in enumerate(program.cores):
        own = same[axon_first[number] : axon_first[number + 1]]
        kept, place = np.unique(own, return_inverse=True)
        total = np.zeros((len(kept), core.neurons), np.int64)
        for plane in core.planes:
            bits = unpack_bits(plane.bits, plane.stop - plane.start).T
            np.add.at(total, place[plane.start : plane.stop], bits * plane.scale.astype(np.int64))
        total[kept < 0] = 0
        axon, neuron = np.nonzero(total)
        parts.append(np.stack([kept[axon], neuron + neuron_first[number], total[axon, neuron]]))
    joined = np.concatenate(parts, axis=1)
    axon, neuron, weight = joined[:, np.lexsort((joined[1], joined[0]))]
    return axon, neuron, weight
