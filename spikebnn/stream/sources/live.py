"""Live rows: CSV lines from standard input or a TCP connection, taken by a thread into a queue of bounded length."""

from __future__ import annotations

import queue
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TextIO

from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan
from spikebnn.stream.sources.block import ROWS, Block, Position
from spikebnn.stream.sources.csvfile import read
from spikebnn.stream.sources.text import UNREADABLE, cells_of, records, table

LONGEST = 65_536  # letters of a line
QUEUE = 65_536  # lines that wait to be taken
PATIENCE = 10.0  # seconds for a connection to be made
End = Exception | None


class Lines:
    """Lines as they come; the first names the columns, or is numbers already.

    With overflow "wait" a full queue stops the reading, so that pipe and connection hold the sender back; with "drop"
    lines that find it full are lost, and counted.
    """

    rate: float | None = None
    exact, live, events, full_scale, regular = False, True, False, None, True

    def __init__(self, plan: SourcePlan) -> None:
        self.name = "standard input" if plan.file == "-" else plan.file
        self._lost, self._overflow = 0, plan.overflow
        self.broken = ""  # why the rows ended early
        self.waited = 0.0  # seconds for rows to come
        self._queue: queue.Queue[str | None] = queue.Queue(QUEUE)
        self._failed: Exception | None = None
        opener: Callable[[], TextIO] = (
            (lambda: sys.stdin) if plan.file == "-" else (lambda: connect(plan.file))
        )
        self._file = opener()
        self._lines = records(lines_of(self._file))
        self._worker = threading.Thread(target=self._take, daemon=True)
        self._worker.start()
        first = self._next(True)
        start = [first] if first is not None else []
        second = self._next(True) if first is not None else None
        self.table = table(self.name, plan, [*start, *([] if second is None else [second])])
        self.channels = self.table.channels
        self._ahead = [
            line for line in ([second] if self.table.titled else [first, second]) if line is not None
        ]
        self._over = second is None

    def blocks(self, position: Position) -> Iterator[Block]:  # nobody goes back in time
        while True:
            lines, self._ahead = self._ahead, []
            if not lines and not self._over:
                line = self._next(True)
                lines = [] if line is None else [line]
                self._over = line is None
            while lines and len(lines) < ROWS and not self._over and not self._queue.empty():
                line = self._next(False)
                if line is None:
                    self._over = True
                else:
                    lines.append(line)
            if not lines:
                break
            yield read(self.table, [cells_of(line, self.table.separator) for line in lines], {})
        if self._failed is not None:
            why = getattr(self._failed, "strerror", None) or str(self._failed)
            self.broken = f"{self.name}: the rows end early: {why[:1].lower()}{why[1:]}"

    def digest(self) -> str:
        return ""

    def lost(self) -> int:
        return self._lost

    def _take(self) -> None:
        try:
            for line in self._lines:
                text = line.rstrip("\r\n")
                if self._overflow == "wait" or self._queue.qsize() < QUEUE - 1:
                    self._queue.put(text)
                else:
                    self._lost += 1
        except (OSError, ValueError) as error:
            self._failed = error
        if self._file is not sys.stdin:
            with suppress(OSError):
                self._file.close()
        self._queue.put(None)

    def _next(self, wait: bool) -> str | None:
        began = time.perf_counter()
        line = self._queue.get(block=wait)
        self.waited += time.perf_counter() - began
        return line


def lines_of(file: TextIO) -> Iterator[str]:
    """Lines of bounded length. One that is too long is unreadable, and so is a last one that does not end.

    Whoever sent a last line without its end may have died in the middle of a number.
    """
    ended, inside = 0, False  # lines that ended; in the rest of one that was too long
    while piece := file.readline(LONGEST):
        whole = piece.endswith("\n")
        if not inside:
            yield piece if whole or (ended < 2 and len(piece) < LONGEST) else UNREADABLE
        ended += whole
        inside = not whole


def connect(address: str) -> TextIO:
    """The lines of tcp://host:port, a server to call, or of listen://host:port, where one sender is waited for."""
    found = re.fullmatch(r"(tcp|listen)://(\[[^\]]+\]|[^:/]*):(\d{1,5})", address)
    if not found or not 0 < int(found[3]) < 65536:
        raise InputError(
            f"{address}: an address is written tcp://host:port, or listen://host:port to wait for a sender"
        )
    host, port = found[2].strip("[]") or "localhost", int(found[3])
    try:
        if found[1] == "tcp":
            line = socket.create_connection((host, port), PATIENCE)
        else:
            with socket.create_server((host, port)) as server:
                line, _ = server.accept()
    except OSError as error:
        raise InputError(
            f"{address}: there is no connection: {(error.strerror or str(error)).lower()}"
        ) from None
    line.settimeout(None)
    with suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with line:  # the file keeps the connection open until it is closed itself
        return line.makefile("r", encoding="utf-8", errors="replace", newline="\n")
