"""The bit-packed engine: spikes are bits, 512 side by side, summed by carry-save adders.

Programs through which frames stream, one per tick, are run frame by frame in the order of the layers
(`arriving.streaming` proves that this is the same, `streamed` does it); all others tick by tick, 512 streams side by
side. Blocks of 512 lanes run on threads, and no answer depends on how many. Without Numba the work is done by NumPy.
"""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np

from spikebnn.arrays import I64, U8, Array
from spikebnn.errors import InputError
from spikebnn.program import Program
from spikebnn.simulate import layout
from spikebnn.simulate.arriving import streaming
from spikebnn.simulate.blas import BlasSession
from spikebnn.simulate.chip import Chip, TooWide
from spikebnn.simulate.lanes import (
    LANES,
    READS_MEMBRANE,
    READS_SPIKES,
    WATCHES,
    Kernels,
    Out,
    State,
    compiled_kernels,
)
from spikebnn.simulate.lower import Plan, fit, lower
from spikebnn.simulate.protocol import Answer, Session, Trace
from spikebnn.simulate.streamed import Streamed, each
from spikebnn.simulate.wiring import last_tick, wire

ALONE = 8  # streams up to which each runs alone


class Bitwise:
    """The registry's entry."""

    name = "bitwise"
    version = "1"

    def load(self, program: Program) -> Session:
        """Lower the program; without Numba, hand it to NumPy. The last program's session is kept for the next call."""
        return _session(program, _cores())


@lru_cache(maxsize=1)
def _session(program: Program, threads: int) -> Session:
    kernels = compiled_kernels()
    return BlasSession(program) if kernels is None else BitwiseSession(program, kernels, threads)


class BitwiseSession:
    """One program as tables, ready to run; `threads` is how many blocks of 512 lanes run at once."""

    def __init__(self, program: Program, kernels: Kernels, threads: int | None = None) -> None:
        self.program, self.wiring, self.kernels = program, wire(program), kernels
        self.threads = threads or _cores()
        self.streaming = streaming(program, self.wiring)
        self.streamed = Streamed(program, self.wiring, kernels, self.threads)
        self._lowered: dict[bytes | None, Plan] = {}  # by the neurons that are watched, the last ones only
        self._fits: dict[tuple[int, bytes | None], Plan] = {}

    def ticks(self, drive: U8, watch: Array | None = None) -> Trace:
        """Run streams side by side from rest; see `spikebnn.simulate.protocol.Session`."""
        drive = layout.check_drive(self.program, drive)
        watch = np.zeros(0, np.int64) if watch is None else np.asarray(watch, np.int64)
        if len(drive) <= ALONE:
            try:
                return self._one_by_one(drive, watch)
            except TooWide:  # 16 bits do not hold its membranes, or bits its spikes
                pass
        return self._side_by_side(drive, watch)

    def _one_by_one(self, drive: U8, watch: Array) -> Trace:
        """Each stream on a chip of its own."""
        streams, ticks, _ = drive.shape
        spikes = np.zeros((streams, ticks, self.wiring.neurons), np.uint8)
        membranes = np.zeros((streams, ticks, len(watch)), np.int64)
        chip = Chip(self.program, 1, watch)
        for stream in range(streams):
            chip.rest()
            found = chip.run(ticks, drive[stream], record=True)
            assert found.raster is not None
            spikes[stream], membranes[stream] = found.raster, found.membranes
        return Trace(spikes=spikes, membranes=membranes)

    def _side_by_side(self, drive: U8, watch: Array) -> Trace:
        """512 streams to a block."""
        streams, ticks, _ = drive.shape
        spikes = np.zeros((streams, ticks, self.wiring.neurons), np.uint8)
        membranes = np.zeros((streams, ticks, len(watch)), np.int64)
        wanted, place = np.unique(watch, return_inverse=True)
        plan = self._plan(ticks, wanted)

        def block(first: int) -> None:
            some = slice(first, min(first + LANES, streams))
            lanes = some.stop - first
            state = State(self.kernels, plan, self.wiring, 1, len(self.program.cores), len(wanted), lanes)
            for tick in range(ticks):
                state.feed(tick, drive[some, tick])
                state.tick(tick, 1, 0, WATCHES)
                spikes[some, tick] = state.bits(tick)[:, :lanes].T
                membranes[some, tick] = state.sums[0, place.ravel(), :lanes].T

        each(block, range(0, streams, LANES), self.threads)
        return Trace(spikes=spikes, membranes=membranes)

    def frames(self, bits: U8, record: bool = False) -> Answer:
        """Present frames and count in windows; see `spikebnn.simulate.layout`."""
        bits = layout.check_shape(self.program, bits)
        if len(bits) == 0:
            return layout.join([], self.program, self.wiring, record)
        if self.streaming and bits.shape[1] == 1:
            return self.streamed.frames(bits, record)
        layout.check_values(bits)
        return self._stepped(bits, record)

    def _stepped(self, bits: U8, record: bool) -> Answer:
        """Each lane is a stream of frames; the kernel runs once per tick."""
        stacked = layout.stacked(bits)
        streams, per = stacked.shape[:2]
        ticks = last_tick(self.program, per)
        plan, wiring, cores = self._plan(ticks), self.wiring, len(self.program.cores)
        out = Out(len(bits), cores, self.program, wiring, record)
        kind = READS_MEMBRANE if self.program.readout == "membrane" else READS_SPIKES
        period, start = self.program.period, wiring.start

        def block(first: int) -> I64:
            some = slice(first, min(first + LANES, streams))
            lanes = some.stop - first
            lines = layout.feed(self.program, stacked[some])
            state = State(self.kernels, plan, wiring, per, cores, len(self.program.base), lanes)
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
            return state.neuron_spikes[:-1]

        return out.answer(each(block, range(0, streams, LANES), self.threads))

    def _plan(self, ticks: int, watch: Array | None = None) -> Plan:
        name = None if watch is None else watch.tobytes()
        if name not in self._lowered:
            kept: dict[bytes | None, Plan] = {key: plan for key, plan in self._lowered.items() if key is None}
            kept[name] = lower(self.program, self.wiring, False, watch)
            self._lowered = kept
            self._fits = {key: plan for key, plan in self._fits.items() if key[1] in self._lowered}
        if (ticks, name) not in self._fits:
            try:
                self._fits[ticks, name] = fit(self._lowered[name], ticks)
            except OverflowError as why:
                raise InputError(
                    f"in {ticks} ticks {why}, more than 60 bits; use the simulator reference"
                ) from why
        return self._fits[ticks, name]


class TickByTick:
    """A program of memoryless neurons in at most 512 lanes, whose ticks come one by one and have no end."""

    def __init__(self, program: Program, lanes: int, watch: Array) -> None:
        kernels = compiled_kernels()
        if kernels is None:
            raise InputError("the bit-packed kernels need Numba; install it with: pip install numba")
        wiring = wire(program)
        wanted, place = np.unique(watch, return_inverse=True)
        plan = fit(lower(program, wiring, False, wanted), 1)  # one tick: nothing is kept for a second
        self.lanes, self.place = lanes, place.ravel()
        self.state = State(kernels, plan, wiring, 1, len(program.cores), len(wanted), lanes)

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


def _cores() -> int:
    """Processors that this process may use; OMP_NUM_THREADS asks for fewer."""
    affinity = getattr(os, "sched_getaffinity", None)
    here = len(affinity(0)) if affinity else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(here, int(asked))) if asked.isdigit() else here
