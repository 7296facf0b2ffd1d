"""What the partial neurons of a split layer say: lines that carry counts, each with its weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikebnn.arrays import I32, I64, U8, Array
from spikebnn.partition.types import Bank
from spikebnn.threshold import NO_TAP, Synapses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One signal per neuron of the layer, and what one of its spikes is worth."""

    signal: I32  # (neurons,); NO_TAP where a neuron has no such line
    weight: int
    most: I64  # (neurons,); largest count in a frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipping:
    """What is cut off where a count is kept within a window: measured on calibration frames, and at worst."""

    ticks: int  # the window
    frames: int  # of calibration
    counts: int  # partial counts of neurons in those frames
    clipped: int  # of them, those cut off
    worst: int  # most that the sum of one neuron can be wrong by, on any input

    @property
    def inside(self) -> bool:
        """Whether no input can leave a window, so that nothing is ever cut off."""
        return self.worst == 0

    def to_json(self) -> dict[str, Any]:
        """Plain data for a program's header."""
        share = self.clipped / self.counts if self.counts else 0.0
        return {"window": self.ticks, "frames": self.frames, "measured": share, "worst": self.worst, "exact": self.inside}


def joined(some: Sequence[Clipping]) -> Clipping | None:
    """The clipping of several layers; None where there is none."""
    if not some:
        return None
    return Clipping(
        ticks=some[0].ticks, frames=some[0].frames, counts=sum(c.counts for c in some),
        clipped=sum(c.clipped for c in some), worst=max(c.worst for c in some),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Partial neurons and their lines: for every neuron, sum(weight * count over lines) = its sum + offset."""

    banks: tuple[Bank, ...]
    lines: tuple[Line, ...]
    offset: I64  # (neurons,)
    next: int  # the first signal that is free
    clipping: Clipping | None = None

    @property
    def low(self) -> I64:
        """Smallest value that V can take while the counts arrive, whatever comes first; (neurons,)."""
        return np.asarray(sum(line.most * min(line.weight, 0) for line in self.lines), np.int64)

    @property
    def high(self) -> I64:
        """Largest value that V can take while the counts arrive; (neurons,)."""
        return np.asarray(sum(line.most * max(line.weight, 0) for line in self.lines), np.int64)


def said(signal: Array, weight: int, most: I64) -> Line:
    """A line with NO_TAP where the count is always 0."""
    return Line(signal=np.where(most > 0, signal, NO_TAP).astype(np.int32), weight=weight, most=most)


def weighed(lines: Sequence[Line]) -> Synapses:
    """Synapses of an aggregator that weighs and adds the lines."""
    taps = np.stack([line.signal for line in lines], axis=1).astype(np.int32)
    n = len(taps)
    weight = np.array([[line.weight for line in lines]], np.int16)
    return Synapses(weight=weight, taps=taps, row=np.zeros(n, np.int32), patch=np.arange(n, dtype=np.int32))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wide:
    """A layer (or readout) whose neurons are to be split."""

    name: str
    layer: int  # index into Partition.layers of the partial neurons
    role: str  # of the partial neurons
    synapses: Synapses
    spot: I32  # (neurons, 3)
    count: I64  # (patches, taps); largest count of each source in a frame
    first: int  # the first signal that is free
    seen: U8 | None = None  # (frames, bits); the network's bits on calibration frames
    window: int = 0  # ticks, for kinds that clip
    theta: I64 = field(default_factory=lambda: np.zeros(1, np.int64))  # (neurons,) or (1,); what the sums are compared with
    multi: bool = False  # a frame takes more than one tick, so what is added in every tick is heard in empty ones too
    cores: float = float("inf")  # its share of a chip, beyond which cores are dear

    @property
    def bits(self) -> bool:
        """Whether every source spikes at most once in a frame."""
        return int(self.count.max(initial=0)) <= 1
