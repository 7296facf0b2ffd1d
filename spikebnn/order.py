"""May one score be said to cost less than another, and does a whole ranking hold?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from spikebnn.energy import KNOWN, UNKNOWN, Energy, Item
from spikebnn.interval import exactly
from spikebnn.score import Score
from spikebnn.units import si

LESS, MORE, EQUAL, OPEN = "<", ">", "=", "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What may be said of the energies per frame of two scores."""

    first: str
    second: str
    order: str  # of the first against the second: LESS, MORE, EQUAL, or OPEN where no order can be claimed
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Scores by their best guess of energy per frame, the cheapest first."""

    labels: tuple[str, ...]  # those with an energy
    without: tuple[str, ...]  # those without one
    swaps: tuple[tuple[str, str], ...]  # pairs whose order the constants could turn round

    @property
    def robust(self) -> bool:
        return not self.swaps and not self.without

    @property
    def text(self) -> str:
        """The ranking and whether it holds, in one sentence."""
        if len(self.labels) < 2:
            return "ranking by energy: fewer than two scores have one"
        said = f"ranking by best guess of energy, the cheapest first: {', '.join(self.labels)}"
        if self.without:
            said += f"; without an energy: {', '.join(self.without)}"
        if not self.swaps:
            return said + "; robust, the order of every pair can be claimed"
        pairs = [f"{a} and {b}" for a, b in self.swaps]
        shown = "; ".join(pairs[:6]) + (f"; and {len(pairs) - 6} more pairs" if len(pairs) > 6 else "")
        return said + f"; not robust, these may change places: {shown}"


def pairs(named: Sequence[tuple[str, Score]]) -> list[Pair]:
    """Every pair of scores, in the order given."""
    return [_pair(a, b) for a, b in combinations(named, 2)]


def ranking(named: Sequence[tuple[str, Score]]) -> Ranking:
    """The order of all scores by best guess, and which neighbours or others could swap."""
    priced = [(label, score.energy.per_frame(score.energy.total)) for label, score in named]
    known = sorted(
        ((joules.v, label) for label, joules in priced if joules is not None), key=lambda row: row[0]
    )
    rank = {label: n for n, (_, label) in enumerate(known)}
    swaps = [
        tuple(sorted((pair.first, pair.second), key=rank.__getitem__))
        for pair in pairs([(label, score) for label, score in named if label in rank])
        if pair.order == OPEN
    ]
    return Ranking(
        labels=tuple(label for _, label in known),
        without=tuple(label for label, joules in priced if joules is None),
        swaps=tuple((a, b) for a, b in sorted(swaps, key=lambda pair: (rank[pair[0]], rank[pair[1]]))),
    )


def _pair(first: tuple[str, Score], second: tuple[str, Score]) -> Pair:
    (a, one), (b, two) = first, second

    def said(order: str, text: str) -> Pair:
        return Pair(first=a, second=b, order=order, text=f"{a} against {b}: {text}")

    x, y = one.energy.per_frame(one.energy.total), two.energy.per_frame(two.energy.total)
    if x is None or y is None:
        lacking = " and ".join(label for label, part in ((a, x), (b, y)) if part is None)
        return said(OPEN, f"no order of energy, {lacking} has none")
    if one.target_digest == two.target_digest and one.frames and two.frames:
        low, high = difference(one.energy, two.energy)
        if low == high == 0:
            return said(EQUAL, "equal energy")
        if low > 0 or high < 0:
            less, more, gap = (b, a, (low, high)) if low > 0 else (a, b, (-high, -low))
            text = f"{si(gap[0], 'J')}" + (f" to {si(gap[1], 'J')}" if gap[1] < math.inf else " or more")
            so = f"{less} costs less than {more} by {text} per frame, for every value of the shared constants"
            return said(MORE if low > 0 else LESS, so)
        return said(OPEN, "no order, the shared constants could decide either way")
    for order, p, cheap, lower, q, upper in ((LESS, a, one, x, b, y), (MORE, b, two, y, a, x)):
        if lower.hi < upper.lo:
            if cheap.energy.at_least:
                lacks = ", ".join(cheap.energy.lacks)
                return said(OPEN, f"the known part of {p} lies below {q}, but {p} lacks {lacks}")
            return said(order, f"{p} costs less than {q}, the intervals lie apart")
    return said(OPEN, "the energy intervals overlap, no order can be claimed")


def difference(a: Energy, b: Energy) -> tuple[float, float]:
    """Smallest and largest a - b per frame, with both billed by the same constants.

    An item of n events at price c contributes (n_a - n_b) * c, so a price that both share cancels. Where events have
    two prices and an uncertain split, both bills are taken as if they knew nothing of each other. A price that
    nobody knows cancels where both pay it equally often, and otherwise leaves one end open.
    """
    low = high = 0.0
    for x, y in zip(a.items, b.items):
        states = {x.state, y.state}
        if UNKNOWN in states:
            more = x.count.v / a.frames - y.count.v / b.frames
            low, high = (-math.inf if more < 0 else low), (math.inf if more > 0 else high)
        if KNOWN not in states:
            continue
        parts = _priced(x, y, a.frames, b.frames)
        if parts is None:
            p, q = (energy.per_frame(item.joules) or exactly(0.0) for energy, item in ((a, x), (b, y)))
            low, high = low + p.lo - q.hi, high + p.hi - q.lo
            continue
        for key, more in parts:
            price = {**a.constants, **b.constants}[key]
            ends = sorted((more * price.lo, more * price.hi))
            low, high = low + ends[0], high + ends[1]
    return low, high


def _priced(x: Item, y: Item, a: int, b: int) -> list[tuple[str, float]] | None:
    """How many events more per frame x has than y, by constant; None where a split between two prices is uncertain."""
    keys = x.constants or y.constants
    if not x.shares and not y.shares:
        return [(keys[0], x.count.v / a - y.count.v / b)]
    if (x.shares, x.count, a) == (y.shares, y.count, b):
        return []
    if any(count.lo != count.hi for _, count in (*x.shares, *y.shares)):
        return None
    ours, theirs = dict(x.shares), dict(y.shares)
    none = exactly(0.0)
    return [(key, ours.get(key, none).v / a - theirs.get(key, none).v / b) for key in keys]
