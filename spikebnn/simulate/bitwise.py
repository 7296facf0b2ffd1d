"""The bit-packed engine: 512 frames or streams side by side, one bit each, summed by carry-save adders.

Programs through which frames stream, one per tick, are run frame by frame in the order of the layers
(`arriving.streaming` proves that this is the same); all others tick by tick. Both use one kernel. Blocks of 512
lanes run on threads, and no answer depends on how many. Without Numba the work is done by NumPy.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np

from spikebnn.arrays import I64, U8, U64, Array
from spikebnn.errors import InputError
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.simulate import layout
from spikebnn.simulate.arriving import streaming
from spikebnn.simulate.blas import BlasSession
from spikebnn.simulate.inlet import Inlet
from spikebnn.simulate.lower import (
    MEMBRANE,
    READS,
    READS_END,
    SUPPORTS,
    SUPPORTS_AT,
    Plan,
    fit,
    lower,
)
from spikebnn.simulate.protocol import Answer, Session, Trace
from spikebnn.simulate.wiring import Wiring, last_tick, wire

LANES = 512
Kernels = tuple[Callable[..., None], Callable[..., None]]  # tick, pack
READS_SPIKES, READS_MEMBRANE, WATCHES = range(3)


class Bitwise:
    """The registry's entry."""

    name = "bitwise"
    version = "1"

    def load(self, program: Program) -> Session:
        """Lower the program; without Numba, hand it to the reference."""
        kernels = compiled_kernels()
        if kernels is None:
            return BlasSession(program)
        return BitwiseSession(program, kernels)


class BitwiseSession:
    """One program as tables, ready to run; `threads` is how many blocks of 512 lanes run at once."""

    def __init__(self, program: Program, kernels: Kernels, threads: int | None = None) -> None:
        self.program, self.wiring, self.kernels = program, wire(program), kernels
        self.threads = threads or _cores()
        self.streaming = streaming(program, self.wiring)
        self._plans: dict[bool, Plan] = {}
        self._free: list[_State] = []  # memory of streamed blocks that are done
        self._fits: dict[tuple[bool, int], Plan] = {}

    def ticks(self, drive: U8, watch: Array | None = None) -> Trace:
        """Run streams side by side from rest; see `spikebnn.simulate.protocol.Session`."""
        drive = layout.check_drive(self.program, drive)
        streams, ticks, _ = drive.shape
        watch = np.zeros(0, np.int64) if watch is None else np.asarray(watch, np.int64)
        spikes = np.zeros((streams, ticks, self.wiring.neurons), np.uint8)
        membranes = np.zeros((streams, ticks, len(watch)), np.int64)
        wanted, place = np.unique(watch, return_inverse=True)
        plan = _watching(self._plan(False, ticks), wanted)

        def block(first: int) -> None:
            some = slice(first, min(first + LANES, streams))
            lanes = some.stop - first
            state = _State(self.kernels, plan, self.wiring, 1, len(self.program.cores), len(wanted), lanes)
            for tick in range(ticks):
                state.feed(tick, drive[some, tick])
                state.tick(tick, 1, 0, WATCHES)
                spikes[some, tick] = state.bits(tick)[:, :lanes].T
                membranes[some, tick] = state.sums[0, place.ravel(), :lanes].T

        self._each(block, range(0, streams, LANES))
        return Trace(spikes=spikes, membranes=membranes)

    def frames(self, bits: U8, record: bool = False) -> Answer:
        """Present frames and count in windows; see `spikebnn.simulate.layout`."""
        bits = layout.check_bits(self.program, bits)
        if len(bits) == 0:
            return layout.join([], self.program, self.wiring, record)
        if self.streaming and bits.shape[1] == 1:
            return self._streamed(bits[:, 0], record)
        return self._stepped(bits, record)

    def _streamed(self, bits: U8, record: bool) -> Answer:
        """Each lane is a frame; the whole network is one pass of the kernel."""
        plan, wiring, cores = self._plan(True, 1), self.wiring, len(self.program.cores)
        out = _Out(len(bits), cores, self.program, wiring, record)
        kind = READS_MEMBRANE if self.program.readout == "membrane" else READS_SPIKES
        free = self._free

        def block(first: int) -> I64:
            some = slice(first, min(first + LANES, len(bits)))
            try:
                state = free.pop()
                state.begin(some.stop - first)
            except IndexError:
                state = _State(
                    self.kernels, plan, wiring, 1, cores, len(self.program.base), some.stop - first
                )
            state.feed(0, bits[some])
            state.tick(0, 1, 1, kind)
            out.take(some, state, 0, slice(0, some.stop - first))
            if record:
                out.raster[some] = state.bits(0)[:, : some.stop - first].T
            spikes = state.neuron_spikes.copy()
            free.append(state)
            return spikes

        return out.answer(self._each(block, range(0, len(bits), LANES)))

    def _stepped(self, bits: U8, record: bool) -> Answer:
        """Each lane is a stream of frames; the kernel runs once per tick."""
        stacked = layout.stacked(bits)
        streams, per = stacked.shape[:2]
        ticks = last_tick(self.program, per)
        plan, wiring, cores = self._plan(False, ticks), self.wiring, len(self.program.cores)
        out = _Out(len(bits), cores, self.program, wiring, record)
        kind = READS_MEMBRANE if self.program.readout == "membrane" else READS_SPIKES
        period, start = self.program.period, wiring.start

        def block(first: int) -> I64:
            some = slice(first, min(first + LANES, streams))
            lanes = some.stop - first
            lines = layout.feed(self.program, stacked[some])
            state = _State(self.kernels, plan, wiring, per, cores, len(self.program.base), lanes)
            state.silence(len(bits) - first * per)
            counter = np.int64 if period > 255 else np.uint8
            raster = np.zeros((lanes, per, wiring.neurons if record else 0), counter)
            for tick in range(ticks):
                state.feed(tick, lines(tick))
                state.tick(tick, period, per, kind)
                if record:
                    firing, fired = state.fired(tick)
                    window = (tick - start[firing]) // period
                    inside = (window >= 0) & (window < per)
                    raster[:, window[inside], firing[inside]] += fired[inside, :lanes].T
            for frame in range(per):
                whole = len(range(first * per + frame, min(len(bits), some.stop * per), per))
                out.take(slice(first * per + frame, some.stop * per, per), state, frame, slice(0, whole))
            if record:
                flat = np.minimum(raster, 255).reshape(lanes * per, wiring.neurons)
                out.raster[first * per : first * per + len(flat)] = flat[: len(bits) - first * per]
            return state.neuron_spikes

        return out.answer(self._each(block, range(0, streams, LANES)))

    def _plan(self, collapsed: bool, ticks: int) -> Plan:
        if collapsed not in self._plans:
            self._plans[collapsed] = lower(self.program, self.wiring, collapsed)
        if (collapsed, ticks) not in self._fits:
            try:
                self._fits[collapsed, ticks] = fit(self._plans[collapsed], ticks)
            except OverflowError as why:
                raise InputError(
                    f"in {ticks} ticks {why}, more than 60 bits; use the simulator reference"
                ) from why
        return self._fits[collapsed, ticks]

    def _each(self, block: Any, starts: range) -> list[Any]:
        if self.threads == 1 or len(starts) < 2:
            return [block(first) for first in starts]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(block, starts))


class TickByTick:
    """A program of memoryless neurons in at most 512 lanes, whose ticks come one by one and have no end."""

    def __init__(self, program: Program, lanes: int, watch: Array) -> None:
        kernels = compiled_kernels()
        if kernels is None:
            raise InputError("the bit-packed kernels need Numba; install it with: pip install numba")
        wiring = wire(program)
        wanted, place = np.unique(watch, return_inverse=True)
        plan = _watching(fit(lower(program, wiring, False), 1), wanted)  # one tick: nothing is kept for a second
        self.lanes, self.place = lanes, place.ravel()
        self.state = _State(kernels, plan, wiring, 1, len(program.cores), len(wanted), lanes)

    def step(self, tick: int, lines: U8) -> None:
        """Ticks come in order, from 0; lines (lanes, lines)."""
        self.state.feed(tick, lines)
        self.state.tick(tick, 1, 0, WATCHES)

    def spikes(self, tick: int, neurons: Array) -> U8:
        """Spikes (lanes, len(neurons)) of the last tick."""
        rows = self.state.slot(tick)[neurons].view(np.uint8)
        return np.ascontiguousarray(np.unpackbits(rows, axis=1, bitorder="little")[:, : self.lanes].T)

    def membranes(self) -> I64:
        """V after step 2 of the last tick (lanes, watched)."""
        return self.state.sums[0, self.place, : self.lanes].T.copy()


class _State:
    """Everything that changes while one block of 512 lanes runs."""

    def __init__(
        self, kernels: Kernels, plan: Plan, wiring: Wiring, frames: int, cores: int, sums: int, lanes: int
    ) -> None:
        self.kernels, self.plan, self.wiring = kernels, plan, wiring
        inputs = int(np.diff(plan.job[:, :2], axis=1).max(initial=0))
        supports = int(np.diff(plan.job[:, SUPPORTS : SUPPORTS + 2], axis=1).max(initial=0))
        self.ring = _aligned((plan.slots * plan.rows + len(plan.taps)) * 8)
        outside = self.ring[plan.slots * plan.rows * 8 :].reshape(-1, 8)
        packed = _aligned(8 * (wiring.lines + 8))
        self.inlet = Inlet(plan.taps, wiring.lines, outside, packed, kernels[1])
        self.awake = np.zeros(len(plan.job) + 1, np.int64)
        self.rows = _aligned(8 * (2 * inputs + 1))
        self.planes = _aligned(SUPPORTS_AT + 512 * supports)
        self.v = _aligned(max(8, plan.state))
        self.numbers = np.zeros(LANES, np.int32)
        self.valid = np.zeros((frames, LANES), np.uint8)
        self.counts = [np.zeros((frames, cores, LANES), np.int64) for _ in range(3)]
        self.sums = np.zeros((frames, sums, LANES), np.int64)
        self.neuron_spikes = np.zeros(wiring.neurons, np.int64)
        self.jobs = np.array([0, len(plan.job)], np.int64)
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
        p = self.plan
        valid = np.packbits(self.valid, axis=1, bitorder="little").reshape(-1).view(np.uint64)
        self.kernels[0](
            tick, period, frames, self.jobs, self.ring, p.slots, 8 * p.rows, valid, self.v, self.rows, self.planes,
            self.numbers, self.awake, p.job, p.inputs, p.sources, p.neurons, p.segments, p.index, p.quads, p.supports,
            p.events, p.event_index, p.reads, reads, *self.counts, self.sums, self.neuron_spikes,
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


class _Out:
    """The answer while blocks fill it, each its own frames."""

    def __init__(self, frames: int, cores: int, program: Program, wiring: Wiring, record: bool) -> None:
        self.counts = [np.zeros((frames, cores), np.int64) for _ in range(3)]
        self.sums = np.tile(program.base.astype(np.int64), (frames, 1))
        self.raster = np.zeros((frames if record else 0, wiring.neurons), np.uint8)
        self.record = record

    def take(self, frames: slice, state: _State, frame: int, lanes: slice) -> None:
        for mine, theirs in zip(self.counts, state.counts):
            mine[frames][: lanes.stop] = theirs[frame, :, lanes].T
        self.sums[frames][: lanes.stop] += state.sums[frame, :, lanes].T

    def answer(self, neuron_spikes: list[I64]) -> Answer:
        spikes, axons, synapses = self.counts
        total: I64 = np.stack(neuron_spikes).sum(axis=0)
        counts = Counts(spikes=spikes, axon_events=axons, synaptic_events=synapses, neuron_spikes=total)
        return Answer(sums=self.sums, counts=counts, raster=self.raster if self.record else None)


def _watching(plan: Plan, wanted: Array) -> Plan:
    """The plan with the membranes of these neurons written out instead of the readout's."""
    from dataclasses import replace

    neurons = plan.neurons.copy()
    place = np.searchsorted(wanted, neurons[:, 0])
    on = np.isin(neurons[:, 0], wanted)
    neurons[:, MEMBRANE], neurons[:, READS], neurons[:, READS_END] = on, place, place + on
    return replace(plan, neurons=neurons, reads=np.arange(len(wanted) + 1, dtype=np.int64))


def _aligned(words: int) -> U64:
    """Zeros on a 64-byte boundary, which NumPy does not promise."""
    raw = np.zeros(words + 8, np.uint64)
    skip = -(raw.ctypes.data // 8) % 8
    return raw[skip : skip + words]


def _cores() -> int:
    """Processors that this process may use; OMP_NUM_THREADS asks for fewer."""
    affinity = getattr(os, "sched_getaffinity", None)
    here = len(affinity(0)) if affinity else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(here, int(asked))) if asked.isdigit() else here


@lru_cache(maxsize=1)
def compiled_kernels() -> Kernels | None:
    try:
        from spikebnn.simulate.kernels import compiled
    except ImportError:
        warnings.warn(
            "Numba is not installed, so the simulator bitwise works in NumPy: the same answers, some 40 times "
            "slower. Install it with: pip install numba",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    kernels: Kernels = compiled()
    return kernels
