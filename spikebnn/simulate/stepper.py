"""A program tick by tick, as a host that keeps its own clock needs it: lines in, spikes out, all state kept between calls.

Two engines obey the same law. Float matrix products, core after core, take any program and are the quicker one
for a few streams; the bit-packed kernels take programs of memoryless neurons and cost the same for 1 to 512
streams, so many streams go to them where Numba is installed. Neither answer depends on the choice.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spikebnn.arrays import I64, U8, Array
from spikebnn.errors import InputError
from spikebnn.program import CLEAR, FORGETS, GRADED, SATURATE, SUBTRACT, ZERO, Core, Program
from spikebnn.simulate.arriving import weights
from spikebnn.simulate.wiring import Wiring, wire

PACKED_FROM = (
    24  # streams; measured on a dense 784-1024-1024-10: 8 streams 0.5 against 1.2 ms a tick, 32 streams 1.4
)
ENGINES = ("auto", "products", "packed")


class Stepper(Protocol):
    """A program at rest, V = 0, before tick 0; every `step` is the next tick of all streams."""

    tick: int  # ticks done

    def step(self, lines: U8) -> None:
        """One tick; lines (streams, lines) is 1 where a line is active in it."""
        ...

    def spikes(self, neurons: Array) -> U8:
        """Spikes (streams, len(neurons)) of the last tick."""
        ...

    def membranes(self) -> I64:
        """V after step 2 of the last tick (streams, watched)."""
        ...


def stepper(program: Program, streams: int = 1, watch: Array | None = None, engine: str = "auto") -> Stepper:
    """A program in `streams` copies side by side, ready for its first tick; `watch` numbers the neurons of `membranes`."""
    if streams < 1:
        raise InputError(f"a stepper runs 1 stream or more, and {streams} are asked for")
    if engine not in ENGINES:
        raise InputError(f"there is no engine {engine!r}; known are {', '.join(ENGINES)}")
    watch = np.zeros(0, np.int64) if watch is None else np.asarray(watch, np.int64)
    forgets = all(np.isin(core.reset, FORGETS).all() for core in program.cores)
    if engine == "packed" and not forgets:
        raise InputError("the packed engine takes memoryless neurons only, and this program has others")
    if engine == "auto" and forgets and streams >= PACKED_FROM and importlib.util.find_spec("numba"):
        engine = "packed"
    return Packed(program, streams, watch) if engine == "packed" else Products(program, streams, watch)


class Packed:
    """Memoryless programs on the kernels of `spikebnn.simulate.bitwise`, 512 streams to a block."""

    def __init__(self, program: Program, streams: int, watch: Array) -> None:
        from spikebnn.simulate.bitwise import TickByTick
        from spikebnn.simulate.lanes import LANES

        self.tick, self.streams, self.watch = 0, streams, watch
        self.blocks = [slice(k, min(k + LANES, streams)) for k in range(0, streams, LANES)]
        self.states = [TickByTick(program, block.stop - block.start, watch) for block in self.blocks]

    def step(self, lines: U8) -> None:
        """See `Stepper`."""
        for block, state in zip(self.blocks, self.states):
            state.step(self.tick, lines[block])
        self.tick += 1

    def spikes(self, neurons: Array) -> U8:
        """See `Stepper`."""
        if self.tick == 0:
            return np.zeros((self.streams, len(neurons)), np.uint8)
        return np.concatenate([state.spikes(self.tick - 1, neurons) for state in self.states])

    def membranes(self) -> I64:
        """See `Stepper`."""
        if self.tick == 0:
            return np.zeros((self.streams, len(self.watch)), np.int64)
        return np.concatenate([state.membranes() for state in self.states])


@dataclass(slots=True, kw_only=True, eq=False)
class _Part:
    """One core: arrays have neurons or axons first and streams last."""

    core: Core
    neurons: slice
    matrix: Array  # (neurons, axons)
    bound: Array | None  # (neurons, 1) where all forget: the sum from which on a neuron fires
    graded: I64  # neurons whose spikes carry numbers
    active: Array  # (axons, streams)
    heard: list[tuple[Array, Array, Array]]  # rounds of (axons, delays, sources); no axon twice in a round
    fed: list[tuple[int, Array, Array]]  # rounds of (delay, axons, lines)
    v: I64  # (neurons, streams); empty where all are memoryless
    watched: tuple[Array, Array]  # neurons of the core that are watched, and their places


class Products:
    """Any program as one matrix product for each core and tick; exact, as float32 holds every sum below 2**24.

    Where spikes carry numbers the ring holds those.
    """

    def __init__(self, program: Program, streams: int, watch: Array) -> None:
        self.wiring = wire(program)
        self.tick, self.streams = 0, streams
        self.slots = 1 + int(self.wiring.routes[:, 2].max(initial=0))
        self.longest = int(self.wiring.feeds[:, 2].max(initial=0))
        exact = np.float32 if self.wiring.payload.max(initial=1) < 2**24 else np.float64
        self.ring = np.zeros(
            (self.slots, self.wiring.neurons + 1, streams), exact
        )  # the last row is never on
        self.under_way: dict[int, Array] = {}  # the lines (lines, streams) of past ticks in which any was on
        self.watching = np.zeros((len(watch), streams), np.int64)
        self.parts = [
            _part(core, number, self.wiring, streams, watch) for number, core in enumerate(program.cores)
        ]

    def step(self, lines: U8) -> None:
        """See `Stepper`."""
        if lines.any():
            self.under_way[self.tick] = lines.T.astype(np.float32)
        rows = self.wiring.neurons + 1
        ring, now = self.ring.reshape(-1, self.streams), self.ring[self.tick % self.slots]
        for part in self.parts:
            self._arrive(part, ring, rows)
            self._fire(part, now[part.neurons])
        for then in [t for t in self.under_way if self.tick - t >= self.longest]:
            del self.under_way[then]
        self.tick += 1

    def spikes(self, neurons: Array) -> U8:
        """See `Stepper`."""
        last = self.ring[(self.tick - 1) % self.slots]
        return np.ascontiguousarray((last[neurons] != 0).astype(np.uint8).T)

    def membranes(self) -> I64:
        """See `Stepper`."""
        return self.watching.T.copy()

    def _arrive(self, part: _Part, ring: Array, rows: int) -> None:
        """Fill the part's active axons."""
        active = part.active
        active[:] = 0
        for axons, delays, sources in part.heard:
            found = ring[(self.tick - delays) % self.slots * rows + sources]
            active[axons] = np.maximum(active[axons], found)
        for delay, axons, sources in part.fed:
            then = self.under_way.get(self.tick - delay)
            if then is not None:
                active[axons] = np.maximum(active[axons], then[sources])

    def _fire(self, part: _Part, out: Array) -> None:
        """Steps 1 to 5 of the law."""
        core = part.core
        total = part.matrix @ part.active
        own, place = part.watched
        if part.bound is not None:
            out[:] = total >= part.bound
            if len(part.graded):
                out[part.graded] *= total[part.graded] + core.leak[part.graded, None]
            if len(own):
                self.watching[place] = np.rint(total[own]).astype(np.int64) + core.leak[own, None]
            return
        v = part.v
        v += np.rint(total).astype(np.int64)  # 1. integrate
        v += core.leak[:, None]  # 2. leak
        self.watching[place] = v[own]
        spike = v >= core.threshold[:, None]  # 3. fire
        out[:] = spike
        out[part.graded] *= v[part.graded]
        v[np.isin(core.reset, FORGETS)] = 0  # 4. reset
        v[spike & (core.reset == ZERO)[:, None]] = 0
        v -= spike * np.where(core.reset == SUBTRACT, core.threshold, 0).astype(np.int64)[:, None]
        floor, mode = core.floor[:, None].astype(np.int64), core.floor_mode[:, None]
        low = v < floor  # 5. floor
        np.copyto(v, np.broadcast_to(floor, v.shape), where=low & (mode == SATURATE))
        v[low & (mode == CLEAR)] = 0


def _part(core: Core, number: int, wiring: Wiring, streams: int, watch: Array) -> _Part:
    first, low = int(wiring.neuron_first[number]), int(wiring.axon_first[number])
    weight = weights(core)
    largest = int((np.abs(weight) @ wiring.worth[low : low + core.axons]).max(initial=0))
    kind = np.float32 if largest + int(np.abs(core.leak).max(initial=0)) < 2**24 else np.float64
    forgets = bool(np.isin(core.reset, FORGETS).all())
    bound = np.clip(core.threshold.astype(np.int64) - core.leak, -largest - 1, largest + 1)
    place = np.flatnonzero((watch >= first) & (watch < first + core.neurons))
    mine = (wiring.routes[:, 1] >= low) & (wiring.routes[:, 1] < low + core.axons)
    lines = (wiring.feeds[:, 1] >= low) & (wiring.feeds[:, 1] < low + core.axons)
    shift = np.array([0, low, 0])
    return _Part(
        core=core,
        neurons=slice(first, first + core.neurons),
        matrix=np.ascontiguousarray(weight, dtype=kind),
        bound=bound[:, None].astype(kind) if forgets else None,
        graded=np.flatnonzero(core.reset == GRADED),
        active=np.zeros((core.axons, streams), kind),
        heard=[(some[:, 1], some[:, 2], some[:, 0]) for some in _rounds(wiring.routes[mine] - shift)],
        fed=[
            (delay, some[:, 1], some[:, 0])
            for delay in np.unique(wiring.feeds[lines, 2]).tolist()
            for some in _rounds((wiring.feeds[lines] - shift)[wiring.feeds[lines, 2] == delay])
        ],
        v=np.zeros((0 if forgets else core.neurons, streams), np.int64),
        watched=(watch[place] - first, place),
    )


def _rounds(rows: I64) -> list[I64]:
    """(source, axon, delay) rows cut so that no axon stands twice in a piece; plain indexing can then OR them."""
    out = []
    while len(rows):
        _, at = np.unique(rows[:, 1], return_index=True)
        out.append(rows[at])
        rows = np.delete(rows, at, axis=0)
    return out
