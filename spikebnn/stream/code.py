"""The encoder in the stream: rows of readings become rows of bits, with the row numbers and faults that belong to them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.encoders import Chain, Encoder, EventFrames, State, chain
from spikebnn.encoders.event_frames import MOST_EMPTY
from spikebnn.stream.samples import Rows, together
from spikebnn.stream.sources.block import Block

ROOM = 1 << 25  # bytes of the counts of bins at a time


class Coder:
    """Encodes rows, segment by segment from rest; without an encoder rows pass as they are.

    An encoded row bears the number of the last row it was made of, and is bad where one of them is. A bad row is given to
    the encoder as the last good one, so that what the encoder remembers stays finite.
    """

    def __init__(self, encoder: Encoder | None) -> None:
        self.encoder = encoder
        self.inner: State = {}
        self.good: F64 | None = None  # (channels,); what stands in for a bad row
        self.kept: Rows | None = (
            None  # rows from the first one on that the next encoded row is made of; no values
        )
        self.skip = 0  # rows that no encoded row is made of, where a stride is longer than a span
        self.begun = False  # an encoded row of this segment was given

    def push(self, rows: Rows) -> Rows | None:
        """The encoded rows that are complete."""
        if self.encoder is None or not len(rows):
            return rows
        edges = [0, *(np.flatnonzero(rows.fresh[1:]) + 1).tolist(), len(rows)]
        parts = [
            self._part(rows.take(slice(start, stop)), self.encoder)
            for start, stop in itertools.pairwise(edges)
        ]
        done = [part for part in parts if part is not None]
        return together(done) if done else None

    def state(self) -> dict[str, Any]:
        """Everything that must be known to go on."""
        kept = None if self.kept is None else {name: getattr(self.kept, name) for name in Rows.__slots__}
        return {"inner": self.inner, "good": self.good, "kept": kept, "skip": self.skip, "begun": self.begun}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.inner, self.good, self.skip, self.begun = (
            state["inner"],
            state["good"],
            state["skip"],
            state["begun"],
        )
        self.kept = None if state["kept"] is None else Rows(**state["kept"])

    def _part(self, rows: Rows, encoder: Encoder) -> Rows | None:
        if rows.fresh[0]:
            self.inner, self.good, self.kept, self.skip, self.begun = {}, None, None, 0, False
        values = self._finite(rows)
        out, self.inner = encoder.push(values, self.inner)
        facts = Rows(number=rows.number, values=np.zeros((len(rows), 0)), bad=rows.bad, mended=rows.mended, fresh=rows.fresh,
                     labels=rows.labels)  # fmt: skip
        facts = facts.take(slice(self.skip, None))
        self.skip = max(0, self.skip - len(rows))
        facts = facts if self.kept is None else together([self.kept, facts])
        used = len(out) * encoder.stride
        self.skip += max(0, used - len(facts))
        self.kept = facts.take(slice(used, None))
        if not len(out):
            return None
        first = np.arange(len(out)) * encoder.stride
        ends = first + encoder.span - 1
        bad, mended = (_any(part, first, ends) for part in (facts.bad, facts.mended))
        fresh = np.zeros(len(out), bool)
        fresh[0] = not self.begun
        self.begun = True
        labels = None if facts.labels is None else facts.labels[ends]
        return Rows(number=facts.number[ends], values=out, bad=bad, mended=mended, fresh=fresh, labels=labels)

    def _finite(self, rows: Rows) -> F64:
        """The readings, those of bad rows replaced by the last good row, or by 0."""
        values = np.array(rows.values, np.float64)
        if rows.bad.any():
            before = np.zeros(values.shape[1]) if self.good is None else self.good
            last = np.maximum.accumulate(np.where(rows.bad, 0, np.arange(1, len(rows) + 1)))
            values = np.concatenate([before[None], values])[last]
        self.good = values[-1].copy()
        return values


class EventCoder:
    """Events become rows, one a time bin, and go through the encoders that follow.

    Every segment begins anew, its first bin with its first event. A row's label is that of the last event up to its end.
    """

    def __init__(self, encoder: Encoder, see: Callable[[Rows], object] | None = None) -> None:
        self.see = see
        stages = encoder.stages if isinstance(encoder, Chain) else (encoder,)
        first = stages[0]
        assert isinstance(first, EventFrames)
        self.frames = first
        self.coder = Coder(chain(stages[1:]) if len(stages) > 1 else None)
        self.inner: State = {}
        self.next = 0
        self.segment: str | None = None
        self.label: Any = None  # of the last event; None where there are no labels
        self.begun = False  # a row of this segment was given

    def push(self, block: Block) -> Iterator[Rows]:
        """The rows of the bins that are complete, a bounded number at a time."""
        if not block.rows:
            return
        codes = block.segments
        edges = [0, block.rows]
        if codes is not None:
            edges[1:1] = (np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist()
        for start, stop in itertools.pairwise(edges):
            if codes is not None:
                if self.segment is not None and str(codes[start]) != self.segment:
                    yield from self.finish()
                    self.inner = {name: self.inner[name] for name in ("late", "outside") if name in self.inner}
                    self.begun = False
                self.segment = str(codes[start])
            labels = None if block.labels is None else block.labels[start:stop]
            yield from self._pieces(block.values[start:stop], labels)

    def finish(self) -> Iterator[Rows]:
        """The row of the bin that was open."""
        out = self.frames.finish(self.inner)
        yield from self._rows(out, None if self.label is None else [self.label] * len(out))

    def state(self) -> dict[str, Any]:
        """Everything that must be known to go on."""
        plain = {name: getattr(self, name) for name in ("inner", "next", "segment", "begun")}
        label = self.label.item() if isinstance(self.label, np.generic) else self.label
        return {**plain, "label": label, "coder": self.coder.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for name in ("inner", "next", "segment", "begun", "label"):
            setattr(self, name, state[name])
        self.coder.restore(state["coder"])

    def _pieces(self, events: Array, labels: Array | None) -> Iterator[Rows]:
        """The complete rows of events of one segment; a pause between two of them may hold more bins than memory."""
        most = max(1, ROOM // (8 * self.frames.width(4)))
        while len(events):
            current = int(self.inner.get("bin", 0))
            origin = float(self.inner.get("origin", events[0, 0]))
            newest = np.maximum.accumulate(np.floor((events[:, 0] - origin) / self.frames.bin))
            stop = int(np.searchsorted(newest, current + most))
            pause = newest[0] - current
            if stop == 0 and "counts" in self.inner and pause <= MOST_EMPTY:
                for done in range(0, int(pause), most):
                    out, self.inner = self.frames.close(min(most, int(pause) - done), self.inner)
                    yield from self._rows(out, None if labels is None else [self.label] * len(out))
                continue
            stop = max(1, stop)
            yield from self._piece(events[:stop], None if labels is None else labels[:stop])
            events, labels = events[stop:], None if labels is None else labels[stop:]

    def _piece(self, events: Array, labels: Array | None) -> Iterator[Rows]:
        """The complete rows of some events."""
        before = int(self.inner.get("bin", 0))
        out, self.inner = self.frames.push(events, self.inner)
        if labels is None:
            yield from self._rows(out, None)
            return
        bins = np.floor((events[:, 0] - float(self.inner["origin"])) / self.frames.bin)
        last = np.searchsorted(np.maximum.accumulate(bins), before + np.arange(len(out)), "right") - 1
        told = [labels[at] if at >= 0 else self.label for at in last.tolist()]
        self.label = labels[-1]
        yield from self._rows(out, told)

    def _rows(self, out: Array, labels: list[Any] | None) -> Iterator[Rows]:
        if not len(out):
            return
        number = np.arange(self.next, self.next + len(out))
        fresh = np.zeros(len(out), bool)
        fresh[0] = not self.begun
        self.begun = True
        self.next += len(out)
        none = np.zeros(len(out), bool)
        told = None if labels is None else np.array([*labels, None], object)[:-1]
        rows = Rows(number=number, values=out, bad=none, mended=none, fresh=fresh, labels=told)
        if self.see is not None:
            self.see(rows)
        coded = self.coder.push(rows)
        if coded is not None:
            yield coded


def _any(flags: Array, first: Array, last: Array) -> Array:
    """Whether any flag from first to last is set."""
    total = np.concatenate([[0], np.cumsum(flags)])
    out: Array = total[last + 1] > total[first]
    return out
