"""Times the simulators on one program against the dumb way, a float32 matmul per core; and a chip against real time.

The matmul does the same sums on the same cores, synapses unpacked to a dense float32 matrix, spikes as floats, and
nothing else: no thresholds, no routes, no counts. A simulator that is slower than this has no reason to exist.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from spikebnn.arrays import F32, Array, unpack_bits
from spikebnn.encode import encode
from spikebnn.program import Core, Program
from spikebnn.simulate import registry

MATMUL = "float32 matmul"
ROUNDS = 3  # the best of so many counts
TICK = 1e-3  # seconds of a tick where chips run in real time
WARM = 100  # ticks from rest on that are not timed: a chip has its usual activity then


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one way of computing is."""

    name: str
    version: str
    frames: int
    seconds: float  # best round
    load: float  # seconds to prepare the program, paid once

    @property
    def frames_per_second(self) -> float:
        return self.frames / max(self.seconds, 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipPace:
    """How fast a chip runs tick by tick, without input from outside."""

    cores: int
    neurons: int
    threads: int
    ticks: int
    seconds: float  # best round of so many ticks
    load: float  # seconds to prepare the program and to compile, paid once
    spikes: float  # a tick, over all rounds, as are the next two
    axon_events: float
    synaptic_events: float
    peak_bytes: int  # most memory that this process ever had; 0 where the system does not say

    @property
    def ticks_per_second(self) -> float:
        return self.ticks / max(self.seconds, 1e-9)

    @property
    def times_real_time(self) -> float:
        """1 where a tick takes the millisecond that it stands for."""
        return self.ticks_per_second * TICK

    @property
    def rate(self) -> float:
        """Spikes a neuron and second of the chip's own time, Hz."""
        return self.spikes / max(self.neurons, 1) / TICK


def chip_pace(program: Program, ticks: int = 1000, threads: int = 1) -> ChipPace:
    """Run one stream of a program from rest, without input, tick by tick; needs Numba.

    Raises InputError where a number of the program does not fit the 16 bits of this engine.
    """
    from spikebnn.simulate.chip import Chip

    began = time.perf_counter()
    chip = Chip(program, threads)
    chip.run(WARM)
    load = time.perf_counter() - began
    rounds, events = [], np.zeros(3)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = chip.run(ticks)
        rounds.append(time.perf_counter() - began)
        events += [found.spikes.sum(), found.axon_events.sum(), found.synaptic_events.sum()]
    spikes, axon_events, synaptic_events = (events / (ROUNDS * ticks)).tolist()
    return ChipPace(
        cores=len(program.cores), neurons=int(program.first[-1]), threads=chip.threads, ticks=ticks, seconds=min(rounds),
        load=load, spikes=spikes, axon_events=axon_events, synaptic_events=synaptic_events, peak_bytes=_peak(),
    )  # fmt: skip


def _peak() -> int:
    """Linux counts anew when a program is started; what `resource` says there holds the caller's memory, too."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def bench(program: Program, x: Array, simulators: tuple[str, ...] = (), slow: int = 64) -> tuple[Pace, ...]:
    """The paces of simulators (all that are installed if none is named) and of the matmul on frames `x`.

    All but the bit-packed simulator get the first `slow` frames only. Input is encoded beforehand.
    """
    bits = encode(program.encoder, x)
    out = []
    for name in simulators or tuple(registry.installed()):
        chosen = registry.simulator(name)
        began = time.perf_counter()
        session = chosen.load(program)
        load = time.perf_counter() - began
        mine = bits if name == "bitwise" else bits[:slow]
        session.frames(mine[:1])  # compiles, where something is compiled
        best = min(_timed(partial(session.frames, mine)) for _ in range(ROUNDS))
        out.append(Pace(name=name, version=chosen.version, frames=len(mine), seconds=best, load=load))
    out.append(_matmul(program, len(x)))
    return tuple(out)


def _matmul(program: Program, frames: int) -> Pace:
    began = time.perf_counter()
    weights = [_dense(core) for core in program.cores]
    spikes = [
        np.random.default_rng(0).integers(0, 2, (frames, core.axons)).astype(np.float32)
        for core in program.cores
    ]
    load = time.perf_counter() - began

    def work() -> None:
        for _ in range(program.period):
            for active, weight in zip(spikes, weights):
                active @ weight

    best = min(_timed(work) for _ in range(ROUNDS))
    return Pace(name=MATMUL, version=f"numpy {np.__version__}", frames=frames, seconds=best, load=load)


def _dense(core: Core) -> F32:
    """The core's synapses as one matrix (axons, neurons)."""
    weight = np.zeros((core.axons, core.neurons), np.float32)
    for plane in core.planes:
        bits = unpack_bits(plane.bits, plane.stop - plane.start)
        weight[plane.start : plane.stop] += (plane.scale[:, None] * bits).T
    return weight


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
