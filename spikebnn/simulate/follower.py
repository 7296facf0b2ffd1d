"""Runs a course: frames one after the other, each through all jobs; memory for a few hundred frames at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikebnn.arrays import I64, U8, U64, Array, aligned
from spikebnn.simulate.follow import Course
from spikebnn.simulate.lanes import Kernels

MEMORY = 1 << 18  # bytes of signals that are kept at once
LISTS = 1 << 19  # bytes of lists of active inputs that are kept at once
MOST = 512  # frames at once


class Follower:
    """What a course needs while it runs; one for each thread."""

    def __init__(self, course: Course, membrane: bool, kernels: Kernels) -> None:
        self.course, self.kernels = course, kernels
        words = course.signals
        self.most = int(np.clip(MEMORY // (8 * words), 4, MOST))
        self.flat: U64 = aligned((self.most + 1) * words, np.uint64)
        self.signals = self.flat.reshape(self.most + 1, words)
        widest = max((int(rows[1] - rows[0]) for rows in course.job.tolist()), default=0)
        self.span = 64 * widest + 64  # of the list of one frame, which is written 32 entries at a time
        self.at_once = int(np.clip(LISTS // (2 * self.span), 1, 128))
        self.active = np.zeros(self.at_once * self.span, np.uint16)
        self.many = np.zeros(
            (2, self.at_once), np.int64
        )  # active inputs, and the same with the ones of the padding twice
        self.starts: U64 = aligned(128 * course.starts, np.uint64)
        self.made = np.zeros(course.starts, bool)
        self.index = np.zeros(self.most + 4, np.int32)
        self.planes: U64 = aligned(1024, np.uint64)
        self.numbers = np.zeros(512, np.int32)
        self.added = 0  # rows that the last run added
        self.totals = np.zeros(64 * (course.behind - course.first), np.int64)
        self.place = course.bit - 64 * course.first
        c = course
        self.tables: tuple[Any, ...] = (
            words, self.at_once, self.many, self.span, self.planes, self.active, self.numbers,
            self.starts, self.made,
            c.job, c.word, c.mask, c.number, c.joins,
            c.joined, c.segments, c.weights, c.levels, c.low, c.groups, c.tallies, c.wakes, c.runs, c.masks, c.reads,
            membrane, c.steady,
        )  # fmt: skip

    def run(self, eights: U64, counts: list[I64], sums: I64, raster: U8 | None) -> I64:
        """Frames (frames, ceil(inputs / 8)), 0/1 bytes by eights; four counts (frames, cores) and sums are added to.

        Returns the spikes of each neuron in all frames.
        """
        *_, follow, sum_spikes = self.kernels
        self.totals[:] = 0
        self.added = 0
        for first in range(0, len(eights), self.most):
            some = slice(first, min(first + self.most, len(eights)))
            many = some.stop - first
            self.added += follow(
                eights[some],
                self.flat,
                *self.tables,
                *(count[some] for count in counts),
                sums[some],
            )
            c = self.course
            sum_spikes(
                self.flat, many, c.signals // 8, self.index, self.planes, self.numbers, c.first // 8, c.behind // 8,
                self.totals,
            )  # fmt: skip
            if raster is not None:
                bits = np.unpackbits(self.signals[:many].view(np.uint8), axis=1, bitorder="little")
                raster[some] = bits[:, c.bit]
        return self.totals.take(self.place, mode="clip")  # which spares a check


def by_eights(bits: Array) -> U64:
    """0/1 bytes (frames, inputs), padded with zeros to a multiple of eight, as words."""
    short = -bits.shape[1] % 8
    if short:
        bits = np.concatenate([bits, np.zeros((len(bits), short), np.uint8)], axis=1)
    return np.ascontiguousarray(bits, np.uint8).view(np.uint64)
