"""Lines on their way in: a pulse is kept on the host for the line's delay, so that no ring must be as deep as it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikebnn.arrays import I64, U8, U64, Array, aligned, mutable

Pack = Callable[[Array, int, Array, Array], None]


class Inlet:
    """Packs the lines of each tick, and puts them into the rows of those that hear them, when they do."""

    def __init__(self, taps: I64, lines: int, rows: U64, pack: Pack) -> None:
        """Row k of `rows` (taps, 8) is line taps[k, 0], taps[k, 1] ticks later."""
        self.rows, self.lines, self.pack = rows, lines, pack
        room = -(-lines // 64) * 64  # `pack` works on so many lines at once
        self.squares: U64 = aligned(room, np.uint64)
        self.packed: U64 = aligned(8 * room, np.uint64).reshape(-1, 8)
        steady = taps[:, 0] >= lines
        rows[steady] = np.uint64(2**64 - 1)
        self.taps: dict[int, tuple[I64, I64]] = {}  # delay: lines in rising order, their rows
        for delay in np.unique(taps[~steady, 1]).tolist():
            own = np.flatnonzero(~steady & (taps[:, 1] == delay))
            own = own[np.argsort(taps[own, 0], kind="stable")]
            self.taps[delay] = taps[own, 0], own
        self.longest = max(self.taps, default=0)
        self.under_way: dict[int, tuple[I64, U64]] = {}  # tick: the lines that were on, and their lanes
        self.lit: list[Array] = []  # rows that may be on

    def feed(self, tick: int, lines: U8) -> None:
        """The active lines (lanes, lines) of a tick; ticks come in order. Fewer lines than there are: the rest is silent."""
        for own in self.lit:
            self.rows[own] = 0
        self.lit = []
        many = lines.shape[1]
        eights = by_eights(lines)
        if eights.any():
            self.pack(eights, many, self.squares, self.packed.reshape(-1))
            if 0 in self.taps:
                line, own = self.taps[0]
                heard = line < many
                self._put(own[heard], self.packed[line[heard]])
            if self.longest:
                on = np.flatnonzero(self.packed[:many].any(axis=1))
                self.under_way[tick] = on, self.packed[on]
        for then in list(self.under_way):
            if then < tick and tick - then in self.taps:
                line, own = self.taps[tick - then]
                on, lanes = self.under_way[then]
                at = np.minimum(np.searchsorted(on, line), len(on) - 1)
                found = on[at] == line
                self._put(own[found], lanes[at[found]])
            if tick - then >= self.longest:
                del self.under_way[then]

    def _put(self, own: Array, lanes: U64) -> None:
        self.rows[own] = lanes
        self.lit.append(own)


def by_eights(bits: Array) -> U64:
    """0/1 bytes (frames, inputs), padded with zeros to a multiple of eight, as words."""
    short = -bits.shape[1] % 8
    if short:
        bits = np.concatenate([bits, np.zeros((len(bits), short), np.uint8)], axis=1)
    return mutable(np.ascontiguousarray(bits, np.uint8)).view(np.uint64)
