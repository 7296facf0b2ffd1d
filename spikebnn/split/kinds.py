"""The kinds of split, by name: what they promise, and who makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spikebnn.partition.types import Violation
from spikebnn.split.burst import burst
from spikebnn.split.radix import radix
from spikebnn.split.sums import Sums, Wide
from spikebnn.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to split."""

    title: str
    lossless: bool
    made: Callable[[Wide, Target], Sums | Violation]
    adds: bool = False  # where sources are single bits, no line is taken away, so that a host can count the scores


KINDS: Mapping[str, Kind] = MappingProxyType({
    "exact": Kind(title="a partial sum is a burst of as many spikes", lossless=True, made=burst),
    "radix": Kind(title="a partial sum is two digits, each a short burst", lossless=True, adds=True,
                  made=lambda wide, target: radix(wide, target, 2)),
    "radix3": Kind(title="a partial sum is three digits, each a short burst", lossless=True, adds=True,
                   made=lambda wide, target: radix(wide, target, 3)),
})


def lossless() -> tuple[str, ...]:
    """The kinds that "auto" may choose from."""
    return tuple(name for name, kind in KINDS.items() if kind.lossless)
