"""`Block`: some rows of a sensor, as they came; and what every source offers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.errors import InputError

Position = Mapping[str, Any]  # where to go on reading; plain numbers and texts, {} at the start
ROWS = 4096  # rows handed on at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Rows in the order in which they came; a reading that is missing or unreadable is NaN."""

    values: F64  # (rows, channels); of an event camera (events, 4): t in seconds, x, y, polarity
    position: Position  # behind the last row
    times: F64 | None = (
        None  # (rows,); seconds, NaN where unreadable; None where rows come at the source's rate
    )
    labels: Array | None = None  # (rows,); None where the source has none
    segments: Array | None = None  # (rows,); no window reaches across a change

    @property
    def rows(self) -> int:
        return len(self.values)


class Source(Protocol):
    """A recording or a live sensor."""

    name: str  # for messages
    channels: tuple[str, ...]
    rate: float | None  # rows per second, as the source itself says or as its times show
    exact: bool  # that rate is part of the format, not measured
    regular: bool  # times, where it has them, lie on a grid of that rate
    live: bool  # rows come as they are sensed, and cannot be read twice
    events: bool  # rows are events (t, x, y, polarity)
    full_scale: tuple[float, float] | None  # readings at or beyond these are clipped

    def blocks(self, position: Position) -> Iterator[Block]:
        """The rows from a position on."""
        ...

    def digest(self) -> str:
        """sha256 of what is read; empty where it cannot be known before."""
        ...

    def lost(self) -> int:
        """Rows thrown away because nobody took them in time."""
        ...


def file_digest(path: str) -> str:
    """The sha256 of a file's bytes."""
    total = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                total.update(piece)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened: {(error.strerror or 'the system refused').lower()}"
        ) from None
    return total.hexdigest()


def chosen(path: str, wanted: tuple[str, ...], there: tuple[str, ...]) -> list[int]:
    """Places of the wanted channels among those that are there; all of them where none is named."""
    for name in wanted:
        if name not in there:
            raise InputError(f"{path}: there is no channel {name!r}; there are {', '.join(there)}")
    return [there.index(name) for name in wanted] if wanted else list(range(len(there)))


def texts(values: Array | None) -> list[str | None]:
    """Labels or segments as texts; True is "1"."""
    if values is None:
        return []
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    return (
        [None if value is None else str(value) for value in values.tolist()]
        if values.dtype.kind != "f"
        else [str(int(value)) if value == int(value) else str(value) for value in values.tolist()]
    )
