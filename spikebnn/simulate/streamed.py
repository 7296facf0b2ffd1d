"""Frames that stream through a program, one a tick, need no ticks: each is one pass through the cores.

Two engines take turns. One has 512 frames side by side, whatever their activity; the other follows the events of one
frame, with neurons side by side, and does nothing for what is silent. Few frames, or sparse ones, go to the second.
The choice depends on the frames and the program, never on time or threads, and no answer depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from spikebnn.arrays import I64, U8
from spikebnn.program import Program
from spikebnn.simulate.follow import BLOCK, Course, course_bytes, follow
from spikebnn.simulate.follower import Follower, by_eights
from spikebnn.simulate.lanes import LANES, READS_MEMBRANE, READS_SPIKES, Kernels, Out, State
from spikebnn.simulate.lower import Plan, fit, lower
from spikebnn.simulate.protocol import Answer
from spikebnn.simulate.wiring import Wiring

FEW = 160  # frames up to which a block of 512 is not worth its while
COURSE_BYTES = 1 << 30  # memory that the tables for following events may take
SAMPLE = 16  # frames on which the work of following is looked at
# Work in rows of 512 bits, measured on dense and convolutional programs: what follows a row that is added costs, and what a
# neuron costs in a block of 512 frames, thresholds and counts included.
PER_BLOCK, PER_NEURON = 60.0, 45.0


class Streamed:
    """A streaming program on both engines, each prepared when it is first wanted."""

    def __init__(self, program: Program, wiring: Wiring, kernels: Kernels, threads: int) -> None:
        self.program, self.wiring, self.kernels, self.threads = program, wiring, kernels, threads
        self.membrane = program.readout == "membrane"
        self._plan: Plan | None = None
        self._course: Course | None = None
        self._states: list[State] = []  # memory of parts that are done
        self._followers: list[Follower] = []

    def frames(self, bits: U8, record: bool) -> Answer:
        """Frames (frames, inputs), bits, through the program."""
        out = Out(len(bits), len(self.program.cores), self.program, self.wiring, record)
        parts = [slice(k, min(k + LANES, len(bits))) for k in range(0, len(bits), LANES)]
        if len(bits) <= FEW and self._fits():
            return out.answer([self._follow(bits, out, parts[0])])
        spikes = [self._side_by_side(bits, out, parts[0])]
        way = self._follow if parts[1:] and self._sparse(bits, out, parts[0]) else self._side_by_side
        return out.answer(spikes + each(lambda some: way(bits, out, some), parts[1:], self.threads))

    def _side_by_side(self, bits: U8, out: Out, some: slice) -> I64:
        """At most 512 frames, one in each lane; the spikes of each neuron."""
        plan, lanes = self.plan, some.stop - some.start
        try:
            state = self._states.pop()
            state.begin(lanes)
        except IndexError:
            state = State(
                self.kernels, plan, self.wiring, 1, len(self.program.cores), len(self.program.base), lanes
            )
        state.feed(0, bits[some])
        state.tick(0, 1, 1, READS_MEMBRANE if self.membrane else READS_SPIKES)
        out.take(some, state, 0, slice(0, lanes))
        if out.record:
            out.raster[some] = state.bits(0)[:, :lanes].T
        spikes = state.neuron_spikes.copy()
        self._states.append(state)
        return spikes

    def _follow(self, bits: U8, out: Out, some: slice) -> I64:
        """Frames one after the other; the spikes of each neuron."""
        try:
            follower = self._followers.pop()
        except IndexError:
            follower = Follower(self.course, self.membrane, self.kernels)
        counts = [counts[some] for counts in out.counts]
        spikes = follower.run(
            by_eights(bits[some]), counts, out.sums[some], out.raster[some] if out.record else None
        )
        self._followers.append(follower)
        return spikes

    def _sparse(self, bits: U8, out: Out, done: slice) -> bool:
        """Whether following events is the shorter way, by what happened in the frames that are done."""
        plan = self.plan
        side_by_side = (len(plan.index) + PER_NEURON * len(plan.neurons)) / LANES
        blocks = self.wiring.neurons / (64 * BLOCK)
        least = out.counts[2][done].sum() / (done.stop - done.start) / (64 * BLOCK)
        if least + PER_BLOCK * blocks > side_by_side or not self._fits():
            return False
        sample = slice(0, min(SAMPLE, done.stop))
        trial = Out(sample.stop, len(self.program.cores), self.program, self.wiring, False)
        self._follow(bits, trial, sample)
        work = self._followers[-1].added / sample.stop
        return bool(work + self.course.blocks * PER_BLOCK < side_by_side)

    def _fits(self) -> bool:
        return self._course is not None or course_bytes(self.program, self.wiring) <= COURSE_BYTES

    @property
    def plan(self) -> Plan:
        if self._plan is None:
            self._plan = fit(lower(self.program, self.wiring, True), 1)
        return self._plan

    @property
    def course(self) -> Course:
        if self._course is None:
            self._course = follow(self.program, self.wiring)
        return self._course


def each(work: Callable[[Any], Any], parts: Any, threads: int) -> list[Any]:
    """The parts' results in order, worked out by so many threads."""
    if threads == 1 or len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))
