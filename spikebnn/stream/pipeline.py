"""From a source to batches of windows: samples, encoder and cutter in a row, with one state for all of them."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from spikebnn.encoders import Encoder
from spikebnn.errors import InputError
from spikebnn.faults import Faults
from spikebnn.stream.code import Coder, EventCoder
from spikebnn.stream.plan import KEEP, Scenario
from spikebnn.stream.samples import Rows, Samples
from spikebnn.stream.sources import Block, Position, Source
from spikebnn.stream.window import Cutter, Windows, joined

BATCH_BYTES = 1 << 26  # memory for the windows of one batch
MOST_WINDOWS = 2048  # in a batch
RATE_ERROR = 0.05  # by which measured times may differ from the rate that is named


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """The stream's rates and sizes, after everything about source, encoder and network is known."""

    rate: float  # rows of the source per second, on the grid; of a camera: bins per second
    times: str  # "grid", "linear" or "rows"
    stride: int  # rows of the source under one encoded row
    size: int  # encoded rows in a window
    hop: int  # encoded rows from one window to the next
    width: int  # values in an encoded row
    batch: int  # windows decided together
    note: str = ""  # what was assumed about the times, for the report

    @property
    def interval(self) -> float:
        """Seconds from one window to the next."""
        return self.hop * self.stride / self.rate


def settle(plan: Scenario, source: Source, encoder: Encoder | None, rate: float, values: int) -> Shape:
    """Rates and sizes; `values` is how many the network takes. Raises InputError where they do not go together."""
    stride = 1 if encoder is None else encoder.stride
    width = len(source.channels) if encoder is None else encoder.width(len(source.channels))
    if plan.rows is None:
        if values % width:
            raise InputError(
                f"the network takes {values} values and a row has {width}, so no whole number of rows fills it; "
                "choose channels, an encoder or a window that do"
            )
        size = values // width
    else:
        size = _rows(plan.rows, rate / stride, "window")
    if values and size * width != values:
        raise InputError(
            f"a window of {size} rows of {width} values holds {size * width}, and the network takes {values}; "
            "change the window, the channels or the encoder"
        )
    hop = size if plan.hop is None else _rows(plan.hop, rate / stride, "hop")
    times, note = _times(plan, source)
    room = max(1, BATCH_BYTES // (8 * size * width))
    batch = min(MOST_WINDOWS, room // 4 * 4 or room)
    return Shape(
        rate=rate, times=times, stride=stride, size=size, hop=hop, width=width, batch=batch, note=note
    )


def rate_of(plan: Scenario, source: Source) -> float:
    """The rate that was named, or that of the source; an InputError where they differ, or where there is none."""
    named, own = plan.source.rate, source.rate
    if named is None and own is None:
        raise InputError(
            f"{source.name} does not say at which rate its rows come; name it: how many rows a second"
        )
    if named is None or own is None:
        return float(named if named is not None else own or 0.0)
    off = abs(own / named - 1)
    if off > (1e-6 if source.exact else RATE_ERROR) and plan.source.action("rate") != KEEP:
        said = "says" if source.exact else "shows by its times"
        raise InputError(
            f"{source.name} {said} {own:.6g} rows a second, and the rate is said to be {named:.6g}; name the right one, "
            "or keep the one named with the policy rate=keep"
        )
    return float(named)


class Feed:
    """Reads a source and gives batches of windows, and at any time the state from which the next ones come again.

    A state is taken before every block. A batch may reach over several blocks, so the state to go on from is that of
    the block in which the first window not yet given was cut, with the number of windows to leave out.
    """

    def __init__(
        self,
        plan: Scenario,
        source: Source,
        encoder: Encoder | None,
        shape: Shape,
        faults: Faults,
        see: Callable[[Rows], object] | None = None,
    ) -> None:
        self.plan, self.source, self.shape, self.faults, self.see = plan, source, shape, faults, see
        self.samples = Samples(plan.source, shape.rate, shape.times, source.full_scale, source.name)
        self.coder: Coder | EventCoder
        if source.events:
            assert encoder is not None
            self.coder = EventCoder(encoder, see)
        else:
            self.coder = Coder(encoder)
        self.cutter = Cutter(shape.size, shape.hop, plan.label)
        self.position: Position = {}
        self.read = 0  # rows or events
        self.cut = 0  # windows cut
        self.made = 0  # windows given in batches
        self._skip, self._broken = 0, False
        self._states: deque[tuple[int, Mapping[str, Any]]] = deque()

    def batches(self) -> Iterator[Windows]:
        """Batches of windows in order: all but the last hold `shape.batch`, but of a live source whatever a block gives."""
        kept: list[Windows] = []
        waiting = 0
        full = None if self.source.live else self.shape.batch
        for block in itertools.chain(self.source.blocks(self.position), [None]):
            self._note()
            for windows in self._windows(block):
                self.cut += len(windows)
                some = windows.take(slice(min(self._skip, len(windows)), None))
                self._skip -= len(windows) - len(some)
                while len(some):
                    piece = some.take(slice(0, None if full is None else full - waiting))
                    some = some.take(slice(len(piece), None))
                    kept.append(piece)
                    waiting += len(piece)
                    if waiting == full:
                        yield self._batch(kept)
                        kept, waiting = [], 0
            if self.source.live:
                self._note()
            if kept and (block is None or self.source.live):
                yield self._batch(kept)
                kept, waiting = [], 0

    def state(self) -> Mapping[str, Any]:
        """What `restore` needs to give the batches that come next."""
        self._prune()
        cut, state = self._states[0]
        return {**state, "cut": cut, "made": self.made}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state. Behind an interruption of a live source no window reaches across it."""
        self.samples.restore(state["samples"])
        self.coder.restore(state["coder"])
        self.cutter.restore(state["cutter"])
        self.position, self.read, self.cut, self.made = (
            state["position"],
            state["read"],
            state["cut"],
            state["made"],
        )
        self._skip, self._broken = self.made - self.cut, self.source.live
        if self.source.live:
            self.samples.interrupted()

    def _batch(self, kept: list[Windows]) -> Windows:
        self.made += sum(len(windows) for windows in kept)
        return joined(kept)

    def _windows(self, block: Block | None) -> Iterator[Windows]:
        """The windows that end in a block's rows, or at the end of all."""
        for rows in self._last() if block is None else self._rows(block):
            yield from self.cutter.push(rows, self.shape.batch)

    def _rows(self, block: Block) -> Iterator[Rows]:
        first, self.position = self.read, block.position
        self.read += block.rows
        if isinstance(self.coder, EventCoder):
            yield from self.coder.push(block)
            return
        rows = self.samples.push(replace(block, values=self.faults.sensed(block.values, first)))
        if rows is None or not len(rows):
            return
        if self._broken:
            rows.fresh[0], self._broken = True, False
        yield from self._coded(self.coder, rows)

    def _last(self) -> Iterator[Rows]:
        if isinstance(self.coder, EventCoder):
            yield from self.coder.finish()
            return
        rows = self.samples.finish()
        if rows is not None and len(rows):
            yield from self._coded(self.coder, rows)

    def _coded(self, coder: Coder, rows: Rows) -> Iterator[Rows]:
        if self.see is not None:
            self.see(rows)
        coded = coder.push(rows)
        if coded is not None:
            yield coded

    def _note(self) -> None:
        state = {"samples": self.samples.state(), "coder": self.coder.state(), "cutter": self.cutter.state(),
                 "position": self.position, "read": self.read}  # fmt: skip
        self._states.append((self.cut, state))
        self._prune()

    def _prune(self) -> None:
        while len(self._states) > 1 and self._states[1][0] <= self.made:
            self._states.popleft()


def _rows(length: int | float, rate: float, what: str) -> int:
    """A length in rows; a float is seconds."""
    if isinstance(length, int):
        return length
    rows = round(length * rate)
    if rows < 1 or abs(rows - length * rate) > 0.01 * max(1.0, length * rate):
        raise InputError(
            f"a {what} of {length:g} s is {length * rate:g} rows at {rate:g} Hz; choose a time that is a whole number of rows"
        )
    return rows


def _times(plan: Scenario, source: Source) -> tuple[str, str]:
    """What is done with the rows' times, and what the report says of it."""
    if plan.source.times != "auto":
        return plan.source.times, ""
    if source.regular:
        return "grid", ""
    return (
        "rows",
        'the rows\' times are irregular, so every row counts as one step; times = "linear" resamples them',
    )
