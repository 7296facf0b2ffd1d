"""The kinds of split, by name: what they promise, and who makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spikebnn.partition.types import Violation
from spikebnn.split.axons import cannot_split
from spikebnn.split.burst import burst
from spikebnn.split.graded import graded
from spikebnn.split.radix import radix
from spikebnn.split.sums import Sums, Wide
from spikebnn.split.window import window
from spikebnn.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to split."""

    title: str
    lossless: bool
    made: Callable[[Wide, Target], Sums | Violation]
    at_once: bool = False  # partial sums and aggregators act in one tick each, and nothing is emptied
    readout: str = ""  # the kind that makes the scores, whose lines a host can add up; empty: bursts


def _two(wide: Wide, target: Target) -> Sums | Violation:
    return radix(wide, target, 2)


def _three(wide: Wide, target: Target) -> Sums | Violation:
    return radix(wide, target, 3)


KINDS: Mapping[str, Kind] = MappingProxyType({
    "exact": Kind(title="a partial sum is a burst of as many spikes", lossless=True, made=burst),
    "radix": Kind(title="a partial sum is two digits, each a short burst", lossless=True, made=_two, readout="radix"),
    "radix3": Kind(title="a partial sum is three digits, each a short burst", lossless=True, made=_three, readout="radix3"),
    "window": Kind(title="a burst cut to a window around its calibrated mean", lossless=False, made=window, readout="radix"),
    "graded": Kind(title="a partial sum is one spike that carries it", lossless=True, made=graded, at_once=True),
})


def lossless(target: Target) -> tuple[str, ...]:
    """The kinds that "auto" may choose from."""
    return tuple(
        name for name, kind in KINDS.items() if kind.lossless and not (kind.at_once and cannot_split(target, at_once=True))
    )
