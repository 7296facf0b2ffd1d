"""What may look on while a stream runs: a recorder, a live view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from spikebnn.arrays import U8
from spikebnn.program import Program
from spikebnn.simulate import Answer
from spikebnn.stream.decisions import Decision
from spikebnn.stream.pipeline import Shape
from spikebnn.stream.plan import Scenario
from spikebnn.stream.report import Facts, StreamReport
from spikebnn.stream.samples import Rows
from spikebnn.stream.totals import Totals
from spikebnn.stream.window import Windows
from spikebnn.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opened:
    """A stream before its first row."""

    plan: Scenario
    program: Program
    target: Target
    facts: Facts
    shape: Shape
    live: bool  # rows come as they are sensed
    waited: Callable[[], float]  # seconds that a live source has waited for rows, up to now


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Some windows in order, their decisions, and the answer of those that were decided."""

    windows: Windows
    decisions: tuple[Decision, ...]
    answer: Answer | None  # frames of the decided windows in order; with a raster where one was asked for
    bits: U8 | None  # (frames, ticks, inputs) of the decided windows; None where no raster was asked for
    totals: Totals  # sums up to here; to be read, not kept
    samples: Mapping[str, int]  # rows read and what was wrong with them, up to here; to be read, not kept


class Watch(Protocol):
    """Looks on; whatever it does, decisions stay the same."""

    def begin(self, opened: Opened) -> None:
        """The stream begins."""
        ...

    def rows(self, rows: Rows) -> None:
        """Rows on the grid, mended, before any encoder; some of them again where a stream is resumed."""
        ...

    def wants(self) -> int:
        """Of how many windows the spikes are wanted next; 0 of none."""
        ...

    def batch(self, batch: Batch) -> None:
        """Windows were decided; a batch has a raster where it holds no more windows than some watcher wanted."""
        ...

    def state(self) -> Mapping[str, Any] | None:
        """What must be known to go on from a checkpoint, or None."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        ...

    def end(self, report: StreamReport) -> None:
        """The stream has ended."""
        ...
