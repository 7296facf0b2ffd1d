"""`Recipe`: the choices that make one mapping; stored in the program's header."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Choices of the mapper. Every field is an option of `spikebnn map`."""

    split: str = "auto"  # fan-in split: "auto", "none", or a name of spikebnn.split.KINDS
    window: int = 32  # ticks of a partial count, for the split "window"
    readout: str = "auto"  # "membrane", "thermometer", "burst"
    place: str = "anneal"  # "anneal", "hilbert", "raster"
    seed: int = 0
