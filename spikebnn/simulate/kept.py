"""Frames through a program whose state is kept between calls, and on whose packets faults may act; plain NumPy.

`Session.frames` starts every four frames at rest. A stream with memory of its own, and a chip that loses packets, need
another way: here frames follow each other without end, the state can be saved and brought back, and a `Strike` decides
which packets arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from spikebnn.arrays import I64, U8, Array
from spikebnn.program import CLEAR, FORGETS, SATURATE, SUBTRACT, ZERO, Program
from spikebnn.simulate import layout
from spikebnn.simulate.arriving import streaming, weights
from spikebnn.simulate.protocol import Answer
from spikebnn.simulate.tally import Tally
from spikebnn.simulate.wiring import Wiring, last_tick, wire

LINE, ROUTE = 0, 1  # kinds of packet
PROBES = 16  # pairs of streams that are compared to find out whether frames depend on earlier ones


class Strike(Protocol):
    """What happens to packets and axons in the run; draws depend on the tick since the stream began, never on batches."""

    def packets(self, kind: int, ticks: I64, rows: I64) -> tuple[Array, Array]:
        """For packets on rows of the program's lines or routes, sent in some ticks: which arrive, which arrive again."""
        ...

    def axons(self, ticks: I64, active: U8) -> None:
        """Change active axons (streams, axons) of one tick in place."""
        ...

    def membranes(self, ticks: I64, v: I64) -> None:
        """Change membranes (streams, neurons) before one tick in place."""
        ...


class Kept:
    """A program with its state; `frames` goes on where the last call ended if `keep`, and starts at rest if not.

    Frames that are `apart` each start at rest, so that no fault in one reaches the next, and no cut into calls matters.
    """

    def __init__(self, program: Program, *, keep: bool, strike: Strike | None = None, apart: bool = False) -> None:
        self.program, self.keep, self.strike, self.apart = program, keep, strike, apart
        self.wiring: Wiring = wire(program)
        self.matrices = [weights(core).T.astype(np.float64) for core in program.cores]
        self.lines, self.routes = (_by_source(rows, many) for rows, many in (
            (self.wiring.feeds, self.wiring.lines), (self.wiring.routes, self.wiring.neurons)))  # fmt: skip
        delays = (int(rows[:, 2].max(initial=0)) for rows in (self.wiring.feeds, self.wiring.routes))
        self.slots = 2 + max(delays)  # one more than the longest delay, and one for what arrives again
        self.lag = (
            last_tick(program, 1) - program.period
        )  # ticks after a frame's own until its windows have ended
        self.done = 0  # frames
        self.begun: I64 = np.zeros(
            1, np.int64
        )  # tick of the whole stream at which each of the streams here begins
        self._rest(1)

    def frames(self, bits: U8, record: bool = False) -> Answer:
        """Present frames (frames, ticks, inputs), in streams of four or one from rest, or as the next ones of one stream."""
        bits = layout.check_bits(self.program, bits)
        if self.keep:
            return self._go_on(bits, record)
        parts = []
        for first, stop in layout.blocks(
            len(bits), self.slots * self.wiring.axons + 40 * self.wiring.neurons
        ):
            frames = bits[first:stop, None] if self.apart else layout.stacked(bits[first:stop])
            tally = Tally(self.program, self.wiring, stop - first, frames.shape[1], record)
            self._rest(len(frames))
            self.begun = (self.done + first + np.arange(len(frames)) * frames.shape[1]) * self.program.period
            self._run(frames, last_tick(self.program, frames.shape[1]), tally)
            parts.append(tally.answer())
        self.done += len(bits)
        return layout.join(parts, self.program, self.wiring, record)

    def state(self) -> dict[str, Any]:
        """Everything that must be known to go on."""
        kept = {"v": self.v, "ring": self.ring, "turn": self.turn} if self.keep else {}
        return {"done": self.done, **kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.done = int(state["done"])
        if self.keep:
            self.v, self.ring, self.turn = state["v"].copy(), state["ring"].copy(), int(state["turn"])

    def _go_on(self, bits: U8, record: bool) -> Answer:
        """The next frames. The ticks after the last of them run on a copy: the next call brings other frames for them.

        So a frame's answer is right where its windows see what was sent with it or before, as in programs of layers.
        """
        frames, period = bits[None], self.program.period
        tally = Tally(self.program, self.wiring, len(bits), len(bits), record)
        self.begun = np.array([self.done * period])
        if len(bits):
            at = self._run(frames, len(bits) * period, tally)
            after = {
                name: value.copy() if isinstance(value, np.ndarray) else value
                for name, value in self.state().items()
            }
            for tick in range(len(bits) * period, len(bits) * period + self.lag):
                self._tick(at(tick), tick, tally)
            self.restore(after)
        self.done += len(bits)
        return layout.join([tally.answer()], self.program, self.wiring, record)

    def _run(self, frames: U8, ticks: int, tally: Tally) -> layout.Feed:
        at = layout.feed(self.program, frames)
        for tick in range(ticks):
            self._tick(at(tick), tick, tally)
        return at

    def _rest(self, streams: int) -> None:
        self.v = np.zeros((streams, self.wiring.neurons), np.int64)
        kind = np.int32 if self.wiring.numbers else np.uint8
        self.ring = np.zeros((self.slots, streams, self.wiring.axons), kind)
        self.turn = 0  # slot of the ring that the next tick reads

    def _tick(self, lines: U8, tick: int, tally: Tally) -> None:
        """The law of `spikebnn.program`, for all cores."""
        self._send(LINE, lines, tick)
        axons = self.ring[self.turn]
        if self.strike is not None:
            self.strike.axons(self.begun + tick, axons)
            self.strike.membranes(self.begun + tick, self.v)
        fired = np.zeros(self.v.shape, np.uint8)
        seen = np.zeros_like(self.v)
        for number, core in enumerate(self.program.cores):
            mine = slice(*self.wiring.neuron_first[number : number + 2])
            heard = axons[:, slice(*self.wiring.axon_first[number : number + 2])]
            v = self.v[:, mine]
            if heard.any():
                v += np.rint(heard.astype(np.float64) @ self.matrices[number]).astype(
                    np.int64
                )  # 1. integrate
            v += core.leak  # 2. leak
            seen[:, mine] = v
            spike = v >= core.threshold  # 3. fire
            fired[:, mine] = spike
            v[:, np.isin(core.reset, FORGETS)] = 0  # 4. reset
            v[spike & (core.reset == ZERO)] = 0
            v -= spike * np.where(core.reset == SUBTRACT, core.threshold, 0).astype(np.int64)
            low = v < core.floor  # 5. floor
            np.copyto(
                v,
                np.broadcast_to(core.floor.astype(np.int64), v.shape),
                where=low & (core.floor_mode == SATURATE),
            )
            v[low & (core.floor_mode == CLEAR)] = 0
        tally.tick(tick, (axons != 0).astype(np.uint8) if self.wiring.numbers else axons, fired, seen)
        graded = self.wiring.payload > 1
        self._send(ROUTE, np.where(graded, fired * seen, fired) if graded.any() else fired, tick)
        axons[:] = 0
        self.turn = (self.turn + 1) % self.slots

    def _send(self, kind: int, said: Array, tick: int) -> None:
        """Packets of active sources set out; each arrives after its delay, if nothing happens to it.

        Where a copy that is late meets the next number, the larger of the two is heard.
        """
        first, order, rows = self.routes if kind == ROUTE else self.lines
        stream, source = np.nonzero(said)
        if not len(source):
            return
        many = first[source + 1] - first[source]
        at = np.repeat(first[source] - np.cumsum(many) + many, many) + np.arange(int(many.sum()))
        value = np.repeat(said[stream, source].astype(self.ring.dtype), many)
        stream, row = np.repeat(stream, many), order[at]
        slot = (self.turn + rows[row, 2]) % self.slots
        if self.strike is None:
            self.ring[slot, stream, rows[row, 1]] = value
            return
        arrives, again = self.strike.packets(kind, self.begun[stream] + tick, row)
        for some, then in ((arrives, slot), (again, (slot + 1) % self.slots)):
            np.maximum.at(self.ring, (then[some], stream[some], rows[row[some], 1]), value[some])


def remembers(program: Program) -> bool:
    """Whether answers depend on earlier frames, as those of a recurrent net do.

    Where frames stream one a tick through memoryless neurons it is proven that they do not; elsewhere a frame is asked
    behind different frames, 16 times, at random from a fixed seed.
    """
    if streaming(program, wire(program)):
        return False
    draw = np.random.default_rng(0)
    bits = draw.integers(
        0, 2, (2 * PROBES, layout.FRAMES_PER_STREAM, program.encoder.ticks, program.inputs), np.uint8
    )
    bits[PROBES:, -1] = bits[:PROBES, -1]
    answer = Kept(program, keep=False).frames(bits.reshape(-1, *bits.shape[2:]))
    last = answer.sums.reshape(2 * PROBES, layout.FRAMES_PER_STREAM, -1)[:, -1]
    return bool((last[:PROBES] != last[PROBES:]).any())


def _by_source(rows: I64, sources: int) -> tuple[I64, I64, I64]:
    """Rows (source, axon, delay) by source: those of source s are rows[order[first[s]:first[s + 1]]]."""
    order = np.argsort(rows[:, 0], kind="stable")
    return np.searchsorted(rows[order, 0], np.arange(sources + 1)).astype(np.int64), order, rows
