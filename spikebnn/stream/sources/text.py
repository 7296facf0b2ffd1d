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
    r"(t|ts|time|timestamp|datetime|date|date_time|date time|epoch|elapsed|seconds|utc|zeit|zeitstempel|uhrzeit|datum)"
    r"[\s_]*[\[(]?(s|sec|seconds|ms|us|µs|ns|min|h|utc|unix|iso)?[\])]?", re.IGNORECASE)  # fmt: skip
LABEL_NAMES = ("label", "labels", "class", "target")
NOTHING = ("", "nan", "na", "n/a", "null", "none", "-", "?")
UNREADABLE = "?"  # stands for a line that cannot be taken apart
PEEK = 1000  # rows that are read ahead to find out about times
CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?")  # a time of the day
DAY = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")  # a day without a time
HOUR = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?|\d{1,2}\.\d\d\.\d\d")  # a time of the day; 18.00.00 too
FORMS = (None, "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%m-%d-%Y %H:%M:%S", "%m-%d-%Y %H:%M", "%m-%d-%Y %I:%M:%S %p",
         "%m-%d-%Y %I:%M %p")  # fmt: skip


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
    clock: int | None  # the time of the day, where `time` holds the day alone
    unit: float | None  # seconds; None: dates
    day_first: bool = False  # 13/3/2026, not 3/13/2026

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
    titled = _titled(first, [cells_of(line, separator) for line in lines[1:9]], decimal)
    head = tuple(cell.strip() for cell in first) if titled else tuple(str(k) for k in range(len(first)))
    names = f"the first line names {', '.join(head)}" if titled else f"the first line names none, so they are 0 to {head[-1]}"
    twice = sorted({title for title in head if head.count(title) > 1 and title})
    rows = [cells_of(line, separator) for line in lines[1 if titled else 0 :]]
    day, clock = _day_and_clock(plan, head, rows)
    time = _find_time(name, plan, head, rows, decimal) if clock is None else day
    label = plan.labels if plan.labels in head else None
    if plan.labels is None:
        label = next(
            (title for title in head if title.lower() in LABEL_NAMES and title not in plan.columns), None
        )
    elif label is None:
        raise InputError(f"{name}: there is no column {plan.labels!r}; {names}")
    for wanted in (*plan.columns, *((plan.segments,) if plan.segments else ())):
        if wanted not in head:
            raise InputError(f"{name}: there is no column {wanted!r}; {names}")
        if wanted in twice:
            raise InputError(f"{name}: two columns are called {wanted!r}; give them different names")
    aside = {label, plan.segments, *(head[k] for k in (time, clock) if k is not None)}
    wanted = tuple(head.index(title) for title in plan.columns) or tuple(
        k for k, title in enumerate(head) if title and title not in aside
    )
    _no_text(name, head, wanted, rows, decimal)
    return Table(
        name=name, separator=separator, decimal=decimal, head=head, titled=titled, columns=wanted,
        label=None if label is None else head.index(label),
        segment=None if plan.segments is None else head.index(plan.segments),
        time=time, clock=clock,
        unit=None if time is None or clock is not None else _unit(name, plan, head[time], _column(rows, time), decimal),
        day_first=time is not None and _day_first(_column(rows, time), decimal),
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


def time_of(table: Table, cells: Sequence[str]) -> float:
    """A row's time in seconds; NaN where it cannot be read, or where there is none."""
    if table.time is None:
        return np.nan
    cell = cells[table.time]
    if table.clock is not None:
        cell = f"{cell} {re.sub(r'[.](?=.*[.:])|[.](?=[0-9]{2}$)', ':', cells[table.clock])}"
    if table.unit is None:
        return _date(cell, table.day_first)
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
        return {"true": 1.0, "false": 0.0}.get(text.lower())


def _day_first(cells: Sequence[str], decimal: str) -> bool:
    """Whether dates with slashes begin with the day: some with a number that is no month, or where numbers have a comma."""
    return decimal == "," or any(re.match(r"(1[3-9]|2\d|3[01])[/-]\d{1,2}[/-]\d{4}", cell.strip()) for cell in cells)


def _date(cell: str, day_first: bool = False) -> float:
    text = cell.strip().replace("/", "-")
    text = re.sub(r"^(\d{1,2})-(\d{1,2})-(\d{4})", r"\2-\1-\3", text) if day_first else text
    text = text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text
    text = re.sub(r"(:\d\d)\.(\d+)", lambda found: f"{found[1]}.{found[2][:6]:0<6}", text, count=1)
    clock = CLOCK.fullmatch(text)
    if clock:
        return float(3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3] or 0))
    if not text[:1].isdigit():
        return float("nan")
    for form in FORMS:
        try:
            found = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            continue
        found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        return found.timestamp()
    return float("nan")


def _titled(first: Sequence[str], below: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether the first line holds names: words alone, or a word over readings or dates."""
    word = [not _value(cell, decimal) for cell in first]
    over = [any(len(row) > k and row[k] and _value(row[k], decimal) for row in below) for k in range(len(first))]
    return any(w and o for w, o in zip(word, over)) or (any(word) and all(w or not c for w, c in zip(word, first)))


def _value(cell: str, decimal: str) -> bool:
    """Whether a cell is a reading, a missing one, or a date."""
    date = _date(cell, _day_first([cell], decimal))
    return _number(cell, decimal) is not None or cell.lower() in NOTHING or date == date


def _find_time(
    name: str, plan: SourcePlan, head: Sequence[str], rows: Sequence[Sequence[str]], decimal: str
) -> int | None:
    """The column of times: the one that is named, or the first with such a name whose values rise."""
    if plan.time is not None:
        if plan.time not in head:
            raise InputError(
                f"{name}: there is no column {plan.time!r}; the columns are {', '.join(head)}"
            )
        return head.index(plan.time)
    for k, title in enumerate(head):
        if title in plan.columns or title in (plan.labels, plan.segments):
            continue
        values = [row[k] for row in rows if len(row) > k]
        turned = _day_first(values, decimal)
        dates = [_date(cell, turned) for cell in values]
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


def _day_and_clock(
    plan: SourcePlan, head: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[int | None, int | None]:
    """The columns of the day and of the time of the day, where these stand apart and nobody named another column of times."""
    found = []
    for pattern in (DAY, HOUR):
        free = (k for k, title in enumerate(head) if title not in (*plan.columns, plan.labels, plan.segments))
        cells = {k: [cell for cell in _column(rows, k) if cell] for k in free}
        found.append(next((k for k, some in cells.items() if some and all(map(pattern.fullmatch, some))), None))
    day, clock = found
    return (None, None) if day is None or plan.time is not None else (day, clock)


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
        if cells and all(np.isnan(_date(cell, _day_first(cells, decimal))) for cell in cells):
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
    wrong = {}
    for k in columns:
        cells = [row[k].strip() for row in rows[:8] if len(row) == len(head)]
        words = [cell for cell in cells if _number(cell, decimal) is None and cell.lower() not in NOTHING]
        if words and len(words) + cells.count("") == len(cells):
            wrong[k] = words[0]
    if wrong:
        k, word = next(iter(wrong.items()))
        others = [repr(head[j]) for j in wrong if j != k]
        also = f" (and so do {', '.join(others)})" if len(others) > 1 else f" (and so does {others[0]})" if others else ""
        left = ",".join(head[j] for j in columns if j not in wrong)
        ready = f", such as {left}" if left else ""
        raise InputError(f"{name}: the column {head[k]!r} holds {word!r}, which is no number{also}; "
                         f"name the sensors' columns{ready}, or say that it holds the labels or the times")  # fmt: skip


def block_values(rows: list[list[float]], channels: int) -> F64:
    """Rows as an array, of the right shape even if there are none."""
    return np.array(rows, np.float64).reshape(len(rows), channels)


def records(lines: Iterator[str]) -> Iterator[str]:
    """Lines that hold something and are no comment."""
    return (line for line in lines if line.strip() and not line.lstrip().startswith("#"))
