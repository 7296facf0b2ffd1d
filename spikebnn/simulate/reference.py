"""The slow twin: the tick law of `spikebnn.program`, line by line, in plain NumPy. It is what all others must equal.

Streams are the batch axis; a core's planes are one dense matrix. Sums are exact: float32 holds every integer
below 2**24 and float64 below 2**53, and the matrix is kept in whichever is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, U8, Array, unpack_bits
from spikebnn.program import CLEAR, FORGETS, SATURATE, SUBTRACT, ZERO, Core, Program
from spikebnn.simulate import layout
from spikebnn.simulate.protocol import Answer, Trace
from spikebnn.simulate.tally import Tally
from spikebnn.simulate.wiring import last_tick, wire


class Reference:
    """The registry's entry."""

    name = "reference"
    version = "1"

    def load(self, program: Program) -> ReferenceSession:
        return ReferenceSession(program)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Core:
    """One core's matrix (axons, neurons) and its place in the global numbering."""

    matrix: Array
    axons: slice
    neurons: slice
    core: Core
    rests: bool  # with V = 0 and nothing arriving, no neuron fires or keeps anything


class ReferenceSession:
    """One program, ready to run."""

    def __init__(self, program: Program) -> None:
        self.program, self.wiring = program, wire(program)
        w = self.wiring
        self.cores = [
            _Core(
                matrix=_matrix(core, w.worth[w.axon_first[k] : w.axon_first[k + 1]]),
                axons=slice(int(w.axon_first[k]), int(w.axon_first[k + 1])),
                neurons=slice(int(w.neuron_first[k]), int(w.neuron_first[k + 1])),
                core=core,
                rests=_rests(core),
            )
            for k, core in enumerate(program.cores)
        ]
        self.feeds, self.routes = _rounds(w.feeds), _rounds(w.routes)
        self.feeds_after: dict[int, list[tuple[Array, Array]]] = {}
        for delay, axons, sources in self.feeds:
            self.feeds_after.setdefault(delay, []).append((axons, sources))
        self.graded = np.flatnonzero(w.payload > 1)
        self.value = np.int32 if w.numbers else np.uint8  # what an axon holds
        self.leak = np.concatenate([np.zeros(0, np.int64), *(core.leak for core in program.cores)])
        self.slots = 1 + max((delay for delay, _, _ in self.routes), default=0)
        self.longest = max((delay for delay, _, _ in self.feeds), default=0)

    def ticks(self, drive: U8, watch: Array | None = None) -> Trace:
        """Run streams side by side from rest; see `spikebnn.simulate.protocol.Session`."""
        drive = layout.check_drive(self.program, drive)
        streams, ticks, _ = drive.shape
        watch = np.zeros(0, np.int64) if watch is None else watch
        spikes = np.zeros((streams, ticks, self.wiring.neurons), np.uint8)
        membranes = np.zeros((streams, ticks, len(watch)), np.int64)

        def note(tick: int, axons: U8, fired: U8, v: I64) -> None:
            spikes[:, tick], membranes[:, tick] = fired, v[:, watch]

        self._run(lambda tick: drive[:, tick], streams, ticks, note)
        return Trace(spikes=spikes, membranes=membranes)

    def frames(self, bits: U8, record: bool = False) -> Answer:
        """Present frames in streams and count in windows; see `spikebnn.simulate.layout`."""
        bits = layout.check_bits(self.program, bits)
        parts = []
        size = self.slots * self.wiring.axons + 25 * self.wiring.neurons
        size += min(self.longest + 1, 2 * self.program.encoder.ticks) * self.wiring.lines
        for first, stop in layout.blocks(len(bits), size):
            frames = layout.stacked(bits[first:stop])
            tally = Tally(self.program, self.wiring, stop - first, frames.shape[1], record)
            ticks = last_tick(self.program, frames.shape[1])
            self._run(layout.feed(self.program, frames), len(frames), ticks, tally.tick)
            parts.append(tally.answer())
        return layout.join(parts, self.program, self.wiring, record)

    def _run(self, lines: layout.Feed, streams: int, ticks: int, note: layout.Note) -> None:
        """The law. `note(tick, axons, fired, v)` sees every tick: active axons, spikes, and V after step 2."""
        arriving = np.zeros((self.slots, streams, self.wiring.axons), self.value)
        under_way: dict[int, U8] = {}  # the lines of past ticks in which any was on
        moved = np.zeros(len(self.cores), bool)  # cores in which some V is not 0
        v = np.zeros((streams, self.wiring.neurons), np.int64)
        seen = np.zeros_like(v)
        fired = np.zeros((streams, self.wiring.neurons), np.uint8)
        for tick in range(ticks):
            axons = arriving[tick % self.slots]
            self._arrive(axons, tick, lines(tick), under_way)
            hears = np.zeros(len(self.cores), bool)
            hears[np.searchsorted(self.wiring.axon_first, np.flatnonzero(axons.any(axis=0)), "right") - 1] = (
                True
            )
            fired[:], seen[:] = 0, self.leak
            for number, part in enumerate(self.cores):
                if part.rests and not moved[number] and not hears[number]:
                    continue  # steps 1 to 5 leave V = 0 and no spike
                core, own = part.core, v[:, part.neurons]
                active = axons[:, part.axons].astype(part.matrix.dtype)
                own += np.rint(active @ part.matrix).astype(np.int64)  # 1. integrate
                own += core.leak  # 2. leak
                seen[:, part.neurons] = own
                spike = own >= core.threshold  # 3. fire
                fired[:, part.neurons] = spike
                own[:, np.isin(core.reset, FORGETS)] = 0  # 4. reset
                own[spike & (core.reset == ZERO)] = 0
                own -= spike * np.where(core.reset == SUBTRACT, core.threshold, 0).astype(np.int64)
                low = own < core.floor  # 5. floor
                own[:] = np.where(low & (core.floor_mode == SATURATE), core.floor, own)
                own[low & (core.floor_mode == CLEAR)] = 0
                moved[number] = own.any()
            note(tick, (axons != 0).astype(np.uint8), fired, seen)
            axons[:] = 0
            if fired.any():
                said: Array = fired.astype(self.value)
                said[:, self.graded] = (fired * seen)[:, self.graded]
                _send(arriving, tick, said, self.routes)

    def _arrive(self, axons: Array, tick: int, lines: U8, under_way: dict[int, U8]) -> None:
        """Let the lines that are due arrive on their axons; a line waits here until it is."""
        if lines.any():
            under_way[tick] = lines
        for then in list(under_way):
            for heard, sources in self.feeds_after.get(tick - then, ()):
                axons[:, heard] |= under_way[then][:, sources]
            if tick - then >= self.longest:
                del under_way[then]


def _rests(core: Core) -> bool:
    """Whether V = 0 stays 0, without a spike, where nothing arrives: what a tick adds is the leak."""
    quiet = (core.threshold > core.leak) & (core.floor <= 0) & ((core.leak == 0) | np.isin(core.reset, FORGETS))
    return bool(quiet.all())


def _matrix(core: Core, worth: I64) -> Array:
    """Weights (axons, neurons) of a core: every set bit of a plane adds its neuron's scale; axons hold `worth` at most."""
    total = np.zeros((core.axons, core.neurons), np.int64)
    for plane in core.planes:
        bits = unpack_bits(plane.bits, plane.stop - plane.start)
        total[plane.start : plane.stop] += (bits * plane.scale[:, None].astype(np.int64)).T
    largest = (np.abs(total) * worth[:, None].astype(np.float64)).sum(axis=0).max(initial=0)
    return total.astype(np.float32 if largest < 2**24 else np.float64)


def _rounds(rows: I64) -> list[tuple[int, Array, Array]]:
    """(source, axon, delay) rows as (delay, axons, sources) in which no axon occurs twice, so that plain indexing can OR."""
    out = []
    for delay in np.unique(rows[:, 2]).tolist():
        some = rows[rows[:, 2] == delay]
        while len(some):
            axons, at = np.unique(some[:, 1], return_index=True)
            out.append((delay, axons, some[at, 0]))
            some = np.delete(some, at, axis=0)
    return out


def _send(arriving: Array, tick: int, said: Array, rounds: list[tuple[int, Array, Array]]) -> None:
    """Let what sources say arrive on their axons, each after its delay; two arrivals in one tick are one."""
    for delay, axons, sources in rounds:
        arriving[(tick + delay) % len(arriving)][:, axons] |= said[:, sources]
