"""Runs a course: frames one after the other, each through all jobs; memory for a few hundred frames at a time."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, U8, U64, Array, aligned
from spikebnn.simulate.follow import Course
from spikebnn.simulate.lanes import Kernels

MEMORY = 1 << 18  # bytes of signals that are kept at once
LISTS = 1 << 19  # bytes of lists of active inputs that are kept at once
MOST = 512  # frames at once


class Follower:
    """What a course needs while it runs; one for each thread."""

    def __init__(self, course: Course, membrane: bool, base: Array, kernels: Kernels) -> None:
        self.course = course
        *_, self.follow, self.sum_spikes, self.alone = kernels
        words = course.signals
        self.most = int(np.clip(MEMORY // (8 * words), 4, MOST))
        self.flat: U64 = aligned((self.most + 1) * words, np.uint64)
        self.signals = self.flat.reshape(self.most + 1, words)
        widest = max((int(rows[1] - rows[0]) for rows in course.job.tolist()), default=0)
        span = 64 * widest + 64  # of the list of one frame, which is written 32 entries at a time
        at_once = int(np.clip(LISTS // (2 * span), 1, 128))
        self.index = np.zeros(self.most + 4, np.int32)
        self.planes: U64 = aligned(1024, np.uint64)
        self.numbers = np.zeros(512, np.int32)
        self.added = 0  # rows that the last run added
        self.totals = np.zeros(64 * (course.behind - course.first), np.int64)
        self.place = course.bit - 64 * course.first
        c = course
        self._held: tuple[Array, ...] = (  # in the order of the kernel's table
            np.array([words, at_once, span, membrane, c.steady], np.int64),
            self.flat, self.planes, aligned(128 * c.starts, np.uint64), c.mask, c.weights, c.levels, c.masks,
            np.zeros(at_once * span, np.uint16), c.number, self.numbers, np.zeros(c.starts, bool), c.joined, c.low,
            np.zeros(2 * at_once, np.int64),  # active inputs, and the same with the ones of the padding twice
            c.job, c.word, c.joins, c.segments, c.groups, c.tallies, c.wakes, c.runs, c.reads,
            np.ascontiguousarray(base, np.int64), _runs(c.bit),
        )  # fmt: skip
        assert all(array.flags.c_contiguous for array in self._held)
        self.table = np.array([(array.ctypes.data, array.size) for array in self._held], np.int64).ravel()

    def run(self, bits: U8, counts: list[I64], sums: I64, raster: U8 | None) -> I64 | None:
        """Frames (frames, 1, inputs), 0/1 bytes; four counts (frames, cores) and sums are added to.

        Returns the spikes of each neuron in all frames, or None where a byte is neither 0 nor 1.
        """
        self.totals[:] = 0
        self.added = 0
        for first in range(0, len(bits), self.most):
            some = slice(first, min(first + self.most, len(bits)))
            many = some.stop - first
            added = self.follow(bits[some], self.table, *(count[some] for count in counts), sums[some])
            if added < 0:
                return None
            self.added += added
            c = self.course
            self.sum_spikes(
                self.flat, many, c.signals // 8, self.index, self.planes, self.numbers, c.first // 8, c.behind // 8,
                self.totals,
            )  # fmt: skip
            if raster is not None:
                fired = np.unpackbits(self.signals[:many].view(np.uint8), axis=1, bitorder="little")
                raster[some] = fired[:, c.bit]
        return self.totals.take(self.place, mode="clip")  # which spares a check


def _runs(bit: I64) -> I64:
    """Neurons whose spikes follow each other: rows (first neuron, its signal bit, how many)."""
    first = np.flatnonzero(np.diff(bit, prepend=-9) != 1)
    return np.stack([first, bit[first], np.diff(np.append(first, len(bit)))], axis=1)
