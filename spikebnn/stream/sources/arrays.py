"""Rows from memory: an .npz file, NumPy arrays one after another, and an endless collage of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.data import read_arrays
from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan
from spikebnn.stream.sources.block import ROWS, Block, Position, chosen, file_digest

PIECE = 256  # rows of a collage's piece where the recording has no segments
PIECES = 32  # in a block


class Arrays:
    """An .npz file: x (rows, channels), and where they are named, labels, segments and times per row."""

    exact, live, events, full_scale, regular = True, False, False, None, True
    rate: float | None = None

    def __init__(self, plan: SourcePlan) -> None:
        held = read_arrays(plan.file)
        self.name = plan.file
        for name in (plan.array, plan.labels, plan.segments, plan.time):
            if name is not None and name not in held:
                raise InputError(f"{plan.file}: there is no array {name!r}; it holds {', '.join(held)}")
        x = held[plan.array]
        if x.dtype.kind not in "biuf" or x.ndim < 1:
            raise InputError(
                f"{plan.file}: {plan.array} must be numbers (rows, channels), found {x.dtype} {x.shape}"
            )
        self.x = x.reshape(len(x), -1)
        names = tuple(str(k) for k in range(self.x.shape[1]))
        self.columns = chosen(plan.file, plan.columns, names)
        self.channels = tuple(names[k] for k in self.columns)
        self.labels, self.segments = held.get(plan.labels or "y"), held.get(plan.segments or "")
        self.times = None if plan.time is None else held[plan.time].astype(np.float64)
        if plan.labels is None and self.labels is not None and self.labels.shape != (len(x),):
            self.labels = None  # a "y" that is no label per row
        for name, given in (
            (plan.labels, self.labels),
            (plan.segments, self.segments),
            (plan.time, self.times),
        ):
            if given is not None and given.shape != (len(x),):
                raise InputError(
                    f"{plan.file}: {name} has shape {given.shape}, wanted one for each of the {len(x)} rows"
                )
        if self.times is not None and len(self.times) > 1:
            self.rate, self.regular, self.exact = (*pace(self.times[:1000]), False)

    def blocks(self, position: Position) -> Iterator[Block]:
        for at in range(int(position.get("row", 0)), len(self.x), ROWS):
            some = slice(at, min(at + ROWS, len(self.x)))
            yield Block(
                values=self.x[some][:, self.columns].astype(np.float64),
                position={"row": some.stop},
                times=None if self.times is None else self.times[some],
                labels=None if self.labels is None else self.labels[some],
                segments=None if self.segments is None else self.segments[some],
            )

    def digest(self) -> str:
        return file_digest(self.name)

    def lost(self) -> int:
        return 0


class Endless:
    """A synthetic recording: pieces of a real one in random order, with noise, made as they are read.

    Pieces are the recording's segments, or 256 rows from anywhere; noise is normal, `noise` times each channel's
    standard deviation. Block b is drawn from the seed and b alone, so reading can go on from any block.
    """

    exact, live, events, full_scale, regular = True, False, False, None, True

    def __init__(self, plan: SourcePlan) -> None:
        self.inner, self.plan = Arrays(plan), plan
        if not len(self.inner.x):
            raise InputError(f"{plan.file}: {plan.array} holds no rows to make a longer recording of")
        self.name, self.channels, self.rate = plan.file, self.inner.channels, None
        self.x = self.inner.x[:, self.inner.columns].astype(np.float64)
        self.spread = plan.noise * np.nan_to_num(np.nanstd(self.x, axis=0))
        assert plan.duration is not None
        assert plan.rate is not None
        self.total = round(plan.duration * plan.rate)
        segments = self.inner.segments
        if segments is None:
            self.starts = np.arange(max(1, len(self.x) - PIECE + 1))
            self.stops = np.minimum(self.starts + PIECE, len(self.x))
        else:
            edges = np.flatnonzero(segments[1:] != segments[:-1]) + 1
            self.starts, self.stops = np.concatenate([[0], edges]), np.concatenate([edges, [len(self.x)]])

    def blocks(self, position: Position) -> Iterator[Block]:
        number, row = int(position.get("block", 0)), int(position.get("row", 0))
        while row < self.total:
            draw = np.random.default_rng([self.plan.seed, number])
            picked = draw.integers(0, len(self.starts), PIECES)
            rows = np.concatenate([np.arange(self.starts[k], self.stops[k]) for k in picked])
            values = self.x[rows] + self.spread * draw.standard_normal((len(rows), self.x.shape[1]))
            keep = slice(0, self.total - row)
            pieces = np.repeat(np.arange(PIECES) + number * PIECES, self.stops[picked] - self.starts[picked])
            number, row = number + 1, row + min(len(rows), self.total - row)
            labels = self.inner.labels
            yield Block(
                values=values[keep],
                position={"block": number, "row": row},
                labels=None if labels is None else labels[rows][keep],
                segments=None if self.inner.segments is None else pieces[keep],
            )

    def digest(self) -> str:
        return self.inner.digest()

    def lost(self) -> int:
        return 0


class Iterated:
    """Rows from a Python iterable: arrays (channels,) or (rows, channels), as a program of yours reads them.

    `replay` says that the iterable gives the same rows again when it is started again, as a list does.
    """

    rate: float | None = None
    full_scale: tuple[float, float] | None = None
    exact, events, regular = True, False, True

    def __init__(self, rows: Iterable[Any], channels: tuple[str, ...] = (), *, replay: bool = False) -> None:
        self.name, self.live = "the rows", not replay
        self._rows = rows
        self._first: F64 | None = None
        self._iterator = iter(rows)
        for piece in self._iterator:
            self._first = self._block(piece)
            break
        wide = 0 if self._first is None else self._first.shape[1]
        self.channels = channels or tuple(str(k) for k in range(wide))

    def blocks(self, position: Position) -> Iterator[Block]:
        row, skip = 0, int(position.get("row", 0)) if not self.live else 0
        first, self._first = self._first, None
        for piece in self._all(first):
            values = self._block(piece)
            row += len(values)
            if row <= skip:
                continue
            yield Block(values=values[max(0, skip - row + len(values)) :], position={"row": row})

    def _all(self, first: F64 | None) -> Iterator[Any]:
        if first is None:
            self._iterator = iter(self._rows)
        else:
            yield first
        yield from self._iterator

    def _block(self, piece: Any) -> F64:
        values = np.asarray(piece, np.float64)
        if values.ndim == 1:
            values = values[None]
        if values.ndim != 2:
            raise InputError(
                f"the rows must be arrays (channels,) or (rows, channels), found shape {values.shape}"
            )
        return values

    def digest(self) -> str:
        return ""

    def lost(self) -> int:
        return 0


def pace(times: Array) -> tuple[float | None, bool]:
    """Rows per second that some times show, a round number where one is near, and whether they lie on such a grid.

    The rate is one over the median distance of neighbours; times lie on a grid when at most one distance in ten is more
    than half a period away from a whole number of periods, or none at all, and at most one row in fifty has the time of
    the row before it: so that of clocks that are coarser than the rows no row is taken for one that came twice.
    """
    good = times[np.isfinite(times)]
    steps = np.diff(good)
    twice = bool(len(steps)) and float((steps == 0).mean()) > 0.02
    together = float(steps[steps >= 0].mean()) if twice else 0.0
    steps = steps[steps > 0]
    if not len(steps):
        return None, False
    period = float(np.median(steps))
    irregular = np.abs(steps - period) > period / 2
    whole = np.abs(steps / period - np.rint(steps / period)) < 0.25
    regular = bool((irregular & ~whole).mean() <= 0.02 and irregular.mean() <= 0.2) and not twice
    if not regular:
        period = together or float(steps.mean())
    rate = 1 / period
    near = round(rate) if rate >= 1 else 1 / float(f"{period:.3g}")
    return (float(near) if near and abs(rate / near - 1) < 5e-3 else rate), regular
