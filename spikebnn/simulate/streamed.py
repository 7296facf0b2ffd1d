"""Frames that stream through a program, one a tick, need no ticks: each is one pass through the cores.

Two engines take turns. One has 512 frames side by side, whatever their activity; the other follows the events of one
frame, with neurons side by side, and does nothing for what is silent. Few frames, or sparse ones, go to the second.
The choice depends on the frames and the program, never on time or threads, and no answer depends on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from spikebnn.arrays import I64, U8, mutable
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.simulate.follow import Course, course_fits, follow
from spikebnn.simulate.follower import Follower
from spikebnn.simulate.inlet import by_eights
from spikebnn.simulate.lanes import LANES, READS_MEMBRANE, READS_SPIKES, Kernels, Out, State
from spikebnn.simulate.layout import other_value
from spikebnn.simulate.lower import Plan, fit, lower
from spikebnn.simulate.protocol import Answer
from spikebnn.simulate.wiring import Wiring

ALONE = 4  # frames up to which nothing is prepared for many
FEW = 160  # frames up to which a block of 512 is not worth its while
COURSE_BYTES = 1 << 30  # memory that the tables for following events may take
MOST, PARTS = 8, 8  # blocks of 512 frames in one call, and calls for each thread
SAMPLE = 8  # frames on which the work of following is looked at
# Nanoseconds, measured on dense and convolutional programs: a block of 512 frames has the rows that it adds and its neurons;
# a frame that is followed, the rows that its events add, blocks of 512 neurons, and jobs.
PER_ROW, PER_NEURON = 0.5, 33.0
PER_EVENT, PER_BLOCK, PER_JOB = 0.38, 14.0, 80.0
COUNTER = np.dtype(np.int64)


class Streamed:
    """A streaming program on both engines, each prepared when it is first wanted."""

    def __init__(self, program: Program, wiring: Wiring, kernels: Kernels, threads: int) -> None:
        self.program, self.wiring, self.kernels, self.threads = program, wiring, kernels, threads
        self.membrane = program.readout == "membrane"
        self._plan: Plan | None = None
        self._course: Course | None = None
        self._fits: bool | None = None  # whether there can be a course
        self._states: list[State] = []  # memory of parts that are done
        self._followers: list[Follower] = []

    def frames(self, bits: U8, record: bool) -> Answer:
        """Frames (frames, 1, inputs), bits, through the program."""
        if len(bits) <= ALONE and not record and self._may_follow(len(bits)):
            return self._alone(bits)
        out = Out(len(bits), len(self.program.cores), self.program, self.wiring, record)
        done, way, spikes = 0, self._side_by_side, []
        if self._may_follow(len(bits)):
            done = len(bits) if len(bits) <= FEW else SAMPLE
            first, added = self._followed(bits, out, slice(0, done))
            spikes.append(first)
            if done < len(bits) and PER_EVENT * added / done + self._rest() < self._block():
                way = self._follow
        at_once = LANES * max(1, min(MOST, (len(bits) - done) // (LANES * PARTS * self.threads)))
        if out.record:
            at_once = LANES
        parts = [slice(k, min(k + at_once, len(bits))) for k in range(done, len(bits), at_once)]
        return out.answer(spikes + each(lambda some: way(bits, out, some), parts, self.threads))

    def _side_by_side(self, bits: U8, out: Out, some: slice) -> I64:
        """Frames, 512 at a time, one in each lane; the spikes of each neuron."""
        eights = by_eights(bits[some, 0])
        lanes = min(some.stop - some.start, LANES)
        try:
            state = self._states.pop()
            state.begin(lanes)
        except IndexError:
            sums, cores = len(self.program.base), len(self.program.cores)
            state = State(self.kernels, self.plan, self.wiring, 1, cores, sums, lanes, self._counter)
        reads = READS_MEMBRANE if self.membrane else READS_SPIKES
        if not state.stream(eights, bits.shape[2], 0, len(eights), reads, out.part(some)):
            raise other_value(bits)
        if out.record:
            out.raster[some] = state.bits(0)[:, :lanes].T
        spikes = state.neuron_spikes[:-1].copy()
        self._states.append(state)
        return spikes

    def _follow(self, bits: U8, out: Out, some: slice) -> I64:
        """Frames one after the other; the spikes of each neuron."""
        return self._followed(bits, out, some)[0]

    def _followed(self, bits: U8, out: Out, some: slice) -> tuple[I64, int]:
        """The same, and how many rows were added."""
        follower = self._follower()
        part, raster = out.part(some).cleared(), out.raster[some] if out.record else None
        spikes = follower.run(mutable(bits[some]), part.counts, part.sums, raster)
        added = follower.added
        self._followers.append(follower)
        if spikes is None:
            raise other_value(bits)
        return spikes, added

    def _alone(self, bits: U8) -> Answer:
        """A few frames (frames, 1, inputs), with as little around them as can be."""
        follower = self._follower()
        counts = np.zeros((4, len(bits), len(self.program.cores)), COUNTER)
        sums = np.empty((len(bits), len(self.program.base)), COUNTER)
        fired = np.empty(self.wiring.neurons, COUNTER)
        good = follower.alone(mutable(bits), follower.table, counts, sums, fired)
        self._followers.append(follower)
        if not good:
            raise other_value(bits)
        spikes, axons, synapses, updates = counts[0], counts[1], counts[2], counts[3]
        events = Counts(spikes, axons, synapses, fired, updates)
        return Answer(sums, events, None)

    def _follower(self) -> Follower:
        try:
            return self._followers.pop()
        except IndexError:
            return Follower(self.course, self.membrane, self.program.base, self.kernels)

    def _may_follow(self, frames: int) -> bool:
        """Whether following events can be the shorter way: the frames decide, unless the program does."""
        if self._fits is None:  # followers know bits only
            self._fits = not self.wiring.numbers and course_fits(self.program, self.wiring, COURSE_BYTES)
        return self._fits and (frames <= FEW or self._rest() < self._block())

    def _rest(self) -> float:
        """The work of following a frame in which nothing happens."""
        return PER_BLOCK * self.course.blocks + PER_JOB * len(self.course.job)

    def _block(self) -> float:
        """A frame's share of the work of 512 frames side by side."""
        return (PER_ROW * self.plan.work + PER_NEURON * self.wiring.neurons) / LANES

    @property
    def _counter(self) -> type[np.integer[Any]]:
        """What holds the events of a frame in one core."""
        synapses = max((core.neurons * core.axons for core in self.program.cores), default=0)
        return np.int32 if synapses < 2**31 else np.int64

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
    """The parts' results in order, worked out by so many threads, the caller among them; a failure stops them all."""
    if threads == 1 or len(parts) < 2:
        return [work(part) for part in parts]
    found: list[Any] = [None] * len(parts)
    left: SimpleQueue[int] = SimpleQueue()
    for number in range(len(parts)):
        left.put(number)

    failed: list[bool] = []

    def share() -> None:
        while not failed:
            try:
                number = left.get_nowait()
            except Empty:
                return
            try:
                found[number] = work(parts[number])
            except BaseException:
                failed.append(True)
                raise

    others = [_pool(threads - 1).submit(share) for _ in range(threads - 1)]
    try:
        share()
    finally:
        wait(others)
    for other in others:
        other.result()
    return found


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that stay, as to start them takes as long as some hundred frames."""
    return ThreadPoolExecutor(threads, thread_name_prefix="spikebnn")


if hasattr(os, "register_at_fork"):  # a child process has none of these threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
