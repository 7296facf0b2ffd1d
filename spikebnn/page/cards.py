"""The cards at the top of the page: the few numbers that are looked for first, each with what qualifies it."""

from __future__ import annotations

from dataclasses import dataclass

from spikebnn.interval import Interval
from spikebnn.score import Score
from spikebnn.units import UNKNOWN, pace, percent, si, span, ticks, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A name, its value, and what must be read with it."""

    name: str
    value: str
    more: str


def cards(score: Score) -> tuple[Card, ...]:
    """The cards of a score, answers first, then cost, then size. What is unknown says so."""
    frames, energy, times = max(score.frames, 1), score.energy, score.timing
    lacks = f"plus what is unknown: {', '.join(energy.lacks)}" if energy.lacks else ""
    own = f"plus what is unknown: {', '.join(energy.marginal_lacks)}" if energy.marginal_lacks else ""
    made = [_accuracy(score), _agreement(score)]
    made.append(joules_card("Energy per frame", energy.per_frame(energy.total), lacks or _at(energy.tick)))
    made.append(
        joules_card(
            "Network's own events",
            energy.per_frame(energy.marginal),
            own or "per frame, without what time costs",
        )
    )
    made.append(
        Card(
            name="Latency",
            value=UNKNOWN if times.latency_s is None else si(times.latency_s, "s"),
            more=f"{ticks(times.latency)}; {pace(times.period)}",
        )
    )
    if times.fastest is not None:
        more = "the shortest tick" + (
            ", plus what is unknown" if times.at_least else f", {ends(times.fastest, 's')}"
        )
        made.append(Card(name="Fastest tick", value=si(times.fastest.v, "s"), more=more))
    made.append(
        Card(
            name="Cores",
            value=whole(len(score.cores)),
            more=f"on {whole(score.chips)} chip{'s' * (score.chips != 1)}",
        )
    )
    events = whole(round(score.synaptic_events / frames))
    made.append(
        Card(
            name="Spikes per frame",
            value=whole(round(score.spikes / frames, 1)),
            more=f"{events} synaptic events",
        )
    )
    return tuple(made)


def _accuracy(score: Score) -> Card:
    if score.correct is None:
        return Card(name="Accuracy", value=UNKNOWN, more="no labels were given")
    return Card(
        name="Accuracy",
        value=percent(score.correct, score.frames),
        more=f"{whole(score.correct)} of {whole(score.frames)} frames",
    )


def _agreement(score: Score) -> Card:
    told = score.agreement
    if told is None:
        return Card(name="Same as the original", value=UNKNOWN, more="not looked at; run with --against")
    scores = "" if told.scores is None else f"; every score in {whole(told.scores)}"
    return Card(
        name="Same as the original",
        value=percent(told.classes, told.frames),
        more=f"class in {whole(told.classes)} of {whole(told.frames)} frames{scores}",
    )


def joules_card(name: str, joules: Interval | None, more: str) -> Card:
    """A card of an energy, with the ends of its interval."""
    if joules is None:
        return Card(name=name, value=UNKNOWN, more="no published constants for these events")
    return Card(
        name=name,
        value=si(joules.v, "J"),
        more="; ".join(part for part in (ends(joules, "J"), more) if part),
    )


def ends(value: Interval, unit: str) -> str:
    """Both ends of an interval in the unit of its best guess: "70.8 to 187 µJ"."""
    text = span(value, unit)
    return f"{text.partition('(')[2].rstrip(')')} {text.split(' ')[1]}" if "(" in text else ""


def _at(tick: float | None) -> str:
    return "" if tick is None else f"at a tick of {si(tick, 's')}"
