"""Sums over equal stretches of rows that stay few: when the stretches run out, neighbours are put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikebnn.arrays import F64, I64, Array


class Binned:
    """What falls into stretches of `width` rows; `kinds` says how columns are put together: smallest, largest or sum.

    Stretch k holds rows k * width to (k + 1) * width - 1. Where a row lies beyond the last stretch, width doubles, so
    the table stays at `most` stretches and the result does not depend on how rows were cut into calls.
    """

    KINDS = ("low", "high", "sum")

    def __init__(self, most: int, width: int, columns: Mapping[str, int]) -> None:
        self.most, self.width = most + most % 2, max(1, width)
        self.tables: dict[str, Array] = {
            kind: np.zeros((self.most, columns[kind]), np.int64)
            if kind == "sum"
            else np.full((self.most, columns[kind]), np.nan)
            for kind in columns
        }
        self.last = -1  # row

    @property
    def used(self) -> int:
        """Stretches up to that of the last row."""
        return self.last // self.width + 1

    def add(self, rows: I64, **values: Array) -> None:
        """Add values (rows, columns) by kind, for rows in ascending order. NaN is no reading."""
        if not len(rows):
            return
        self.last = max(self.last, int(rows[-1]))
        while self.last >= self.most * self.width:
            self._halve()
        place = rows // self.width
        first = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]]))
        at = place[first]
        for kind, table in self.tables.items():
            if kind == "sum":
                table[at] += np.add.reduceat(values[kind].astype(np.int64), first, axis=0)
            else:
                least = np.fmin if kind == "low" else np.fmax
                table[at] = least(table[at], least.reduceat(values[kind], first, axis=0))

    def state(self) -> dict[str, Any]:
        """Everything that must be known to go on; only the stretches in use."""
        used = self.used
        return {
            "width": self.width,
            "last": self.last,
            **{kind: table[:used].copy() for kind, table in self.tables.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.width, self.last = state["width"], state["last"]
        for kind, table in self.tables.items():
            table[:] = 0 if kind == "sum" else np.nan
            table[: self.used] = state[kind]

    def _halve(self) -> None:
        half = self.most // 2
        for kind, table in self.tables.items():
            pairs = table.reshape(half, 2, -1)
            if kind == "sum":
                table[:half], table[half:] = pairs.sum(axis=1), 0
            else:
                least = np.fmin if kind == "low" else np.fmax
                table[:half], table[half:] = least(pairs[:, 0], pairs[:, 1]), np.nan
        self.width *= 2


class Thinned:
    """Every value at first, then every second, every fourth..., so that at most `most` are kept; and the true ends."""

    def __init__(self, most: int) -> None:
        self.most, self.stride, self.seen = most, 1, 0
        self.kept: F64 = np.zeros(0)
        self.low, self.high = np.inf, -np.inf

    def add(self, values: F64) -> None:
        """Values in order."""
        if not len(values):
            return
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        first = -self.seen % self.stride
        self.kept = np.concatenate([self.kept, values[first :: self.stride]])
        self.seen += len(values)
        while len(self.kept) > self.most:
            self.kept, self.stride = self.kept[::2], self.stride * 2

    def state(self) -> dict[str, Any]:
        """Everything that must be known to go on."""
        return {
            "stride": self.stride,
            "seen": self.seen,
            "kept": self.kept.copy(),
            "ends": np.array([self.low, self.high]),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.stride, self.seen, self.kept = state["stride"], state["seen"], state["kept"]
        self.low, self.high = state["ends"].tolist()
