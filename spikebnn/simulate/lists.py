"""Which rows a neuron's sum is made of, as lists of row numbers, and which neurons are summed together.

Memoryless neurons whose weights are -1, 0 and +1 are summed by fours or fives where at least SHARED many hear the same
inputs: these are sorted by which of the neurons weigh them +1, so that each is added once for all of them. Where these
are few inputs, each neuron has one list: of its inputs of weight +1, or of -1 if these are fewer, against the sum of
all that it hears; and where nobody else hears the same, of those of +1 and, inverted, of -1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, Array, distinct

SHARED = (4, 16)  # a support is summed once if so many neurons share it, and it has so many rows
FOUR, FIVE = 96, 640  # rows of a support from which on its neurons are summed by fours, and by fives
WIDEST = 16382  # rows of a support for which the kernel's 15 planes suffice
LEAF_PLANES = {4: (5, 6, 7, 15), 5: (6, 7, 9, 15)}  # of a class less its opposite, each of less than half their range
MULTIPLE = {4: 4, 5: 8}  # of rows in a class: a processor foresees fewer ways through many short lists
PADDING = 4  # rows that are never on, behind the inputs
WORDS = 8  # of a row
DEEP = 18  # planes that hold twice a sum less the sum of all, less a bound
GROUP_AT, STRIDE = 1024, 24 * WORDS  # where the kernels add: nine numbers for a group, 24 planes each,
LEVEL_AT = GROUP_AT + 9 * STRIDE  # then what a sum is compared with,
SUPPORT_AT = LEVEL_AT + DEEP * WORDS  # then the sum of all that is heard,
PLANES = SUPPORT_AT + DEEP * WORDS  # and the end
ZERO_ROW = -1  # where inputs are numbered over all jobs; -2 - k is input k, inverted
LONGEST = 65520  # rows in one list; the kernels' adders hold no more
SHORT_COLUMNS = (
    8  # neuron, first, number, bound, start, whether it fires at rest, flip, whether against a support
)


class Lists:
    """Lists of row numbers end to end, each padded with the zero row to a multiple; equal ones are kept once."""

    def __init__(self) -> None:
        self.place: Array | None = None  # what stands for each row, where it is not its number
        self.parts: list[Array] = [np.zeros(0, np.int32)]
        self.size = 0
        self.seen: dict[bytes, int] = {}

    def put(self, rows: Array, count: Array, zero: int, multiple: int = 4) -> tuple[I64, I64]:
        """Lists of `count` rows each, end to end in `rows`: where each begins, and how long it is now."""
        number = -(-count // multiple) * multiple
        first = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
        entries = np.full(int(first[-1]), zero, np.int32)
        entries[np.arange(len(rows)) + np.repeat(first[:-1] - (np.cumsum(count) - count), count)] = rows
        if self.place is not None:
            entries = self.place[entries]
        name = entries.tobytes()
        if name not in self.seen:
            self.seen[name] = self.size
            self.parts.append(entries)
            self.size += len(entries)
        return first[:-1] + self.seen[name], number.astype(np.int64)

    def add(self, wanted: Array, zero: int) -> tuple[I64, I64]:
        """One list for each row of a 0/1 matrix."""
        row, column = np.nonzero(wanted)
        return self.put(column, np.bincount(row, minlength=len(wanted)), zero)

    def join(self) -> I64:
        """All lists."""
        return np.concatenate(self.parts).astype(np.int64)


def words(rows: I64, kind: type[np.generic]) -> Array:
    """Where rows begin."""
    return (WORDS * rows).astype(kind)


def supports(weight: Array, able: Array) -> tuple[I64, list[Array]]:
    """Which set of inputs each neuron shares with enough of `able`, -1 for none, and these sets; weight (neurons, inputs)."""
    which = np.full(len(weight), -1, np.int64)
    size = np.count_nonzero(weight, axis=1)
    able = able & (size >= SHARED[1]) & (size <= WIDEST)
    if not able.any():
        return which, []
    _, count, pattern = distinct(weight != 0)
    often = able & (np.bincount(pattern[able], minlength=len(count))[pattern] >= SHARED[0])
    _, first, number = np.unique(pattern[often], return_index=True, return_inverse=True)
    which[often] = number.ravel()
    return which, [np.flatnonzero(weight[np.flatnonzero(often)[k]]) for k in first.tolist()]


class Columns:
    """Columns of the kernel's table of groups of `many` neurons."""

    def __init__(self, many: int) -> None:
        self.first = 0  # of the index
        self.number = 1  # rows of each class, as `_classes` orders them
        self.kind = 1 + 2**many  # which of LEAF_PLANES
        self.start = self.kind + 1
        self.me = self.start + 1
        self.bound = self.me + many
        self.width = self.bound + many


def _classes(many: int) -> Array:
    """The classes of inputs in the order of their lists; bit k of a class says that neuron k weighs them +1.

    Opposites stand together, such that those of +1 for the last neuron are added and the others taken away; and leaves
    in the order of a tree that is climbed from its left, in which the neurons' bits are the ways, the last but one nearest
    to the leaves.
    """
    half = 2 ** (many - 1)
    leaves = [sum((~k >> n & 1) << (many - 2 - n) for n in range(many - 1)) + half for k in range(half)]
    pairs = zip(leaves[::2], leaves[1::2])
    return np.array([c for one, two in pairs for c in (2 * half - 1 - one, one, two, 2 * half - 1 - two)])


def groups(
    plus: Array, me: I64, bound: I64, start: int, nobody: int, lists: Lists, many: int
) -> Array:
    """Rows of the kernel's table for neurons of one support and start, `many` each; `nobody` takes the places left over.

    plus (neurons, inputs of the support), 0/1; a neuron fires where twice the sum of its plus inputs, less the sum of all,
    and its bound are not negative. The lists count the support's inputs, so that equal patches of an image share them.
    """
    order = np.argsort(bound, kind="stable")  # neighbours of one bound share the kernel's work on it
    short, size, at = -len(order) % many, plus.shape[1], Columns(many)
    bits = np.zeros((len(order) + short, size), bool)
    bits[: len(order)] = plus[order]
    who, level = np.full((len(bits),), nobody), np.full((len(bits),), -size - 1)
    who[: len(order)], level[: len(order)] = me[order], np.clip(bound[order], -size - 1, size)
    some = len(bits) // many
    code = (bits.reshape(some, many, size) << np.arange(many)[:, None]).sum(axis=1)
    rank = np.argsort(_classes(many))[code]
    place = rank + 2**many * np.arange(some)[:, None]
    count = np.bincount(place.ravel(), minlength=2**many * some).reshape(some, -1)
    by = np.argsort(rank, axis=1, kind="stable").ravel()
    first, number = lists.put(by, count.ravel(), size, MULTIPLE[many])
    out = np.zeros((some, at.width), np.int64)
    out[:, at.first] = first.reshape(some, -1)[:, 0]
    out[:, at.number : at.kind] = number.reshape(some, -1)
    out[:, at.kind] = np.searchsorted(2 ** (np.array(LEAF_PLANES[many]) - 1), count.max(axis=1), side="right")
    out[:, at.start] = start
    out[:, at.me : at.bound], out[:, at.bound :] = who.reshape(some, many), level.reshape(some, many)
    return out


def against(plus: Array, me: I64, bound: I64, start: I64, lists: Lists) -> Array:
    """Rows of the kernel's table for neurons of one support with one list each; plus (neurons, its inputs), 0/1."""
    size, many = plus.shape[1], plus.sum(axis=1)
    flip = 2 * many > size
    first, number = lists.add(np.where(flip[:, None], ~plus, plus), size)
    level = np.clip(bound, -size - 1, size)
    # minus: s - 2 m + b >= 0 is not 2 m - s - b - 1 >= 0
    level = np.where(flip, -level - 1, level)
    shared = np.ones(len(me), np.int64)
    return np.stack([me, first, number, level, start, bound >= 0, np.where(flip, -1, 0), shared], axis=1)


def alone(plus: Array, minus: Array, me: I64, bound: I64, start: I64, lists: Lists) -> Array:
    """Rows of the kernel's table for neurons that each count one list, of inverted inputs behind the others."""
    count, zero = plus.shape
    wanted = np.concatenate([plus, np.zeros((count, PADDING), bool), minus], axis=1)
    first, number = lists.add(wanted, zero)
    inverted = minus.sum(axis=1)
    least = np.clip(inverted - bound, 0, wanted.sum(axis=1) + 1)  # active ones with which the neuron fires
    none = np.zeros(count, np.int64)
    return np.stack([me, first, number, least, start, inverted >= least, none, none], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InPlace:
    """Where the inputs of all jobs stand in the ring of spikes itself, and which rows must be made behind it."""

    row: I64  # (2 * inputs + 1,); row of an input, or from the end, of ZERO_ROW and of inverted inputs
    made: I64  # (rows, 4): row, first source, end of them, whether it is inverted
    ends: I64  # (jobs, 2): those that a job makes, for itself alone
    most: int  # rows that one job makes


def in_place(jobs: I64, first_source: I64, sources: I64, used: I64, behind: int, silent: int) -> InPlace:
    """Inputs of one source stand where that does; rows of several sources, or inverted ones that are used, are made.

    jobs (jobs, 2): first input and end of each; first_source (inputs + 1,); sources: rows; used: entries of lists;
    behind: the first row that may be made; silent: the row that is never on.
    """
    wanted = np.zeros((2, len(first_source) - 1), bool)
    wanted[0] = np.diff(first_source) != 1
    wanted[1, ZERO_ROW - 1 - np.unique(used[used < ZERO_ROW])] = True
    before = np.concatenate([[0], np.cumsum(wanted.sum(axis=0))])
    own = np.repeat(before[jobs[:, 0]], np.diff(jobs).ravel())  # rows that earlier jobs make
    target = behind + before[:-1] - own + np.cumsum(wanted, axis=0) - wanted
    which, inverted = np.nonzero(wanted.T)
    ends: I64 = before[jobs]
    return InPlace(
        row=np.concatenate(
            [
                np.where(wanted[0], target[0], np.append(sources, 0)[first_source[:-1]]),
                target[1, ::-1],
                [silent],
            ]
        ),
        made=np.stack(
            [target[inverted, which], first_source[which], first_source[which + 1], inverted], axis=1
        ),
        ends=ends,
        most=int(np.diff(ends).max(initial=0)),
    )
