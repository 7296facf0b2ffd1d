"""512 frames or streams side by side, one bit each: what changes while one block of them runs, and what comes out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import copy
from functools import lru_cache
from typing import Any

import numpy as np

from spikebnn.arrays import I64, U8, U64, Array, aligned, aligned_copy
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.simulate.inlet import Inlet
from spikebnn.simulate.lists import PADDING, PLANES
from spikebnn.simulate.lower import Plan
from spikebnn.simulate.protocol import Answer
from spikebnn.simulate.wiring import Wiring

LANES = 512
FEW = 64  # frames whose counts are cleared at once
Kernels = tuple[Callable[..., Any], ...]  # tick, pack, frames, follow, sum_spikes, alone
READS_SPIKES, READS_MEMBRANE, WATCHES = range(3)


class State:
    """Everything that changes while one block of 512 lanes runs."""

    def __init__(
        self, kernels: Kernels, plan: Plan, wiring: Wiring, frames: int, cores: int, sums: int, lanes: int,
        counter: type[np.integer[Any]] = np.int64,
    ) -> None:  # fmt: skip
        self.kernels, self.plan, self.wiring = kernels, plan, wiring
        inputs = int(np.diff(plan.job[:, :2], axis=1).max(initial=0))
        self.ring = aligned((plan.slots * plan.rows + plan.behind) * 8, np.uint64)
        self.outside = self.ring[plan.slots * plan.rows * 8 :][: 8 * len(plan.taps)]
        self.inlet = Inlet(plan.taps, wiring.lines, self.outside.reshape(-1, 8), kernels[1])
        self.awake = np.zeros(len(plan.job) + 1, np.int64)
        self.rows = aligned(8 * (2 * inputs + PADDING), np.uint64)
        self.near = aligned(8 * (plan.alike + PADDING), np.uint64)
        self.planes = aligned(PLANES, np.uint64)
        self.v = aligned(max(8, plan.state), np.uint64)
        self.numbers = np.zeros(2 * LANES, np.int32)
        self.valid = np.zeros((frames, LANES), np.uint8)
        self.counts = [
            np.zeros((frames, cores, LANES), counter) for _ in range(4)
        ]  # spikes, axon events, synaptic events, updates
        self.sums = np.zeros((frames, sums, LANES), np.int64)
        self.neuron_spikes = np.zeros(wiring.neurons + 1, np.int64)  # the last one is nobody
        self.hot = aligned(8 * (plan.alike + PADDING), np.uint64)
        self.backs = np.zeros(plan.slots + 1, np.int64)  # where each slot begins; 0 for rows behind the slots
        self.jobs = np.array([0, len(plan.job), plan.direct], np.int64)
        self.begin(lanes)

    def begin(self, lanes: int) -> None:
        """Count from nothing again, for another block of frames that need no memory of the last."""
        self.lanes = lanes
        self.valid[:] = np.arange(LANES) < lanes
        for counts in (*self.counts, self.sums, self.neuron_spikes):
            counts[:] = 0

    def silence(self, frames: int) -> None:
        """Only the first `frames` frames of the block exist; frame f of lane s is number s * frames per lane + f."""
        per = len(self.valid)
        self.valid[:] = (np.arange(LANES) * per + np.arange(per)[:, None] < frames) & (
            np.arange(LANES) < self.lanes
        )

    def feed(self, tick: int, lines: U8) -> None:
        """Put the active lines (lanes, lines) of a tick on their way."""
        self.inlet.feed(tick, lines)
        self.awake[-1] = len(self.inlet.lit)

    def tick(self, tick: int, period: int, frames: int, reads: int) -> None:
        valid = np.packbits(self.valid, axis=1, bitorder="little").reshape(-1).view(np.uint64)
        self.kernels[0](tick, period, frames, *self._tables(aligned_copy(valid, np.uint64), reads))

    def stream(self, eights: U64, many: int, first: int, end: int, reads: int, out: Out) -> bool:
        """Frames first to end of `eights` (frames, lines by eights), each in one tick, into `out`; whether they are bits."""
        lines = self.plan.taps[:, 0]
        good: bool = self.kernels[2](
            eights, many, first, end, self.inlet.squares, self.inlet.packed.reshape(-1), self.outside, lines,
            *self._tables(aligned(8, np.uint64), reads), *out.counts, out.sums,
        )  # fmt: skip
        return good

    def _tables(self, valid: U64, reads: int) -> tuple[Any, ...]:
        p = self.plan
        return (
            self.jobs, self.ring, p.slots, 8 * p.rows, valid, self.v, self.rows, self.near, self.planes,
            self.numbers, self.hot, p.iota, self.backs, self.awake, p.job, p.inputs, p.sources, p.neurons, p.segments,
            p.index, p.row_index, p.made, p.fours, p.fives, p.shorts, p.supports, p.near, p.events, p.spike_index, p.wakes,
            p.reads, reads, *self.counts, self.sums, self.neuron_spikes,
        )  # fmt: skip

    def bits(self, tick: int) -> U8:
        """Spikes of a tick as (neurons, 512)."""
        return np.unpackbits(self.slot(tick).view(np.uint8), axis=1, bitorder="little")

    def fired(self, tick: int) -> tuple[Array, U8]:
        """The neurons that spike in any lane of a tick, and their spikes (neurons, 512)."""
        slot = self.slot(tick)
        some = np.flatnonzero(slot.any(axis=1))
        return some, np.unpackbits(slot[some].view(np.uint8), axis=1, bitorder="little")

    def slot(self, tick: int) -> U64:
        """Spikes of a tick as (neurons, 8 words)."""
        first = 8 * self.plan.rows * (tick % self.plan.slots)
        return self.ring[first : first + 8 * self.wiring.neurons].reshape(-1, 8)


class Out:
    """The answer while blocks fill it, each its own frames."""

    def __init__(self, frames: int, cores: int, program: Program, wiring: Wiring, record: bool) -> None:
        self.clean = frames <= FEW
        room = np.zeros if self.clean else np.empty  # a few at once, many by those who count them
        self.counts = list(room((4, frames, cores), np.int64))  # one piece of memory is reused sooner
        self.sums = np.empty((frames, len(program.base)), np.int64)
        self.base = program.base
        self.raster = np.zeros((frames if record else 0, wiring.neurons), np.uint8)
        self.record = record

    def part(self, frames: slice) -> Out:
        """The same arrays, of these frames alone; the sums are those of frames in which nothing happens."""
        part = copy(self)
        part.counts, part.sums = [counts[frames] for counts in self.counts], self.sums[frames]
        part.sums[:] = self.base
        return part

    def cleared(self) -> Out:
        """The same, in which nothing is counted yet."""
        for counts in () if self.clean else self.counts:
            counts[:] = 0
        return self

    def take(self, frames: slice, state: State, frame: int, lanes: slice) -> None:
        for mine, theirs in zip(self.counts, state.counts):
            mine[frames][: lanes.stop] = theirs[frame, :, lanes].T
        self.sums[frames][: lanes.stop] = self.base + state.sums[frame, :, lanes].T

    def answer(self, neuron_spikes: list[I64]) -> Answer:
        spikes, axons, synapses, updates = self.counts
        total: I64 = np.stack(neuron_spikes).sum(axis=0) if neuron_spikes[1:] else neuron_spikes[0]
        counts = Counts(
            spikes=spikes,
            axon_events=axons,
            synaptic_events=synapses,
            neuron_spikes=total,
            active_updates=updates,
        )
        return Answer(sums=self.sums, counts=counts, raster=self.raster if self.record else None)


@lru_cache(maxsize=1)
def compiled_kernels() -> Kernels | None:
    try:
        from spikebnn.simulate import follow_kernels, kernels
    except ImportError:
        warnings.warn(
            "Numba is not installed, so the simulator bitwise works in NumPy: the same answers, some 100 times "
            "slower. Install it with: pip install numba",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return (*kernels.compiled(), *follow_kernels.compiled())
