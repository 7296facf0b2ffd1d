"""What the page of a stream shows: its cards, its figures, its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikebnn.interval import Interval
from spikebnn.page.cards import Card, ends, joules_card
from spikebnn.page.curves import curve_figure
from spikebnn.page.events import confusion_figure, spread_figure
from spikebnn.page.figure import Figure
from spikebnn.page.lanes import lanes_figure
from spikebnn.recorded import Recorded
from spikebnn.units import UNKNOWN, lasting, percent, si, ticks, whole

CLASSES = 40  # of a confusion matrix that can still be read
BAD = {
    "bad": "a reading is missing, unreadable or infinite",
    "clipped": "a reading lies at the end of the sensor's range",
    "gap": "rows are missing, as the times of others show",
    "late": "out of order, twice, or without a time",
    "lost": "came too fast to be taken",
}


def stream_figures(run: Recorded) -> dict[str, Figure]:
    """All figures that this stream can fill, by name."""
    facts = run.facts
    classes = tuple(str(name) for name in facts["classes"])
    made = [lanes_figure(run, classes)]
    if facts["confusion"] is not None and len(facts["confusion"]) <= CLASSES:
        made.append(confusion_figure(facts["confusion"], classes, "windows"))
    if run.host is not None:
        made.append(spread_figure("host", "Host time", run.host, "time of a window", f"seconds {run.host_note}", "windows"))
    if run.latency is not None:
        made.append(
            spread_figure("latency", "Latency of the chip", run.latency, "latency of a window", run.latency_note, "windows")
        )
    made += [curve_figure(n, curve) for n, curve in enumerate(run.curves)]
    return {figure.name: figure for figure in made if figure is not None}


def stream_cards(run: Recorded) -> tuple[Card, ...]:
    """The cards of a stream, answers first, then cost, then pace. What is unknown says so."""
    facts = run.facts
    missed = facts["missed_bad"] + facts["missed_late"]
    plus = f"plus what is unknown: {', '.join(facts['unknown'])}" if facts["unknown"] else ""
    made = [
        Card(name="Accuracy", value=percent(facts["accuracy"]) if facts["accuracy"] is not None else UNKNOWN,
             more="nothing is labelled" if facts["accuracy"] is None
             else f"mean over classes {percent(facts['balanced_accuracy'])}"),
        Card(name="Decisions", value=whole(facts["decisions"]),
             more=f"of {whole(facts['windows'])} windows, one every {si(facts['interval'], 's')}"),
        Card(name="Missed windows", value=whole(missed),
             more=f"{whole(facts['missed_bad'])} with bad rows, {whole(facts['missed_late'])} too late"),
        joules_card("Energy per decision", _interval(facts["energy"]), plus or "while deciding"),
        _power(facts, plus),
        Card(name="Latency", value=UNKNOWN if facts["latency_s"] is None else si(facts["latency_s"], "s"),
             more=f"{ticks(facts['latency'])} after the window's last row"),
        Card(name="Real time", value=UNKNOWN if not facts["speed"] else f"{_factor(facts['speed'])} times",
             more=f"{si(facts['seconds'], 's')} of signal"),
        Card(name="Spikes per decision", value=whole(round(facts["spikes"], 1)),
             more=f"{whole(round(facts['synaptic_events']))} synaptic events"),
    ]  # fmt: skip
    if facts.get("battery"):
        made.insert(5, _battery(facts["battery"]))
    return tuple(made)


def bad_rows(run: Recorded) -> list[tuple[str, ...]]:
    """Kinds of bad samples: what they are, how many there were, what was done about them."""
    samples: Mapping[str, Any] = run.facts["samples"]
    rows = samples.get("rows", 0)
    out: list[tuple[str, ...]] = []
    for kind, text in BAD.items():
        many = samples.get(kind, 0)
        share = f"{100 * many / rows:.3g} %" if rows else UNKNOWN
        out.append((kind, text, whole(many), share, run.policy.get(kind, "counted")))
    return out


def _power(facts: Mapping[str, Any], plus: str) -> Card:
    power = _interval(facts["power"])
    if power is None:
        return Card(name="Mean power", value=UNKNOWN, more="no published constants for a chip that stays on")
    return Card(name="Mean power", value=si(power.v, "W"),
                more="; ".join(part for part in (ends(power, "W"), plus or "powered throughout") if part))  # fmt: skip


def _battery(cell: Mapping[str, Any]) -> Card:
    """How long a cell lasts, at the mean power and with power cut between decisions."""
    if cell["life_s"] is None:
        return Card(name="Battery", value=UNKNOWN, more=cell["title"])
    low, high = (lasting(cell["life_s"][end]) for end in ("lo", "hi"))
    gated = cell.get("gated_life_s")
    more = [cell["title"], f"{low} to {high}" if low != high else ""]
    more.append("" if gated is None else f"{lasting(gated['v'])} with power cut between decisions")
    more.append("it cannot give that current for long" if cell["too_much"] else "")
    return Card(name="Battery lasts", value=lasting(cell["life_s"]["v"]), more="; ".join(part for part in more if part))


def _interval(value: Mapping[str, float] | None) -> Interval | None:
    return None if value is None else Interval(**value)


def _factor(speed: float) -> str:
    return whole(round(speed)) if speed >= 10 else f"{speed:.2g}"
