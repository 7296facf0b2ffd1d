"""A live view of a stream on a terminal: signal, spikes, decision, pace, energy so far, bad samples so far."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from spikebnn.arrays import F64, U8, Array
from spikebnn.program import Program
from spikebnn.stream.decisions import Decision
from spikebnn.stream.picture import dots, sparkline, stride
from spikebnn.stream.report import StreamReport
from spikebnn.stream.samples import Rows
from spikebnn.stream.totals import Totals
from spikebnn.stream.watch import Batch, Opened
from spikebnn.units import percent, si, span, whole

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

PERIOD = 0.1  # seconds from one picture to the next, at least
SHARE = 0.02  # of the time that pictures may take, at most
QUIET = 1.0  # seconds after which a picture is drawn though nothing came
WINDOWS = 256  # that are kept for strip and raster
ROWS = 16_384  # of the signal that are kept
CHANNELS = 4
COLORS = ("blue", "dark_orange", "green", "magenta", "cyan", "yellow", "bright_red", "white")
NAME = 9  # letters of a name at the left
BAD = ("bad", "clipped", "gap", "late", "lost", "mended")


class LiveView:
    """A watcher that draws; use it as a context manager around `stream`, so that the terminal is left as it was found."""

    def __init__(self, file: TextIO | None = None, *, size: tuple[int, int] | None = None) -> None:
        self.file, self.size = file or sys.stdout, size
        self.opened: Opened | None = None
        self.live: Live | None = None
        self.plain = not (getattr(self.file, "encoding", "") or "").lower().startswith("utf")
        self.signal: deque[tuple[Array, Array]] = deque()  # numbers (rows,), readings (rows, channels)
        self.kept = 0  # rows of it
        self.decisions: deque[Decision] = deque(maxlen=WINDOWS)
        self.inputs: U8 = np.zeros((0, 0), np.uint8)  # (windows, lines), the last ones
        self.fired: U8 = np.zeros((0, 0), np.uint8)  # (windows, neurons of the last layer)
        self.totals: Totals | None = None
        self.before = 0.0  # seconds of signal that came before
        self.facts: Mapping[str, Any] = {}  # what the picture says besides; a new one for each batch
        self.last = self.began = time.perf_counter()
        self.due = 0.0
        self.pictures = 0

    def __enter__(self) -> LiveView:  # noqa: PYI034, Self is younger than the oldest Python here
        from rich.console import Console
        from rich.live import Live

        wide, high = self.size or (None, None)
        forced = True if self.size else None
        console = Console(file=self.file, width=wide, height=high, highlight=False, force_terminal=forced)
        self.live = Live(console=console, get_renderable=self.picture, refresh_per_second=1 / QUIET, vertical_overflow="crop")
        self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None) -> None:
        if self.live is not None:
            self.live.stop()

    def begin(self, opened: Opened) -> None:
        """Know what will be shown."""
        self.opened = opened
        self.mine = _last_layer(opened.program)
        self.began = time.perf_counter() - opened.waited()

    def rows(self, rows: Rows) -> None:
        """Keep the last readings."""
        self.last = time.perf_counter()
        some = slice(-ROWS, None)
        self.signal.append((rows.number[some], np.asarray(rows.values)[some, :CHANNELS]))
        self.kept += len(self.signal[-1][0])
        while len(self.signal) > 1 and self.kept - len(self.signal[0][0]) >= ROWS:
            self.kept -= len(self.signal.popleft()[0])

    def wants(self) -> int:
        """Spikes of the windows that the next picture shows; of a live source those of all windows."""
        assert self.opened is not None
        return WINDOWS if self.opened.live or time.perf_counter() >= self.due else 0

    def batch(self, batch: Batch) -> None:
        """Keep decisions and spikes, and draw if it is time."""
        if self.totals is None:
            self.totals = batch.totals
            self.before = batch.decisions[0].time if batch.decisions else 0.0
        self.decisions.extend(batch.decisions)
        if batch.answer is not None and batch.answer.raster is not None and batch.bits is not None:
            self.inputs = self._after(self.inputs, np.minimum(batch.bits.sum(axis=1), 1).astype(np.uint8))
            self.fired = self._after(self.fired, batch.answer.raster[:, self.mine].astype(np.uint8))
        now = time.perf_counter()
        if now >= self.due:
            self._note(batch.totals, batch.samples)
            self._draw(now)

    def state(self) -> None:
        """Nothing is kept for a resumption."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing was kept."""

    def end(self, report: StreamReport) -> None:
        """Let the last picture say what the report says."""
        if self.totals is not None:
            self._note(self.totals, report.samples)
            self.facts = {**self.facts, "speed": report.speed, "over": True}

    def _after(self, before: U8, new: U8) -> U8:
        """The last windows; what is not live leaves windows out from one picture to the next, so it begins anew."""
        if before.size and self.opened is not None and self.opened.live:
            new = np.concatenate([before, new])
        return new[-WINDOWS:]

    def _note(self, totals: Totals, samples: Mapping[str, int]) -> None:
        """What the picture says, as it is now."""
        assert self.opened is not None
        rate, bill = self.opened.facts.rate, totals.bill
        wall = time.perf_counter() - self.began - self.opened.waited()  # the host's own work
        right = None if totals.confusion is None else float(totals.confusion.trace() / max(1, totals.confusion.sum()))
        self.facts = {
            "windows": totals.windows, "bad": totals.bad, "late": totals.late, "accuracy": right,
            "samples": dict(samples), "seconds": totals.rows / rate,
            "speed": (totals.rows / rate - self.before) / wall if wall > 0 else None,
            "energy": None if bill is None else span(bill.total, "J", bill.lacks),
        }  # fmt: skip

    def _draw(self, now: float) -> None:
        if self.live is None:
            return
        self.live.refresh()
        self.pictures += 1
        taken = time.perf_counter() - now
        self.due = time.perf_counter() + max(PERIOD, taken / SHARE)

    def picture(self) -> Text:
        """Everything, as many lines as the terminal has less one."""
        from rich.text import Text

        console = None if self.live is None else self.live.console
        wide, high = self.size or ((80, 24) if console is None else console.size)
        lines = self._lines(max(20, wide - 1), max(6, high - 1))
        return Text("\n", end="").join(lines)

    def _lines(self, wide: int, high: int) -> list[Text]:
        from rich.text import Text

        def line(text: str, style: str = "") -> Text:
            return Text(text[:wide], style=style, no_wrap=True, overflow="crop", end="")

        if self.opened is None:
            return [line("opening the source")]
        facts = self.opened.facts
        out = [line(facts.title, "bold")]
        if not self.facts:
            return [*out, line("waiting for the first window")]
        out += [line(text) for text in self._words()]
        out.insert(3, self._decision(wide))
        left = wide - NAME - 2
        room = high - len(out)
        channels = min(CHANNELS, len(facts.channels), max(0, room - 1), max(1, room // 3))
        for name, values in list(zip(facts.channels, self._readings()))[:channels]:
            out.append(line(f"{name[:NAME]:>{NAME}} {sparkline(values, left, plain=self.plain)}", "blue"))
        strip = self._strip(left)
        if high - len(out) > 0:
            out.append(strip)
        rasters = [(name, spikes) for name, spikes in (("inputs", self.inputs), ("neurons", self.fired)) if spikes.size]
        for k, (name, spikes) in enumerate(rasters):
            rows = min(6, (high - len(out)) // (len(rasters) - k), -(-spikes.shape[1] // 4))
            if rows < 1:
                continue
            every = stride(spikes.shape[1], rows)
            names = [name, f"1 of {every}" if every > 1 else ""]
            for n, text in enumerate(dots(spikes, rows, left, plain=self.plain)):
                label = names[n] if n < len(names) else ""
                out.append(line(f"{label[:NAME]:>{NAME}} {text}", "" if k else "cyan"))
        return out[:high]

    def _words(self) -> list[str]:
        """Pace, missed windows, energy and bad samples."""
        told = self.facts
        speed = told["speed"]
        pace = "" if not speed else f", {whole(round(speed)) if speed >= 10 else f'{speed:.2g}'} times real time"
        quiet = time.perf_counter() - self.last
        silent = f", no row for {whole(round(quiet))} s" if quiet > 2 * QUIET and not told.get("over") else ""
        missed = f"missed {whole(told['bad'] + told['late'])}: {whole(told['bad'])} bad, {whole(told['late'])} too late"
        energy = told.get("energy")
        samples = told["samples"]
        bad = ", ".join(f"{whole(samples[kind])} {kind}" for kind in BAD if samples.get(kind)) or "none bad"
        return [
            f"{si(told.get('seconds', 0.0), 's')} of signal{pace}{silent}",
            f"{whole(told['windows'])} windows, {missed}",
            "energy so far: " + ("unknown" if energy is None else energy),
            f"{whole(samples.get('rows', 0))} rows: {bad}",
        ]

    def _decision(self, wide: int) -> Text:
        """The last decision, its margin and votes, and how often decisions were right."""
        from rich.text import Text

        assert self.opened is not None
        out = Text(no_wrap=True, overflow="crop", end="")
        decided = [each for each in self.decisions if each.chosen is not None]
        if not self.decisions:
            return out
        last = self.decisions[-1]
        style = "yellow" if last.chosen is None else f"bold {self._color(last.chosen)}"
        out.append("missed: " + last.name if last.chosen is None else last.name, style)
        more = f"  at {last.time:.3f} s" + (f", margin {last.margin:.4g}" if last.chosen is not None else "")
        vote = self.opened.plan.vote
        if vote > 1:
            names = self.opened.plan.classes
            counts = Counter(each.raw for each in decided[-vote:] if each.raw is not None)
            more += ", votes: " + ", ".join(
                f"{names[k] if k < len(names) else k} {many}" for k, many in counts.most_common(3)
            )
        if self.facts["accuracy"] is not None:
            more += f", {percent(self.facts['accuracy'])} right"
        out.append(more)
        out.truncate(wide)
        return out

    def _strip(self, wide: int) -> Text:
        """The last decisions, a letter each: a block in the colour of its class, an x where it is wrong, a dot if missed."""
        from rich.text import Text

        out = Text(f"{'decisions'[:NAME]:>{NAME}} ", no_wrap=True, overflow="crop", end="")
        some = list(self.decisions)[-wide:]
        out.append(" " * (wide - len(some)))
        for each in some:
            if each.chosen is None:
                out.append(".", "yellow")
            elif each.right is False:
                out.append("x", "bold red")
            else:
                out.append(each.name[:1] if self.plain else "█", self._color(each.chosen))
        return out

    def _color(self, chosen: int) -> str:
        return COLORS[chosen % len(COLORS)]

    def _readings(self) -> list[F64]:
        """The last readings of each channel, up to the last decided row."""
        if not self.signal or self.opened is None:
            return []
        parts = list(self.signal)
        number = np.concatenate([part[0] for part in parts])
        values = np.concatenate([part[1] for part in parts])
        shape = self.opened.shape
        if self.decisions:
            last = self.decisions[-1].row
            some = (number <= last) & (number > last - WINDOWS // 4 * shape.hop * shape.stride)
            values = values[some] if some.any() else values
        return [values[:, k].astype(np.float64) for k in range(values.shape[1])]


def _last_layer(program: Program) -> Array:
    """The neurons of the last layer that speaks by spikes; those whose membranes are read out may never fire."""
    layers = [core.layer for core in program.cores]
    layer: Array = np.concatenate(layers) if layers else np.zeros(0, np.int64)
    speaks = np.ones(len(layer), bool)
    if program.readout == "membrane" and len(program.outputs):
        speaks[np.asarray(program.first)[program.outputs[:, 1]] + program.outputs[:, 2]] = False
    speaks = speaks if speaks.any() else np.ones(len(layer), bool)
    return np.flatnonzero(speaks & (layer == layer[speaks].max(initial=-1)))
