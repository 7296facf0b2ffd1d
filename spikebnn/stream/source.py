"""Rows of a sensor, one at a time: from an array file, a CSV file, or CSV on standard input."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.data import read_arrays
from spikebnn.errors import InputError
from spikebnn.stream.scenario import Source

BLOCK = 1024  # rows of an array handed on at a time


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of readings; `values` is None where the row could not be read, and may hold NaN."""

    values: F64 | None  # (channels,)
    label: str | None
    segment: str | None


def rows(source: Source) -> Iterator[Row]:
    """The rows of a source in order. Memory does not grow with a CSV; an .npz is read whole."""
    return _array_rows(source) if source.file.endswith(".npz") else _csv_rows(source)


def _array_rows(source: Source) -> Iterator[Row]:
    held = read_arrays(source.file)
    for name in (source.array, source.labels, source.segments):
        if name is not None and name not in held:
            raise InputError(f"{source.file}: there is no array {name!r}; it holds {', '.join(held)}.")
    x = held[source.array]
    if x.dtype.kind not in "biuf" or x.ndim < 2:
        raise InputError(f"{source.file}: {source.array} must be numbers (rows, channels), found {x.dtype} {x.shape}.")
    labels, segments = held.get(source.labels or "y"), held.get(source.segments or "")
    for name, given in ((source.labels or "y", labels), (source.segments, segments)):
        if given is not None and given.shape != (len(x),):
            raise InputError(f"{source.file}: {name} has shape {given.shape}, wanted one for each of the {len(x)} rows.")
    flat = x.reshape(len(x), -1)
    for at in range(0, len(flat), BLOCK):
        block: Array = flat[at : at + BLOCK].astype(np.float64)
        block *= source.scale
        for k, values in enumerate(block):
            yield Row(values, _text(labels, at + k), _text(segments, at + k))


def _text(array: Array | None, at: int) -> str | None:
    if array is None:
        return None
    return str(int(array[at])) if array.dtype.kind == "b" else str(array[at])


def _csv_rows(source: Source) -> Iterator[Row]:
    with ExitStack() as stack:
        if source.file == "-":
            lines = csv.reader(sys.stdin)
        else:
            try:
                lines = csv.reader(stack.enter_context(open(source.file, newline="", encoding="utf-8")))
            except OSError as error:
                raise InputError(f"{source.file}: cannot be opened: {error.strerror}.") from None
        try:
            head = next(lines, None)
            if head is None:
                raise InputError(f"{source.file}: the CSV is empty; its first line must name the columns.")
            yield from _read(source, [name.strip() for name in head], lines)
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{source.file}: this is no CSV text: {error}.") from None


def _read(source: Source, head: Sequence[str], lines: Iterator[list[str]]) -> Iterator[Row]:
    aside = [name for name in (source.labels, source.segments) if name is not None]
    wanted = list(source.columns) or [name for name in head if name not in aside]
    for name in (*wanted, *aside):
        if name not in head:
            raise InputError(f"{source.file}: there is no column {name!r}; the first line names {', '.join(head)}.")
    at = [head.index(name) for name in wanted]
    label = None if source.labels is None else head.index(source.labels)
    segment = None if source.segments is None else head.index(source.segments)
    for cells in lines:
        if not cells:
            continue
        whole = len(cells) == len(head)
        yield Row(
            _numbers([cells[k] for k in at], source.scale) if whole else None,
            cells[label].strip() if whole and label is not None else None,
            cells[segment].strip() if whole and segment is not None else None,
        )


def _numbers(cells: Sequence[str], scale: float) -> F64 | None:
    """The readings as numbers; an empty or unreadable cell becomes NaN."""
    out = np.empty(len(cells))
    for k, cell in enumerate(cells):
        try:
            out[k] = float(cell) * scale
        except ValueError:
            out[k] = np.nan
    return out
