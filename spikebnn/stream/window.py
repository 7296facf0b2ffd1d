"""Windows over the rows of a sensor; a window with a bad row, or across a gap, is no window."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import F64
from spikebnn.errors import InputError
from spikebnn.stream.source import Row


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The last `rows` rows; `values` is None where one of them is bad."""

    row: int  # number of its last row, from 0 on
    values: F64 | None  # (rows, channels)
    label: str | None  # of its last row
    held: int  # rows in which the last good row was repeated


def windows(rows: Iterable[Row], size: int, hop: int, missing: str = "skip") -> Iterator[Window]:
    """A window of `size` rows for every `hop` rows, within segments.

    A row is bad when it could not be read or holds a value that is not finite. With `missing` "hold" the last good
    row of the segment is repeated in its place; the window then says so.
    """
    kept: deque[tuple[F64 | None, bool]] = deque(maxlen=size)
    channels, good, segment = None, None, None
    since = 0
    for number, row in enumerate(rows):
        if row.segment != segment:
            kept.clear()
            segment, good, since = row.segment, None, 0
        values = row.values if row.values is not None and np.isfinite(row.values).all() else None
        if values is not None:
            if channels is None:
                channels = len(values)
            if len(values) != channels:
                raise InputError(f"Row {number} has {len(values)} readings, and the rows before it have {channels}.")
            good = values
        held = values is None and good is not None and missing == "hold"
        kept.append((good if held else values, held))
        since += 1
        if since >= size and (since - size) % hop == 0:
            parts = [part for part, _ in kept if part is not None]
            whole = np.stack(parts) if len(parts) == size else None
            yield Window(number, whole, row.label, sum(repeated for _, repeated in kept))
