"""Rows of a CSV file, read piece by piece; reading can go on from any row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

import numpy as np

from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan
from spikebnn.stream.sources.arrays import pace
from spikebnn.stream.sources.block import ROWS, Block, Position, file_digest
from spikebnn.stream.sources.text import PEEK, Table, block_values, cells_of, numbers, records, table, time_of

LETTERS = range(0xA0, 0xFF)  # of Latin-1, which older programs write: ° and µ, accents


class CsvFile:
    """A CSV file whose first line names the columns, or holds numbers already."""

    live, events, full_scale, exact = False, False, None, False

    def __init__(self, plan: SourcePlan) -> None:
        self.name, self.path = plan.file, plan.file
        with self._open() as file:
            start = list(islice(records(line for line, _ in self._lines(file)), PEEK + 1))
        self.table = table(self.name, plan, start)
        self.channels = self.table.channels
        if self.table.titled and len(start) == 1:
            raise InputError(f"{self.name}: the CSV has a first line, and no rows")
        self.rate: float | None = None
        self.regular = True
        if self.table.time is not None:
            rows = [cells_of(line, self.table.separator) for line in start[self.table.titled :]]
            when = [
                time_of(self.table, row) for row in rows if len(row) == len(self.table.head)
            ]
            self.rate, self.regular = pace(np.array(when))

    def blocks(self, position: Position) -> Iterator[Block]:
        with self._open() as file:
            file.seek(int(position.get("byte", 0)))
            begun = "byte" in position
            kept: list[list[str]] = []
            at = int(position.get("byte", 0))
            for line, stop in self._lines(file):
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
                if not begun and self.table.titled:
                    begun = True
                    continue
                begun, at = True, stop
                kept.append(cells_of(line, self.table.separator))
                if len(kept) == ROWS:
                    yield read(self.table, kept, {"byte": at})
                    kept = []
            if kept:
                yield read(self.table, kept, {"byte": at})

    def digest(self) -> str:
        return file_digest(self.path)

    def lost(self) -> int:
        return 0

    def _open(self) -> BinaryIO:
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be opened: {(error.strerror or 'the system refused').lower()}"
            ) from None

    def _lines(self, file: BinaryIO) -> Iterator[tuple[str, int]]:
        """Lines, and the byte behind each."""
        at = file.tell()
        for raw in file:
            at += len(raw)
            if at == len(raw) and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise InputError(f"{self.path}: this is UTF-16; save it as UTF-8")
            try:
                text = raw.decode("utf-8-sig" if at == len(raw) else "utf-8")
            except UnicodeDecodeError as error:
                if not all(byte in LETTERS for byte in raw if byte >= 0x80):
                    raise InputError(
                        f"{self.path}: this is no CSV text: {error.reason} at byte {at - len(raw) + error.start}; "
                        "save it as UTF-8"
                    ) from None
                text = raw.decode("latin-1")
            if at == len(raw) and "\r" in text.rstrip("\r\n"):
                raise InputError(f"{self.path}: its lines end in a return alone; save it with line feeds")
            if "\0" in text:
                raise InputError(f"{self.path}: this is no CSV text: it holds zero bytes")
            yield text.rstrip("\r\n"), at


def read(form: Table, rows: list[list[str]], position: Position) -> Block:
    """Rows of cells as a block; a row with another number of cells than the head is bad as a whole."""
    wide, nothing = len(form.head), [np.nan] * len(form.columns)
    whole = [len(cells) == wide for cells in rows]
    values = [numbers(form, cells) if good else nothing for cells, good in zip(rows, whole)]
    times = None
    if form.time is not None:
        times = np.array([time_of(form, cells) if good else np.nan for cells, good in zip(rows, whole)])
    out = []
    for k in (form.label, form.segment):
        named = (
            None
            if k is None
            else np.array([cells[k] if good else None for cells, good in zip(rows, whole)], object)
        )
        out.append(named)
    if out[1] is not None and None in out[1].tolist():  # a broken row belongs where the rows around it do
        for n in range(len(rows)):
            if out[1][n] is None:
                out[1][n] = out[1][n - 1] if n else next((text for text in out[1] if text is not None), None)
    return Block(
        values=block_values(values, len(form.columns)),
        position=position,
        times=times,
        labels=out[0],
        segments=out[1],
    )
