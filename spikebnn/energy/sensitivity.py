"""Which constant moves an energy most: each one alone from its low to its high end, all others at their best guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spikebnn.energy import KNOWN, Energy
from spikebnn.interval import exactly
from spikebnn.units import percent, si

UNCOUNTED = "events not counted"  # the split between two prices, where a simulator only bounds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """The total per frame, in joules, while one thing alone goes from one end to the other."""

    name: str  # a key of Energy.constants, or UNCOUNTED
    lo: float
    hi: float

    @property
    def width(self) -> float:
        return self.hi - self.lo


def sensitivity(energy: Energy) -> tuple[Swing, ...]:
    """All swings of the total per frame, the widest first; those that move nothing are left out.

    A constant may price several items, which then move together. Empty where nothing is priced or no frame was run.
    """
    best = energy.per_frame(energy.total)
    if best is None:
        return ()
    events: dict[str, float] = {}
    split = [0.0, 0.0]
    for item in energy.items:
        if item.state != KNOWN or item.joules is None:
            continue
        shares = item.shares or ((item.constants[0], item.count),)
        for key, count in shares:
            events[key] = events.get(key, 0.0) + count.v / energy.frames
        if item.shares:
            (first, _), (second, some) = item.shares
            step = energy.constants[second].v - energy.constants[first].v
            ends = sorted(step * (end - some.v) / energy.frames for end in (some.lo, some.hi))
            split = [split[0] + ends[0], split[1] + ends[1]]
    swings = [
        Swing(name=key, lo=best.v - count * (price.v - price.lo), hi=best.v + count * (price.hi - price.v))
        for key, count in events.items()
        for price in (energy.constants[key],)
    ]
    swings.append(Swing(name=UNCOUNTED, lo=best.v + split[0], hi=best.v + split[1]))
    return tuple(sorted((swing for swing in swings if swing.width > 0), key=lambda swing: -swing.width))


def sensitivity_line(energy: Energy, swings: Sequence[Swing] | None = None) -> str | None:
    """One sentence about the two constants that move the total most; None where none moves it."""
    swings = sensitivity(energy) if swings is None else swings
    whole = energy.per_frame(energy.total) or exactly(0.0)
    if not swings:
        return None
    parts = []
    for swing in swings[:2]:
        of = percent(min(1.0, swing.width / (whole.hi - whole.lo)))
        parts.append(f"{swing.name} ({si(swing.lo, 'J')} to {si(swing.hi, 'J')}, {of} of the interval)")
    return f"most uncertain: {', then '.join(parts)}"
