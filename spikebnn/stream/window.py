"""Windows over rows, many at a time: the last rows, once every hop; none across a break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.stream.samples import Rows, together
from spikebnn.stream.sources.block import texts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Windows in order; window k ends with row `row[k]`."""

    row: I64  # (windows,); number of the last row on the source's grid
    values: Array  # (windows, rows, channels)
    bad: Array  # (windows,) bool; holds a bad row
    mended: I64  # (windows,); rows in which a reading was held or interpolated
    labels: tuple[str | None, ...]  # (windows,)
    fresh: Array  # (windows,) bool; the first of its segment

    def __len__(self) -> int:
        return len(self.row)

    def take(self, some: slice) -> Windows:
        """Some of the windows."""
        return Windows(row=self.row[some], values=self.values[some], bad=self.bad[some], mended=self.mended[some],
                       labels=self.labels[some], fresh=self.fresh[some])  # fmt: skip


def joined(parts: list[Windows]) -> Windows:
    """Windows one after another."""
    if len(parts) == 1:
        return parts[0]
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Windows.__slots__
        if name != "labels"
    }
    return Windows(labels=tuple(label for part in parts for label in part.labels), **arrays)


class Cutter:
    """Cuts rows into windows of `size` rows, one for every `hop` rows since the last break.

    A window's label is that of its last row, or with "most" that of most rows, the latest of them on a tie.
    """

    def __init__(self, size: int, hop: int, label: str = "last") -> None:
        self.size, self.hop, self.label = size, hop, label
        self.tail: Rows | None = None  # the last rows, at most size - 1
        self.since = 0  # rows since the last break

    def push(self, rows: Rows, most: int) -> Iterator[Windows]:
        """The windows that end in these rows, at most `most` at a time. Take them all before the next call."""
        if not len(rows):
            return
        starts = np.flatnonzero(rows.fresh)
        count = np.arange(1, len(rows) + 1) + self.since
        for start, stop in zip(starts, [*starts[1:], len(rows)]):
            count[start:stop] = np.arange(1, stop - start + 1)
        full = count - self.size
        ends = np.flatnonzero((full >= 0) & (full % self.hop == 0))
        before = 0 if self.tail is None else len(self.tail)
        whole = rows if self.tail is None else together([self.tail, rows])
        self.since = int(count[-1])
        keep = min(self.size - 1, self.since)
        self.tail = whole.take(slice(len(whole) - keep, None)) if keep else None
        bad = np.concatenate([[0], np.cumsum(whole.bad)])
        mended = np.concatenate([[0], np.cumsum(whole.mended)])
        for at in range(0, len(ends), most):
            some = ends[at : at + most]
            last = some + before
            first = last - self.size + 1
            yield Windows(
                row=whole.number[last],
                values=whole.values[first[:, None] + np.arange(self.size)],
                bad=bad[last + 1] > bad[first],
                mended=mended[last + 1] - mended[first],
                labels=self._labels(whole, first, last),
                fresh=full[some] == 0,
            )

    def state(self) -> dict[str, Any]:
        """Everything that must be known to go on."""
        tail = None if self.tail is None else {name: getattr(self.tail, name) for name in Rows.__slots__}
        return {"tail": tail, "since": self.since}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.since = state["since"]
        self.tail = None if state["tail"] is None else Rows(**state["tail"])

    def _labels(self, rows: Rows, first: Array, last: Array) -> tuple[str | None, ...]:
        if rows.labels is None:
            return (None,) * len(last)
        if self.label == "last":
            return tuple(texts(rows.labels[last]))
        out = []
        for start, stop in zip(first, last + 1):
            told = [text for text in reversed(texts(rows.labels[start:stop])) if text is not None]
            out.append(Counter(told).most_common(1)[0][0] if told else None)
        return tuple(out)
