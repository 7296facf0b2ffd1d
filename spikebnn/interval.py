"""`Interval`: a number between a lowest and a highest value, with a best guess inside; costs are never bare numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from spikebnn.targets.target import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """lo <= v <= hi, none of them negative."""

    lo: float
    v: float
    hi: float

    def __post_init__(self) -> None:
        assert 0 <= self.lo <= self.v <= self.hi, f"no interval: {self.lo}, {self.v}, {self.hi}"

    def __add__(self, other: Interval) -> Interval:
        return Interval(lo=self.lo + other.lo, v=self.v + other.v, hi=self.hi + other.hi)

    def __mul__(self, other: Interval | float) -> Interval:
        """Product of two intervals that know nothing of each other."""
        by = other if isinstance(other, Interval) else exactly(other)
        return Interval(lo=self.lo * by.lo, v=self.v * by.v, hi=self.hi * by.hi)


def exactly(value: float) -> Interval:
    """The interval that holds one value."""
    return Interval(lo=value, v=value, hi=value)


def interval(quantity: Quantity) -> Interval:
    """The interval of a sourced number."""
    return Interval(lo=quantity.lo, v=quantity.v, hi=quantity.hi)


def wilson(right: int, of: int, z: float = 1.96) -> Interval:
    """The share of right answers and the interval that holds the true share for 95 % of samples of that size.

    It is the score interval of Wilson, J. Am. Stat. Assoc. 22:209 (1927), which stays within 0 and 1.

    >>> wilson(360, 370)
    Interval(lo=0.9509..., v=0.9729..., hi=0.9852...)
    """
    share = right / of
    shrink = 1 / (1 + z * z / of)
    middle = shrink * (share + z * z / (2 * of))
    reach = shrink * z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Interval(lo=max(0.0, min(share, middle - reach)), v=share, hi=min(1.0, max(share, middle + reach)))


def total(parts: Iterable[Interval]) -> Interval:
    """The sum; of nothing, zero."""
    out = exactly(0.0)
    for part in parts:
        out += part
    return out
