"""Scores side by side: do their energies overlap, on which constants do they rest, and what makes them incomparable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikebnn.baseline import baselines, lost_to
from spikebnn.errors import InputError
from spikebnn.gate import BASE, holds, numbers
from spikebnn.interval import Interval, wilson
from spikebnn.order import EQUAL, LESS, MORE, OPEN, Ranking, pairs, ranking
from spikebnn.report import constants_table, read_score
from spikebnn.score import Score
from spikebnn.tables import Page, Table, render, table
from spikebnn.units import percent, si, span, ticks, whole

MANY = 4  # with more scores than these a table says what may be claimed of each pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two or more scores with their labels, the first one being the base."""

    labels: tuple[str, ...]
    scores: tuple[Score, ...]

    @property
    def named(self) -> list[tuple[str, Score]]:
        """(label, score) in the order given."""
        return list(zip(self.labels, self.scores))

    @property
    def ranking(self) -> Ranking:
        """Scores by best guess of energy, and whether that order holds."""
        return ranking(self.named)

    def draw(self, path: str | Path) -> bytes:
        """Energy against accuracy with intervals, as .html, .svg, .pdf or .png; needs vl-convert-python."""
        from spikebnn.scatter import picture

        return picture(self.named, path, self.text())

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
    many = len(comparison.scores) > MANY
    tables = [
        *([_orders(comparison)] if many else []),
        _side_by_side(comparison),
        _items(comparison),
        constants_table(energies),
    ]
    said = [] if many else verdicts(comparison)
    if len(comparison.scores) > 2:
        said.append(comparison.ranking.text)
    return Page(
        lines=(*mismatches(comparison), *said),
        tables=tuple(part for part in tables if part.rows),
        notes=tuple(refs),
        sheet=_sheet(comparison),
    )


def mismatches(comparison: Comparison) -> list[str]:
    """Sentences about what keeps the scores from being compared number by number."""
    said = []
    asked: list[tuple[str, Callable[[Score], object], str]] = [
        ("networks", lambda s: s.network, "accuracy and energy belong to different networks"),
        ("programs", lambda s: s.program, "the mappings differ"),
        ("targets", lambda s: s.target, "the energies rest on different constants"),
        ("frame rates", lambda s: s.rate, "energies at a rate are no comparison"),
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
    return [pair.text for pair in pairs(comparison.named)]


def _orders(comparison: Comparison) -> Table:
    """Every score against every other: costs less, costs more, equal, or no order."""
    signs = {LESS: "less", MORE: "more", EQUAL: "equal", OPEN: "?"}
    turned = {LESS: MORE, MORE: LESS}
    found = {(pair.first, pair.second): pair.order for pair in pairs(comparison.named)}
    found |= {(b, a): turned.get(order, order) for (a, b), order in found.items()}
    rows = [
        (label, *("" if label == other else signs[found[label, other]] for other in comparison.labels))
        for label in comparison.labels
    ]
    return table("energy of the row against the column", ("", *comparison.labels), rows)


def _side_by_side(comparison: Comparison) -> Table:
    def energy(score: Score, part: Interval | None, lacks: Sequence[str]) -> str:
        return span(score.energy.per_frame(part), "J", lacks)

    def per_frame(value: int, score: Score) -> str:
        return whole(value / score.frames) if score.frames else "unknown"

    def agreed(score: Score, scores: bool) -> str:
        told = score.agreement
        return "unknown" if told is None else percent(told.scores if scores else told.classes, told.frames)

    def at_fastest(score: Score) -> str:
        fastest = score.timing.fastest
        return "unknown" if fastest is None else span(score.energy.at_ticks(fastest), "J", score.energy.lacks)

    def at_rate(score: Score) -> str:
        return "" if score.duty is None else span(score.duty.per_frame, "J", score.duty.on.lacks)

    def lost(score: Score) -> str:
        return "unknown" if score.energy.total is None else f"{len(lost_to(score))} of {len(baselines())}"

    def likely(score: Score) -> str:
        if score.correct is None or not score.frames:
            return "unknown"
        ends = wilson(score.correct, score.frames)
        return f"{percent(ends.lo)} to {percent(ends.hi)}"

    rows: list[tuple[str, Callable[[Score], str]]] = [
        ("target", lambda s: s.target),
        ("simulator", lambda s: f"{s.simulator} {s.version}"),
        ("frames", lambda s: whole(s.frames)),
        ("accuracy", lambda s: percent(s.accuracy)),
        ("accuracy, 95 % interval", likely),
        ("same classes as the original", lambda s: agreed(s, False)),
        ("same scores as the original", lambda s: agreed(s, True)),
        ("energy per frame", lambda s: energy(s, s.energy.total, s.energy.lacks)),
        ("of this, the network's events", lambda s: energy(s, s.energy.marginal, s.energy.marginal_lacks)),
        ("conventional baselines that cost less", lost),
        ("tick", lambda s: si(s.energy.tick, "s")),
        *([("energy per frame at its rate", at_rate)] if any(s.rate for s in comparison.scores) else []),
        ("latency", lambda s: f"{ticks(s.timing.latency)}, {si(s.timing.latency_s, 's')}"),
        ("frame period", lambda s: ticks(s.timing.period)),
        ("fastest tick", lambda s: span(s.timing.fastest, "s", s.timing.lacks)),
        ("energy per frame at that tick", at_fastest),
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


def _sheet(comparison: Comparison) -> Table:
    """A row of plain numbers per score, SI units, for a program or a plot of one's own; an empty cell is unknown."""
    rows = [(label, score.target, numbers(score)) for label, score in comparison.named]
    head = list(dict.fromkeys(name for _, _, values in rows for name in values))

    def cell(value: float | None) -> str:
        return "" if value is None else repr(value)

    made = [(label, target, *(cell(values.get(name)) for name in head)) for label, target, values in rows]
    return table("scores", ("label", "target", *head), made)


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
