"""Scores side by side: do their energies overlap, on which constants do they rest, and what makes them incomparable."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from spikebnn.energy import KNOWN, UNKNOWN, Energy, Item
from spikebnn.errors import InputError
from spikebnn.gate import BASE, holds, numbers
from spikebnn.interval import Interval, exactly
from spikebnn.report import constants_table, read_score
from spikebnn.score import Score
from spikebnn.tables import Page, Table, render, table
from spikebnn.units import percent, si, span, ticks, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two or more scores with their labels, the first one being the base."""

    labels: tuple[str, ...]
    scores: tuple[Score, ...]

    def text(self, form: str = "text", color: bool = False, width: int | None = None) -> str:
        """The comparison as "text", "markdown", "csv" or "latex"."""
        return render(page(self), form, color, width)

    def failing(self, expression: str) -> tuple[str, ...]:
        """Labels of the scores of which a `--fail-if` expression is true; see `spikebnn.gate`.

        `base.NAME` is the first score's number, so "energy.v > 1.1 * base.energy.v" guards against regressions.
        """
        base = {BASE + name: value for name, value in numbers(self.scores[0]).items()}
        return tuple(
            label
            for label, score in zip(self.labels, self.scores)
            if holds(expression, numbers(score) | base, label)
        )

    def __str__(self) -> str:
        return self.text()


def compare(*scores: Score | str | Path, labels: Sequence[str] | None = None) -> Comparison:
    """Put scores, or the JSON files of some, side by side."""
    if not scores:
        raise InputError("there is nothing to compare: give scores, or the JSON files of some")
    if labels is not None and len(labels) != len(scores):
        raise InputError(f"there are {len(labels)} labels for {len(scores)} scores; give one each")
    read = tuple(read_score(score) for score in scores)
    given = [str(score) if not isinstance(score, Score) else score.target for score in scores]
    return Comparison(labels=_distinct(labels if labels is not None else _short(given)), scores=read)


def page(comparison: Comparison) -> Page:
    """The comparison, still a structure."""
    energies = [(label, score.energy) for label, score in zip(comparison.labels, comparison.scores)]
    refs: dict[str, None] = {}
    for _, energy in energies:
        refs |= dict.fromkeys(f"{key}: {text}" for key, text in energy.refs.items())
    for label, energy in energies:
        refs[f"left out of {label}: {'; '.join(energy.left_out) or 'nothing is named'}"] = None
    constants = constants_table(energies)
    tables = [_side_by_side(comparison), _items(comparison), *([constants] if constants.rows else [])]
    return Page(
        lines=(*mismatches(comparison), *verdicts(comparison)), tables=tuple(tables), notes=tuple(refs)
    )


def mismatches(comparison: Comparison) -> list[str]:
    """Sentences about what keeps the scores from being compared number by number."""
    said = []
    asked: list[tuple[str, Callable[[Score], object], str]] = [
        ("networks", lambda s: s.network, "accuracy and energy belong to different networks"),
        ("programs", lambda s: s.program, "the mappings differ"),
        ("targets", lambda s: s.target, "the energies rest on different constants"),
        (
            "target files",
            lambda s: (s.target, s.target_digest),
            "one target's file has changed between the runs",
        ),
        ("numbers of frames", lambda s: s.frames, "the data differ"),
        ("lengths of a tick", lambda s: s.energy.tick, "static energy is paid for different times"),
    ]
    for what, ask, so in asked:
        values = [ask(score) for score in comparison.scores]
        if what == "target files" and len({s.target for s in comparison.scores}) == len(set(values)):
            continue  # said under targets already
        if len(set(values)) > 1:
            said.append(f"different {what}: {so}")
    if any(not score.network for score in comparison.scores):
        said.append("a program does not name its network: whether the networks are the same is not known")
    hybrid = [label for label, score in zip(comparison.labels, comparison.scores) if score.hybrid]
    if hybrid:
        said.append(f"hybrid, part of the network runs on the host: {', '.join(hybrid)}")
    return said


def verdicts(comparison: Comparison) -> list[str]:
    """One sentence per pair: may an order of the energies be claimed?"""
    named = zip(comparison.labels, comparison.scores)
    return [_verdict(a, b) for a, b in combinations(named, 2)]


def _verdict(first: tuple[str, Score], second: tuple[str, Score]) -> str:
    (a, one), (b, two) = first, second
    x, y = one.energy.per_frame(one.energy.total), two.energy.per_frame(two.energy.total)
    if x is None or y is None:
        lacking = " and ".join(label for label, part in ((a, x), (b, y)) if part is None)
        return f"{a} against {b}: no order of energy, {lacking} has none"
    if one.target_digest == two.target_digest and one.frames and two.frames:
        low, high = difference(one.energy, two.energy)
        if low == high == 0:
            return f"{a} against {b}: equal energy"
        if low > 0 or high < 0:
            less, more, gap = (b, a, (low, high)) if low > 0 else (a, b, (-high, -low))
            text = f"{si(gap[0], 'J')}" + (f" to {si(gap[1], 'J')}" if gap[1] < math.inf else " or more")
            so = f"{less} costs less than {more} by {text} per frame"
            return f"{a} against {b}: {so}, for every value of the shared constants"
        return f"{a} against {b}: no order, the shared constants could decide either way"
    for p, cheap, lower, q, upper in ((a, one.energy, x, b, y), (b, two.energy, y, a, x)):
        if lower.hi < upper.lo:
            if cheap.at_least:
                return f"{a} against {b}: the known part of {p} lies below {q}, but {p} lacks {', '.join(cheap.lacks)}"
            return f"{a} against {b}: {p} costs less than {q}, the intervals lie apart"
    return f"{a} against {b}: the energy intervals overlap, no order can be claimed"


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
            p, q = a.per_frame(x.joules), b.per_frame(y.joules)
            low, high = (
                low + (p.lo if p else 0) - (q.hi if q else 0),
                high + (p.hi if p else 0) - (q.lo if q else 0),
            )
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


def _side_by_side(comparison: Comparison) -> Table:
    def energy(score: Score, part: Interval | None, lacks: Sequence[str]) -> str:
        return span(score.energy.per_frame(part), "J", lacks)

    def per_frame(value: int, score: Score) -> str:
        return whole(value / score.frames) if score.frames else "unknown"

    def agreed(score: Score, scores: bool) -> str:
        told = score.agreement
        return "unknown" if told is None else percent(told.scores if scores else told.classes, told.frames)

    rows: list[tuple[str, Callable[[Score], str]]] = [
        ("target", lambda s: s.target),
        ("simulator", lambda s: f"{s.simulator} {s.version}"),
        ("frames", lambda s: whole(s.frames)),
        ("accuracy", lambda s: percent(s.accuracy)),
        ("same classes as the original", lambda s: agreed(s, False)),
        ("same scores as the original", lambda s: agreed(s, True)),
        ("energy per frame", lambda s: energy(s, s.energy.total, s.energy.lacks)),
        ("of this, the network's events", lambda s: energy(s, s.energy.marginal, s.energy.marginal_lacks)),
        ("tick", lambda s: si(s.energy.tick, "s")),
        ("latency", lambda s: f"{ticks(s.timing.latency)}, {si(s.timing.latency_s, 's')}"),
        ("frame period", lambda s: ticks(s.timing.period)),
        ("fastest tick", lambda s: span(s.timing.fastest, "s", s.timing.lacks)),
        ("spikes per frame", lambda s: per_frame(s.spikes, s)),
        ("synaptic events per frame", lambda s: per_frame(s.synaptic_events, s)),
        ("hops per frame", lambda s: per_frame(s.hops, s)),
        ("cores", lambda s: whole(len(s.cores))),
        ("chips", lambda s: whole(s.chips)),
        ("program", lambda s: s.program[:12]),
    ]
    return table(
        "side by side",
        ("", *comparison.labels),
        [(name, *(show(score) for score in comparison.scores)) for name, show in rows],
    )


def _items(comparison: Comparison) -> Table:
    """Where the energy goes, one row per item of any bill."""
    names = list(dict.fromkeys(item.name for score in comparison.scores for item in score.energy.items))

    def cell(score: Score, name: str) -> str:
        item = next((item for item in score.energy.items if item.name == name), None)
        if item is None or item.joules is None:
            return "" if item is None else item.state
        return span(score.energy.per_frame(item.joules), "J")

    rows = [(name, *(cell(score, name) for score in comparison.scores)) for name in names]
    return table("energy per frame, by item", ("item", *comparison.labels), rows)


def _short(given: Sequence[str]) -> list[str]:
    """File names without folders, where that keeps the files apart."""
    files = set(given)
    return [
        Path(text).name if len({Path(file).name for file in files}) == len(files) else text for text in given
    ]


def _distinct(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels made different by a number where two are the same."""
    out: list[str] = []
    for label in labels:
        name, n = label, 2
        while name in out:
            name, n = f"{label} ({n})", n + 1
        out.append(name)
    return tuple(out)
