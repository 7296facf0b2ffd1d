"""Records a stream for a page while it runs: what is kept stays as small after a day as after a minute."""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spikebnn.arrays import F64, Array, pack_bits
from spikebnn.detail import Spread, frame_seconds, layer_name, spread
from spikebnn.encode import decode
from spikebnn.faults.curve import FaultCurve
from spikebnn.recorded import Excerpt, Layer, Recorded, Signal, Track
from spikebnn.stream.binned import Binned, Thinned
from spikebnn.stream.plan import POLICIES
from spikebnn.stream.report import StreamReport
from spikebnn.stream.samples import Rows
from spikebnn.stream.watch import Batch, Opened

CHANNELS = 6  # that are shown
STRETCHES = 1024  # of the signal
DECISIONS = 512  # stretches of the decisions
CLASSES = 40  # that can be told apart in a band
WINDOWS = 128  # whose spikes are kept, where they fit
BITS = 2_000_000  # of them all, before they are compressed
VALUES = 4096  # of a latency
BINS = 24


class Recorder:
    """Give it to `stream` as a watcher, then ask for `recorded`."""

    def __init__(self) -> None:
        self.opened: Opened | None = None
        self.report: StreamReport | None = None

    def begin(self, opened: Opened) -> None:
        """Make room, once."""
        self.opened = opened
        program, shape = opened.program, opened.shape
        self.names = _names(opened)
        many, stride = len(self.names), shape.hop * shape.stride
        self.signal = Binned(STRETCHES, 1, {"low": many, "high": many, "sum": 1})
        classes = int(decode(program.decoder, np.zeros((1, len(program.base)), np.int64)).size)
        self.classes = classes if 1 < classes <= CLASSES else 0
        self.track = Binned(DECISIONS, stride, {"sum": 3 + 2 * self.classes})
        self.next = 0  # row after the last one seen
        neurons = program.first[-1]
        self.most = min(WINDOWS, BITS // max(1, program.inputs + neurons))
        self.columns: list[Array] = []  # (windows, bytes)
        self.times: list[float] = []
        self.chosen: list[int] = []
        self.chip, self.host = Thinned(VALUES), Thinned(VALUES)
        self.chip_note = ""
        self.order = _order(opened)
        self.read_at = self.decided_at = time.perf_counter()

    def rows(self, rows: Rows) -> None:
        """Take rows in, but those that were seen before a resumption."""
        self.read_at = time.perf_counter()
        if not len(rows) or int(rows.number[-1]) < self.next:
            return
        new = rows.take(slice(int(np.searchsorted(rows.number, self.next)), None))
        self.next = int(new.number[-1]) + 1
        values = self._shown(new)
        self.signal.add(new.number, low=values, high=values, sum=new.bad[:, None])

    def wants(self) -> int:
        """Windows that still fit the excerpt."""
        return max(0, self.most - len(self.times))

    def batch(self, batch: Batch) -> None:
        """Book decisions, spikes and times."""
        assert self.opened is not None
        self._clock(len(batch.decisions))
        self._book(batch)
        if batch.answer is None:
            return
        seconds, self.chip_note = frame_seconds(batch.answer.counts, self.opened.program, self.opened.target)
        if seconds is not None:
            self.chip.add(seconds)
        if batch.answer.raster is not None and batch.bits is not None and self.wants():
            self._keep(batch)

    def state(self) -> Mapping[str, Any]:
        """Everything that must be known to go on."""
        return {"signal": self.signal.state(), "track": self.track.state(), "next": self.next, "chip": self.chip.state(),
                "host": self.host.state(), "times": list(self.times), "chosen": list(self.chosen), "note": self.chip_note,
                "columns": np.stack(self.columns) if self.columns else None}  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for name in ("signal", "track", "chip", "host"):
            getattr(self, name).restore(state[name])
        self.next, self.times, self.chosen, self.chip_note = (
            state["next"],
            list(state["times"]),
            list(state["chosen"]),
            state["note"],
        )
        self.columns = [] if state["columns"] is None else list(state["columns"])

    def end(self, report: StreamReport) -> None:
        """Keep the report."""
        self.report = report

    def recorded(self, curves: Sequence[FaultCurve] = ()) -> Recorded:
        """Everything, after the stream has ended."""
        assert self.opened is not None
        assert self.report is not None
        live = self.opened.live
        one = f" of every {self.host.stride} windows" if self.host.stride > 1 else ""
        told = (
            "from reading a row to the decision of the window that ends with it"
            if live
            else "of the host for each window, reading, encoding and simulation"
        )
        return Recorded(
            facts=self.report.as_dict(), text=self.report.text(),
            policy={kind: self.opened.plan.source.action(kind) for kind in POLICIES},
            signal=self._signal(), track=self._track(), excerpt=self._excerpt(),
            latency=_spread(self.chip), latency_note=self.chip_note,
            host=_spread(self.host), host_note=told + one, curves=tuple(curves),
        )  # fmt: skip

    def _book(self, batch: Batch) -> None:
        """Sums of decided, missed and wrong windows, of decisions by class, and of labels by class."""
        decisions, classes = batch.decisions, self.classes
        chosen = np.array([-1 if each.chosen is None else each.chosen for each in decisions], np.int64)
        table = np.zeros((len(decisions), 3 + 2 * classes), np.int64)
        table[:, 0], table[:, 1] = chosen >= 0, chosen < 0
        table[:, 2] = [each.right is False for each in decisions]
        if classes:
            decided = np.flatnonzero(chosen >= 0)
            table[decided, 3 + chosen[decided]] = 1
            labels = {each.truth for each in decisions if each.right is not None}
            index = {label: -1 if (at := batch.totals.index(0, label)) is None else at for label in labels if label}
            truth = np.array([-1 if each.right is None else index.get(each.truth or "", -1) for each in decisions], np.int64)
            told = np.flatnonzero(truth >= 0)
            table[told, 3 + classes + truth[told]] = 1
        self.track.add(np.array([each.row for each in decisions], np.int64), sum=table)

    def _clock(self, windows: int) -> None:
        assert self.opened is not None
        now = time.perf_counter()
        taken = now - self.read_at if self.opened.live else (now - self.decided_at) / max(1, windows)
        self.host.add(np.full(windows, taken))
        self.decided_at = now

    def _shown(self, rows: Rows) -> F64:
        """The readings of the channels that are shown, NaN where they are not to be used; of a camera how many pixels."""
        if self.names == (PIXELS,):
            active: F64 = np.count_nonzero(rows.values, axis=1)[:, None].astype(np.float64)
            return active
        shown: F64 = np.where(rows.bad[:, None], np.nan, rows.values[:, : len(self.names)]).astype(np.float64)
        return shown

    def _keep(self, batch: Batch) -> None:
        assert batch.answer is not None
        assert batch.answer.raster is not None
        assert batch.bits is not None
        some = slice(0, self.wants())
        lines = batch.bits[some].any(axis=1)
        fired = batch.answer.raster[some][:, self.order] > 0
        self.columns += list(pack_bits(np.concatenate([lines, fired], axis=1).astype(np.uint8)))
        decided = [decision for decision in batch.decisions if decision.chosen is not None][some]
        self.times += [decision.time for decision in decided]
        self.chosen += [decision.chosen for decision in decided if decision.chosen is not None]

    def _signal(self) -> Signal | None:
        assert self.opened is not None
        used = self.signal.used
        if not used or not self.names:
            return None
        low, high, bad = (self.signal.tables[kind][:used] for kind in ("low", "high", "sum"))
        hidden = 0 if self.names == (PIXELS,) else len(self.opened.facts.channels) - len(self.names)
        step = self.signal.width / self.opened.facts.rate
        return Signal(names=self.names, hidden=hidden, step=step, low=_numbers(low), high=_numbers(high),
                      bad=tuple(bad[:, 0].tolist()))  # fmt: skip

    def _track(self) -> Track | None:
        assert self.opened is not None
        used = self.track.used
        if not used:
            return None
        table, classes = self.track.tables["sum"][:used], self.classes
        said, told = table[:, 3 : 3 + classes], table[:, 3 + classes :]
        return Track(step=self.track.width / self.opened.facts.rate, chosen=_most(said), truth=_most(told),
                     decided=tuple(table[:, 0].tolist()), missed=tuple(table[:, 1].tolist()),
                     wrong=tuple(table[:, 2].tolist()))  # fmt: skip

    def _excerpt(self) -> Excerpt | None:
        assert self.opened is not None
        if not self.columns:
            return None
        data = zlib.compress(np.stack(self.columns).tobytes(), 9)
        return Excerpt(times=tuple(self.times), chosen=tuple(self.chosen), layers=_layers(self.opened),
                       bits=base64.b64encode(data).decode())  # fmt: skip


PIXELS = "active pixels"


def _names(opened: Opened) -> tuple[str, ...]:
    if opened.facts.channels == ("t", "x", "y", "polarity"):
        return (PIXELS,)
    return opened.facts.channels[:CHANNELS]


def _order(opened: Opened) -> Array:
    """The program's neurons layer by layer."""
    layers = [core.layer for core in opened.program.cores]
    layer: Array = np.concatenate(layers) if layers else np.zeros(0, np.int64)
    return np.argsort(layer, kind="stable")


def _layers(opened: Opened) -> tuple[Layer, ...]:
    program = opened.program
    layers = [core.layer for core in program.cores]
    numbers, counts = np.unique(np.concatenate(layers), return_counts=True) if layers else ((), ())
    own = (Layer(name=layer_name(program, int(n)), rows=int(many)) for n, many in zip(numbers, counts))
    return (Layer(name="input lines", rows=program.inputs), *own)


def _numbers(table: Array) -> tuple[tuple[float | None, ...], ...]:
    """Columns of a table, to five digits; None for NaN."""
    return tuple(
        tuple(None if not np.isfinite(value) else float(f"{value:.5g}") for value in column)
        for column in table.T.tolist()
    )


def _most(table: Array) -> tuple[int | None, ...]:
    """The class with the largest count in each row, the lowest on ties; None where all are 0."""
    if not table.shape[1]:
        return (None,) * len(table)
    return tuple(
        None if not many else best
        for best, many in zip(table.argmax(axis=1).tolist(), table.max(axis=1).tolist())
    )


def _spread(values: Thinned) -> Spread | None:
    """The histogram of what was kept; bins grow by a factor where the values reach over more than one power of ten."""
    kept = values.kept
    if not len(kept):
        return None
    low, high = float(kept.min()), float(kept.max())
    plain = spread(kept, "s")
    if plain is None or not low > 0 or high < 10 * low:
        return plain
    edges = np.geomspace(low * (1 - 1e-9), high * (1 + 1e-9), BINS + 1)
    counts, _ = np.histogram(kept, edges)
    return replace(plain, edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
