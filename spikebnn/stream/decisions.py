"""`Decision`, and the file that decisions are written to: CSV or JSON lines, cut back to a known place when resumed."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

from spikebnn.errors import InputError
from spikebnn.stream.alone import claim

ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One window, decided or missed."""

    number: int  # of the window, from 0 on
    row: int  # of the window's last row
    time: float  # seconds, of that row
    chosen: int | None  # class, after voting; None when missed
    name: str  # of the class, or why it was missed: "bad row", "too late"
    raw: int | None  # class before voting and averaging
    truth: str | None
    right: bool | None
    margin: float  # the largest score less the second largest; 0 when missed
    spikes: int
    synaptic_events: int
    held: bool  # a bad reading was replaced, by the last good one or between its neighbours


NAMES = tuple(field.name for field in fields(Decision))


class DecisionFile:
    """Decisions on disk, one line each. Numbers are written so that they read back as they are."""

    def __init__(self, path: str | os.PathLike[str], at: int | None = None) -> None:
        self.path = Path(path)
        self.form = form_of(path)
        try:
            handle = os.open(path, os.O_RDWR | (os.O_CREAT if at is None else 0) | getattr(os, "O_BINARY", 0), 0o666)
            self._file: BinaryIO = os.fdopen(handle, "r+b")
            claim(handle, path)
            size = os.fstat(handle).st_size
            if at is not None and size < at:
                raise InputError(
                    f"{path} holds {size} bytes and the checkpoint speaks of {at}; start anew without resuming"
                )
            self._file.truncate(at or 0)
            self._file.seek(at or 0)
            if at is None and self.form == "csv":
                self._file.write((",".join(NAMES) + "\n").encode())
        except InputError:
            self._file.close()
            raise
        except FileNotFoundError:
            lost = (
                "the file that the checkpoint speaks of is not there"
                if at is not None
                else "there is no such directory"
            )
            raise InputError(f"{path}: {lost}") from None
        except OSError as why:
            raise InputError(
                f"{path}: decisions cannot be written: {(why.strerror or 'the system refused').lower()}"
            ) from None

    def write(self, decisions: Iterable[Decision]) -> None:
        """Append decisions."""
        if self.form == "csv":
            text = io.StringIO()
            rows = csv.writer(text, lineterminator="\n")
            rows.writerows([_cell(value) for value in _values(decision)] for decision in decisions)
            told = text.getvalue()
        else:
            lines = (
                json.dumps({name: getattr(decision, name) for name in NAMES}, ensure_ascii=False)
                for decision in decisions
            )
            told = "".join(line + "\n" for line in lines)
        with self._room():
            self._file.write(told.encode())

    def flush(self) -> None:
        """Let others see what was written."""
        with self._room():
            self._file.flush()

    def settle(self) -> int:
        """Bring everything to the disk; the length in bytes."""
        with self._room():
            self._file.flush()
            os.fsync(self._file.fileno())
            return self._file.tell()

    def close(self) -> None:
        """End."""
        with self._room():
            self._file.close()

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Say in a sentence that the disk does not take it."""
        try:
            yield
        except OSError as why:
            raise InputError(
                f"{self.path}: decisions cannot be written: {(why.strerror or 'the system refused').lower()}; "
                "make room, and go on from a checkpoint if there is one"
            ) from None


def form_of(path: str | os.PathLike[str]) -> str:
    """Which form a file of decisions has, by the ending of its name."""
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"{path}: decisions are written to a file that ends in {', '.join(ENDINGS)}")
    return ENDINGS[ending]


_values = attrgetter(*NAMES)


def _cell(value: object) -> object:
    """True is 1, nothing is an empty cell, a float is its shortest exact form."""
    return (
        int(value)
        if isinstance(value, bool)
        else ""
        if value is None
        else repr(value)
        if isinstance(value, float)
        else value
    )
