"""The exact fallback without Numba: frames of a streaming program as float matrix products, core after core.

BLAS is faster here than NumPy's own bit counting, and exact: float32 holds every sum below 2**24. A program
through which frames do not stream runs on the reference, tick by tick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import U8, Array
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.simulate import layout
from spikebnn.simulate.active import Group, groups
from spikebnn.simulate.active import active as active_neurons
from spikebnn.simulate.arriving import Fed, joined, sources, streaming, weights
from spikebnn.simulate.protocol import Answer, Trace
from spikebnn.simulate.reference import ReferenceSession
from spikebnn.simulate.wiring import wire

BATCH = 1024  # frames


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """The neurons of one core that share a start, and the axons that reach them."""

    core: int
    neurons: Array  # global numbers
    axons: Array  # global numbers
    matrix: Array  # (neurons, axons)
    bound: Array  # (neurons,); the sum of the matrix from which on a neuron fires
    events: Array  # (2, axons); axon events and synaptic events, 0 where another part counts the axon
    group: Group  # which of its neurons hear what


class BlasSession:
    """One program; `frames` where they stream, all else from the reference."""

    def __init__(self, program: Program) -> None:
        self.program, self.reference, self.wiring = program, ReferenceSession(program), wire(program)
        self.parts: list[_Part] = []
        if streaming(program, self.wiring) and not self.wiring.numbers:
            fed = sources(program, self.wiring, collapsed=True)
            self.rounds, self.groups = _rounds(fed), groups(program, self.wiring)
            tasks = [(int(s), c) for c, core in enumerate(program.cores) for s in np.unique(core.start)]
            self.parts = [self._part(core, start, fed) for start, core in sorted(tasks)]

    def ticks(self, drive: U8, watch: Array | None = None) -> Trace:
        """See `spikebnn.simulate.protocol.Session`."""
        return self.reference.ticks(drive, watch)

    def frames(self, bits: U8, record: bool = False) -> Answer:
        """See `spikebnn.simulate.protocol.Session`."""
        bits = layout.check_bits(self.program, bits)
        if not self.parts or bits.shape[1] != 1:
            return self.reference.frames(bits, record)
        starts = range(0, len(bits), BATCH)
        parts = [self._batch(bits[first : first + BATCH, 0], record) for first in starts]
        return layout.join(parts, self.program, self.wiring, record)

    def _batch(self, bits: U8, record: bool) -> Answer:
        w, program = self.wiring, self.program
        count, cores = len(bits), len(program.cores)
        rows = np.zeros((w.neurons + w.lines + 1, count), np.uint8)
        rows[w.neurons : w.neurons + program.inputs] = bits.T
        rows[-1] = 1
        spikes, updates = np.zeros((count, cores), np.int64), np.zeros((count, cores), np.int64)
        events = np.zeros((2, count, cores), np.int64)
        membranes = np.zeros((w.neurons if program.readout == "membrane" else 0, count), np.int64)
        for part in self.parts:
            active = np.zeros((len(part.axons), count), np.uint8)
            for axon, row in self.rounds:
                here = np.searchsorted(axon, part.axons)
                found = np.flatnonzero(axon[np.minimum(here, len(axon) - 1)] == part.axons)
                active[found] |= rows[row[here[found]]]
            x = active.astype(part.matrix.dtype)
            total = part.matrix @ x
            fired = total >= part.bound[:, None]
            rows[part.neurons] = fired
            spikes[:, part.core] += fired.sum(axis=0)
            events[:, :, part.core] += np.rint(part.events @ x).astype(np.int64)
            axons = np.zeros((count, program.cores[part.core].axons), np.uint8)
            axons[:, part.axons - w.axon_first[part.core]] = active.T
            updates[:, part.core] += active_neurons(part.group, axons)
            if program.readout == "membrane":
                leak = program.cores[part.core].leak[part.neurons - w.neuron_first[part.core]]
                membranes[part.neurons] = np.rint(total).astype(np.int64) + leak[:, None]
        sums = np.tile(program.base.astype(np.int64)[:, None], count)
        value = membranes if program.readout == "membrane" else rows
        read = w.neuron_first[program.outputs[:, 1]] + program.outputs[:, 2]
        np.add.at(sums, program.outputs[:, 0], value[read].astype(np.int64))
        counts = Counts(
            spikes=spikes,
            axon_events=events[0],
            synaptic_events=events[1],
            neuron_spikes=rows[: w.neurons].sum(axis=1, dtype=np.int64),
            active_updates=updates,
        )
        raster = np.ascontiguousarray(rows[: w.neurons].T) if record else None
        return Answer(sums=np.ascontiguousarray(sums.T), counts=counts, raster=raster)

    def _part(self, number: int, start: int, fed: Fed) -> _Part:
        core, w = self.program.cores[number], self.wiring
        low = int(w.axon_first[number])
        some = np.flatnonzero(core.start == start)
        own = w.axon_start[low : low + core.axons] == start
        reached = joined(core)[some].any(axis=0)
        axons = np.flatnonzero((own | reached) & (fed.key[low : low + core.axons] >= 0))
        weight = weights(core)[np.ix_(some, axons)]
        events = np.stack([own[axons], own[axons] * w.fanout[low + axons]])
        largest = int(max(np.abs(weight).sum(axis=1).max(initial=0), events.sum(axis=1).max()))
        kind = np.float32 if largest < 2**24 else np.float64
        bound = core.threshold[some].astype(np.int64) - core.leak[some]
        return _Part(
            core=number,
            neurons=w.neuron_first[number] + some,
            axons=low + axons,
            matrix=np.ascontiguousarray(weight).astype(kind),
            bound=np.clip(bound, -largest - 1, largest + 1).astype(kind),
            events=events.astype(kind),
            group=next(group for group in self.groups[number] if group[0] == start),
        )


def _rounds(fed: Fed) -> list[tuple[Array, Array]]:
    """The first source of every axon, then the second of those that have two, and so on: (axons, rows)."""
    number = np.diff(fed.first)
    out = []
    for k in range(int(number.max(initial=0))):
        axons = np.flatnonzero(number > k)
        out.append((axons, fed.row[fed.first[axons] + k]))
    return out
