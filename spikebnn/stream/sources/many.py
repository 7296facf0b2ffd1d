"""Recordings one after another, and labels from beside a recording: its folder's name, or a table of marks."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan
from spikebnn.stream.sources.block import Block, Position, Source, file_digest
from spikebnn.stream.sources.edf import Marks, marked

FOLDER = "folder"


class Many:
    """Several recordings with the same channels and rate; no window reaches across two of them."""

    def __init__(self, plan: SourcePlan, open_one: Callable[[SourcePlan], Source]) -> None:
        self._open, self._plans = open_one, [replace(plan, file=file, files=()) for file in plan.files]
        first = open_one(self._plans[0])
        self._first: Source | None = first
        self.name, self.channels, self.rate = f"{len(plan.files)} recordings", first.channels, first.rate
        self.exact, self.regular, self.live, self.events = first.exact, first.regular, False, first.events
        self.full_scale = first.full_scale
        self.frame = getattr(first, "frame", (0, 0))  # of a camera

    def blocks(self, position: Position) -> Iterator[Block]:
        for number in range(int(position.get("file", 0)), len(self._plans)):
            source = (
                self._first if number == 0 and self._first is not None else self._open(self._plans[number])
            )
            self._first = None
            if source.channels != self.channels or (source.exact and source.rate != self.rate):
                ours, theirs = (
                    f"{', '.join(s)} at {r} Hz"
                    for s, r in ((self.channels, self.rate), (source.channels, source.rate))
                )
                raise InputError(
                    f"{source.name}: the recordings differ: the first has {ours}, and this one {theirs}"
                )
            here = position.get("inner", {}) if number == int(position.get("file", 0)) else {}
            for block in source.blocks(here):
                inner = (
                    [""] * block.rows if block.segments is None else [str(s) for s in block.segments.tolist()]
                )
                named = np.array([f"{number}/{segment}" for segment in inner], object)
                yield replace(block, position={"file": number, "inner": dict(block.position)}, segments=named)

    def digest(self) -> str:
        return "+".join(file_digest(plan.file) for plan in self._plans)

    def lost(self) -> int:
        return 0


class Labelled:
    """A recording whose labels lie beside it: the name of its folder, or a .csv of marks."""

    def __init__(self, inner: Source, plan: SourcePlan, labels: str) -> None:
        self._inner = inner
        self.name, self.channels, self.rate, self.exact = inner.name, inner.channels, inner.rate, inner.exact
        self.regular, self.live, self.events, self.full_scale = (
            inner.regular,
            inner.live,
            inner.events,
            inner.full_scale,
        )
        self.frame = getattr(inner, "frame", (0, 0))  # of a camera
        self._folder = Path(plan.file).parent.name if labels == FOLDER else None
        self._path = None if labels == FOLDER else labels
        self._marks = [] if self._path is None else read_marks(self._path)
        self._rate = inner.rate or plan.rate or 0.0

    def blocks(self, position: Position) -> Iterator[Block]:
        row, origin = int(position.get("rows", 0)), position.get("origin")
        for block in self._inner.blocks(position.get("inner", {})):
            if self._folder is not None:
                labels = np.full(block.rows, self._folder, object)
            else:
                if block.times is None and not self._rate:
                    raise InputError(f"{self.name}: marks are in seconds, so the rate of the rows is needed")
                if block.times is None:
                    times = np.arange(row, row + block.rows) / self._rate
                else:
                    good = block.times[np.isfinite(block.times)]
                    origin = float(good[0]) if origin is None and len(good) else origin
                    times = block.times - (origin or 0.0)
                labels = marked(self._marks, times)
            row += block.rows
            yield replace(
                block, labels=labels, position={"rows": row, "origin": origin, "inner": dict(block.position)}
            )

    def digest(self) -> str:
        beside = "" if self._path is None else file_digest(self._path)
        return self._inner.digest() + beside

    def lost(self) -> int:
        return self._inner.lost()


def read_marks(path: str) -> Marks:
    """Marks of a CSV with the columns start, stop (or duration) and label, in seconds; without a stop, until the next."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened: {(error.strerror or 'the system refused').lower()}"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: this is no CSV text: {error}") from None
    found: list[tuple[float, float | None, str]] = []
    for number, row in enumerate(rows):
        cells = {
            str(key).strip().lower(): str(value).strip() for key, value in row.items() if key is not None
        }
        try:
            start = float(next(cells[k] for k in ("start", "onset", "time", "t", "seconds") if k in cells))
            stop = next((float(cells[k]) for k in ("stop", "end") if cells.get(k)), None)
            lasts = float(cells["duration"]) if stop is None and cells.get("duration") else None
            text = next(cells[k] for k in ("label", "text", "class", "y") if k in cells)
        except (StopIteration, ValueError):
            raise InputError(f"{path}: a mark needs the columns start and label, and may have stop, in seconds; "
                             f"found {dict(row)} in row {number + 1}") from None  # fmt: skip
        found.append((start, stop if lasts is None else start + lasts, text))
    found.sort(key=lambda mark: mark[0])
    after = [*(start for start, _, _ in found[1:]), float("inf")]
    return [(start, then if stop is None else stop, text) for (start, stop, text), then in zip(found, after)]
