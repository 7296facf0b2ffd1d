"""What every simulator offers: it loads a program, and the session answers ticks or whole frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from spikebnn.arrays import I64, U8, Array
from spikebnn.program import Program
from spikebnn.run import Counts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Every spike, and some membranes, tick by tick."""

    spikes: U8  # (streams, ticks, neurons)
    membranes: I64  # (streams, ticks, watched); V after step 2, before the spike


class Answer(NamedTuple):
    """What a program said about some frames."""

    sums: I64  # (frames, sums)
    counts: Counts
    raster: U8 | None  # (frames, neurons); spikes in the neuron's window, 255 at most


class Session(Protocol):
    """A program inside a simulator. Calls do not remember each other: each starts at rest, V = 0, nothing under way."""

    def ticks(self, drive: U8, watch: Array | None = None) -> Trace:
        """Run streams side by side; drive (streams, ticks, lines) is 1 where a line is active, watch numbers neurons."""
        ...

    def frames(self, bits: U8, record: bool = False) -> Answer:
        """Present frames, bits (frames, presentation ticks, inputs), as `spikebnn.simulate.layout` lays them out."""
        ...


class Simulator(Protocol):
    """An entry of the registry."""

    name: str
    version: str

    def load(self, program: Program) -> Session:
        """Prepare a program; costs are paid here once, not per frame."""
        ...
