"""Rows of numbers written as text: separators, a head line, a column of times with its unit, bad cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from spikebnn.arrays import F64
from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan

SEPARATORS = (",", ";", "\t", "|")
UNITS = {
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
    "min": 60.0,
    "h": 3600.0,
}
TIME_NAMES = re.compile(
    r"(t|ts|time|timestamp|datetime|date|date_time|date time|epoch|elapsed|seconds|utc)"
    r"[\s_]*[\[(]?(s|sec|seconds|ms|us|µs|ns|min|h|utc|unix|iso)?[\])]?", re.IGNORECASE)  # fmt: skip
LABEL_NAMES = ("label", "labels", "class", "target")
NOTHING = ("", "nan", "na", "n/a", "null", "none", "-", "?")
UNREADABLE = "?"  # stands for a line that cannot be taken apart
PEEK = 1000  # rows that are read ahead to find out about times


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """How the cells of a line are to be read."""

    name: str  # for messages
    separator: str
    decimal: str
    head: tuple[str, ...]
    titled: bool  # the first line holds the names
    columns: tuple[int, ...]
    label: int | None
    segment: int | None
    time: int | None
    unit: float | None  # seconds; None: dates

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(self.head[k] for k in self.columns)


def table(name: str, plan: SourcePlan, lines: Sequence[str]) -> Table:
    """Find out from the first lines what the columns are; raises InputError where that cannot be said."""
    if not lines:
        raise InputError(f"{name}: the CSV is empty; its first line must name the columns")
    separator = plan.separator or _separator(lines[0])
    decimal = plan.decimal or _decimal(lines, separator)
    first = cells_of(lines[0], separator)
    titled = any(_number(cell, decimal) is None and cell.lower() not in NOTHING for cell in first) and _dates(
        first
    ) < len(first)
    if not titled and not plan.columns and _dates(first):
        titled = False
    head = tuple(cell.strip() for cell in first) if titled else tuple(str(k) for k in range(len(first)))
    twice = sorted({title for title in head if head.count(title) > 1 and title})
    rows = [cells_of(line, separator) for line in lines[1 if titled else 0 :]]
    time = _find_time(name, plan, head, rows, decimal)
    label = plan.labels if plan.labels in head else None
    if plan.labels is None:
        label = next(
            (title for title in head if title.lower() in LABEL_NAMES and title not in plan.columns), None
        )
    elif label is None:
        raise InputError(
            f"{name}: there is no column {plan.labels!r}; the first line names {', '.join(head)}"
        )
    for wanted in (*plan.columns, *((plan.segments,) if plan.segments else ())):
        if wanted not in head:
            raise InputError(f"{name}: there is no column {wanted!r}; the first line names {', '.join(head)}")
        if wanted in twice:
            raise InputError(f"{name}: two columns are called {wanted!r}; give them different names")
    aside = {label, plan.segments, None if time is None else head[time]}
    wanted = tuple(head.index(title) for title in plan.columns) or tuple(
        k for k, title in enumerate(head) if title not in aside
    )
    _no_text(name, head, wanted, rows, decimal)
    return Table(
        name=name, separator=separator, decimal=decimal, head=head, titled=titled, columns=wanted,
        label=None if label is None else head.index(label),
        segment=None if plan.segments is None else head.index(plan.segments),
        time=time, unit=None if time is None else _unit(name, plan, head[time], _column(rows, time), decimal),
    )  # fmt: skip


def _column(rows: Sequence[Sequence[str]], at: int) -> list[str]:
    return [row[at] for row in rows if len(row) > at]


def cells_of(line: str, separator: str) -> list[str]:
    """One line's cells, quotes taken off."""
    if separator == " ":
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:  # a cell too long, a return in the middle
        return [UNREADABLE]


def numbers(table: Table, cells: Sequence[str]) -> list[float]:
    """The readings of a row; an empty or unreadable cell is NaN."""
    try:
        if table.decimal == ".":
            return [float(cells[k]) for k in table.columns]
    except ValueError:
        pass
    found = (_number(cells[k], table.decimal) for k in table.columns)
    return [np.nan if value is None else value for value in found]


def time_of(table: Table, cell: str) -> float:
    """A row's time in seconds; NaN where it cannot be read."""
    if table.unit is None:
        return _date(cell)
    value = _number(cell, table.decimal)
    return np.nan if value is None else value * table.unit


def _separator(line: str) -> str:
    counts = {mark: line.count(mark) for mark in SEPARATORS}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else " " if len(line.split()) > 1 else ","


def _decimal(lines: Sequence[str], separator: str) -> str:
    """A comma where cells are numbers with it and never with a point, as in 21,5; else a point."""
    if separator == ",":
        return "."
    cells = [cell for line in lines[:50] for cell in cells_of(line, separator)]
    commas = any(re.fullmatch(r"[+-]?\d+,\d+", cell) for cell in cells)
    return "," if commas and not any(re.fullmatch(r"[+-]?\d+\.\d+", cell) for cell in cells) else "."


def _number(cell: str, decimal: str) -> float | None:
    text = cell.strip()
    if decimal != ".":
        text = text.replace(".", "").replace(decimal, ".")
    try:
        return float(text)
    except ValueError:
        return None


def _date(cell: str) -> float:
    text = cell.strip().replace("/", "-")
    text = text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text
    text = re.sub(r"(:\d\d)\.(\d+)", lambda found: f"{found[1]}.{found[2][:6]:0<6}", text, count=1)
    for form in (None, "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%m-%d-%Y %H:%M:%S", "%m-%d-%Y %H:%M"):
        try:
            found = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            continue
        found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        return found.timestamp()
    return float("nan")


def _dates(cells: Sequence[str]) -> int:
    """How many cells are readings or dates, if a date is among them."""
    dates = sum(_date(cell) == _date(cell) for cell in cells)
    return dates and dates + sum(_number(cell, ".") is not None for cell in cells)


def _find_time(
    name: str, plan: SourcePlan, head: Sequence[str], rows: Sequence[Sequence[str]], decimal: str
) -> int | None:
    """The column of times: the one that is named, or the first with such a name whose values rise."""
    if plan.time is not None:
        if plan.time not in head:
            raise InputError(
                f"{name}: there is no column {plan.time!r}; the first line names {', '.join(head)}"
            )
        return head.index(plan.time)
    for k, title in enumerate(head):
        if title in plan.columns or title in (plan.labels, plan.segments):
            continue
        values = [row[k] for row in rows if len(row) > k]
        dates = [_date(cell) for cell in values]
        if TIME_NAMES.fullmatch(title.strip()):
            found = np.array(
                [
                    number if (number := _number(cell, decimal)) is not None else date
                    for cell, date in zip(values, dates)
                ]
            )
            found = found[np.isfinite(found)]
            steps = np.diff(found)
            rises = len(steps) == 0 or (float((steps >= 0).mean()) >= 0.5 and found[-1] > found[0])
            if len(found) and rises and not (title.strip().lower() == "t" and _contradicts(plan, found)):
                return k
        elif values and all(
            date == date and _number(cell, decimal) is None for cell, date in zip(values, dates)
        ):
            return k
    return None


def _contradicts(plan: SourcePlan, times: F64) -> bool:
    """Whether a column called t that nobody named shows another rate than the one named: then it is no time."""
    steps = np.diff(times)
    return plan.rate is not None and (not len(steps) or abs(float(np.median(steps)) * plan.rate - 1) > 0.05)


def _unit(name: str, plan: SourcePlan, title: str, cells: Sequence[str], decimal: str) -> float | None:
    """Seconds per unit of the times: as named, as in brackets of the title, or by the size of numbers since 1970."""
    if plan.unit is not None:
        return UNITS[plan.unit]
    values = [number for cell in cells if (number := _number(cell, decimal)) is not None]
    if not values:
        if cells and not any(_date(cell) == _date(cell) for cell in cells):
            raise InputError(f"{name}: the times in column {title!r} cannot be read, the first is {cells[0]!r}; "
                             "write seconds, or dates such as 2026-11-22T09:30:00")  # fmt: skip
        return None
    found = re.search(r"[\s_\[(](s|sec|seconds|ms|us|µs|ns|min|h)[\])]?$", title.strip(), re.IGNORECASE)
    if found:
        return UNITS[found[1].lower()]
    size = abs(values[0])
    return 1e-9 if size > 1e17 else 1e-6 if size > 1e14 else 1e-3 if size > 1e11 else 1.0


def _no_text(
    name: str, head: Sequence[str], columns: Sequence[int], rows: Sequence[Sequence[str]], decimal: str
) -> None:
    for k in columns:
        cells = [row[k].strip() for row in rows[:8] if len(row) == len(head)]
        words = [cell for cell in cells if _number(cell, decimal) is None and cell.lower() not in NOTHING]
        if words and len(words) == len(cells):
            raise InputError(f"{name}: the column {head[k]!r} holds {words[0]!r}, which is no number; "
                             "name the sensors' columns, or say that it holds the labels or the times")  # fmt: skip


def block_values(rows: list[list[float]], channels: int) -> F64:
    """Rows as an array, of the right shape even if there are none."""
    return np.array(rows, np.float64).reshape(len(rows), channels)


def records(lines: Iterator[str]) -> Iterator[str]:
    """Lines that hold something and are no comment."""
    return (line for line in lines if line.strip() and not line.lstrip().startswith("#"))
