"""One page about one score: what it answers, what it costs and where it runs, the honest lines first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spikebnn.baseline import baseline_refs, beside, loss_line
from spikebnn.energy import INCLUDED, NONE, UNKNOWN, Energy, Item
from spikebnn.energy.sensitivity import sensitivity_line
from spikebnn.errors import InputError
from spikebnn.score import Score
from spikebnn.tables import Page, Table, render, table
from spikebnn.units import percent, si, span, ticks, whole

BUSIEST = 5  # cores shown one by one


def report(
    score: Score | str | Path,
    form: str = "text",
    color: bool = False,
    width: int | None = None,
    rate: float | None = None,
) -> str:
    """The summary of a score, or of the JSON file of one, as text, Markdown, CSV or LaTeX.

    `color` draws text for a terminal of `width` columns. `rate` adds what frames cost that come so many times a
    second, on a chip that stays on; it replaces a rate that the score names.
    """
    found = read_score(score)
    return render(page(found if rate is None else replace(found, rate=rate)), form, color, width)


def read_score(score: Score | str | Path) -> Score:
    """A score as it is, or the one in a JSON file."""
    if isinstance(score, Score):
        return score
    path = Path(score)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "it is no text" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)
        raise InputError(f"{path} cannot be read as a score: {why}") from error
    return Score.from_json(text, str(path))


def page(score: Score) -> Page:
    """The summary, still a structure."""
    tables = [
        _energy(score),
        _layers(score),
        _use(score),
        _cores(score),
        _time(score),
        _beside(score),
        constants_table([("", score.energy)]),
    ]
    notes = [
        "intervals are corners: from every constant at its low end to every constant at its high end; no error bars",
        *(f"{key}: {text}" for key, text in {**score.energy.refs, **_baseline_refs(score)}.items()),
    ]
    if score.energy.left_out:
        notes.append("left out of every energy: " + "; ".join(score.energy.left_out))
    notes.append(f"program {score.program or UNKNOWN}, target file {score.target_digest}")
    return Page(
        lines=tuple(headline(score)), tables=tuple(part for part in tables if part.rows), notes=tuple(notes)
    )


def headline(score: Score) -> list[str]:
    """What must be said first: a loss against other hardware, answers, hybrid or not, energy with what it lacks."""
    loss = loss_line(score)
    lines = [] if loss is None else [loss]
    lines += [f"{score.target}, {whole(score.frames)} frames, simulator {score.simulator} {score.version}"]
    if score.correct is None:
        lines.append("accuracy: unknown, no labels were given")
    else:
        lines.append(
            f"accuracy: {percent(score.correct, score.frames)}, {score.correct} of {score.frames} frames"
        )
    lines.append(agreement_line(score))
    where = "hybrid, not all-spiking" if score.hybrid else "all layers with weights run on the cores"
    lines.append(": ".join([where, "; ".join(score.host)]) if score.host else where)
    lines.append(energy_line(score))
    more = (fastest_line(score), rate_line(score), sensitivity_line(score.energy))
    return [*lines, *(line for line in more if line is not None)]


def agreement_line(score: Score) -> str:
    """How far the run says what the original says."""
    told = score.agreement
    if told is None:
        return "agreement with the original network: not looked at"
    same = f"same class in {told.classes} of {told.frames} frames"
    if told.scores is not None:
        same += f", every score the same number in {told.scores}"
    return f"agreement with the original network: {same}"


def energy_line(score: Score) -> str:
    """Energy per frame, and what the figure does not hold."""
    energy = score.energy
    per_frame = energy.per_frame(energy.total)
    if per_frame is None:
        return f"energy: unknown; {score.target} has no published constants for these events"
    tick = f" at a tick of {si(energy.tick, 's')}" if energy.tick is not None else ""
    text = f"energy per frame{tick}: {span(per_frame, 'J', energy.lacks)}"
    marginal = energy.per_frame(energy.marginal)
    if marginal is not None:
        text += f"; for the network's own events {span(marginal, 'J', energy.marginal_lacks)}"
    return text


def fastest_line(score: Score) -> str | None:
    """Energy per frame with frames back to back at the fastest tick; None where one of the two is unknown."""
    fastest, energy = score.timing.fastest, score.energy
    if fastest is None or energy.tick is None or fastest.v >= energy.tick:
        return None
    per_frame = energy.at_ticks(fastest)
    if per_frame is None:
        return None
    tick = span(fastest, "s") + (" plus what is unknown" if score.timing.at_least else "")
    return f"at the fastest tick, {tick}, frames back to back: {span(per_frame, 'J', energy.lacks)}"


def rate_line(score: Score) -> str | None:
    """Energy per frame and power at the rate that the user named; None without one, or without any price."""
    duty = score.duty
    if duty is None or duty.per_frame is None:
        return None
    text = (
        f"at {_rate(duty.rate)}, chip always on: per frame {span(duty.per_frame, 'J')}, on average {span(duty.power, 'W')}, "
        f"busy {percent(duty.busy)} of the time"
    )
    if duty.gated is not None:
        text += f"; with power cut between frames {span(duty.gated, 'J')} per frame, waking up not counted"
    if duty.on.lacks:
        text += f"; plus what is unknown: {', '.join(duty.on.lacks)}"
    return text


def _energy(score: Score) -> Table:
    energy, duty, rows = score.energy, score.duty, []
    for n, item in enumerate(energy.items):
        count = item.count * (1 / score.frames) if score.frames else item.count
        note = "" if item.state == NONE else item.note
        costs = [_cost(energy, item), *([] if duty is None else [_cost(duty.on, duty.on.items[n])])]
        rows.append((item.name, f"{_count(count.v)} {item.of}", *costs, note))
    at = [] if duty is None else [f"at {_rate(duty.rate)}"]
    return table("energy per frame", ("item", "count", "joules", *at, ""), rows)


def _cost(energy: Energy, item: Item) -> str:
    if item.state in (UNKNOWN, INCLUDED):
        return item.state
    return span(energy.per_frame(item.joules), "J")


def _baseline_refs(score: Score) -> dict[str, str]:
    return baseline_refs() if score.macs else {}


def _count(value: float) -> str:
    return whole(value) if value == 0 or value >= 0.01 else f"{value:.3g}"


def _layers(score: Score) -> Table:
    frames = max(score.frames, 1)

    def each(value: int | None) -> str:
        return "" if value is None else _count(value / frames)

    def shared(where: str, value: int | None) -> str:
        return each(value) if where == "host" or value is not None else "shared"

    rows = [
        (
            layer.name,
            layer.role,
            layer.where,
            str(layer.cores or ""),
            str(layer.neurons or ""),
            str(layer.placed or ""),
            each(layer.spikes),
            shared(layer.where, layer.synaptic_events),
            each(layer.updates),
            shared(layer.where, layer.hops),
        )
        for layer in score.layers
    ]
    head = ("layer", "role", "where", "cores", "neurons", "placed", "spikes/frame", "synops/frame", "updates/frame",
            "hops/frame")  # fmt: skip
    return table("layers", head, rows)


def _use(score: Score) -> Table:
    rows = [
        (name, whole(use.used), "no limit" if use.available is None else whole(use.available),
         "" if not use.available else percent(use.used, use.available))
        for name, use in score.use.items()
    ]  # fmt: skip
    return table("use of the cores", ("resource", "used", "available", "share"), rows)


def _cores(score: Score) -> Table:
    frames = max(score.frames, 1)
    busiest = sorted(score.cores, key=lambda core: -core.synaptic_events)[:BUSIEST]
    rows = [
        (f"chip {core.chip} ({core.x}, {core.y})", str(core.neurons), str(core.axons), _count(core.spikes / frames),
         _count(core.synaptic_events / frames), _count(core.hops / frames))
        for core in busiest
    ]  # fmt: skip
    title = "cores" if len(score.cores) <= BUSIEST else f"the {BUSIEST} busiest of {len(score.cores)} cores"
    return table(title, ("core", "neurons", "axons", "spikes/frame", "synops/frame", "hops/frame"), rows)


def _time(score: Score) -> Table:
    times = score.timing
    rows = [
        ("latency", ticks(times.latency), si(times.latency_s, "s")),
        ("frame period", ticks(times.period), f"{_rate(times.frames_per_s)}"),
        ("fastest tick", "", span(times.fastest, "s", times.lacks)),
        ("latency at that tick", ticks(times.latency), span(times.latency_fastest, "s", times.lacks)),
    ]
    if (most := times.frames_per_s_fastest) is not None:
        rate = f"{whole(most.v)} frames/s"
        rows.append(("throughput at that tick", "", rate + (" at most" if times.at_least else "")))
    if times.note:
        rows.append(("", "", times.note))
    return table("time", ("", "ticks", "seconds"), rows)


def _rate(value: float | None) -> str:
    return "unknown" if value is None else f"{whole(round(value, 3))} frames/s"


def _beside(score: Score) -> Table:
    rows = [
        (baseline.title, span(joules, "J"), baseline.at, verdict)
        for baseline, joules, verdict in beside(score)
    ]
    title = f"the same {whole(score.macs)} multiply-accumulates per frame elsewhere"
    return table(
        title, ("hardware", "joules", "what this includes", "against this score"), rows if score.macs else []
    )


def constants_table(energies: Sequence[tuple[str, Energy]]) -> Table:
    """Every constant that the energies use, with its interval, kind and source; equal rows are shown once."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for label, energy in energies:
        for name, quantity in energy.constants.items():
            row = (
                name, f"{quantity.v:.4g}", f"{quantity.lo:.4g}", f"{quantity.hi:.4g}", quantity.unit, quantity.kind,
                quantity.src, quantity.cond,
            )  # fmt: skip
            rows.setdefault(row, []).append(label)
    head = ("constant", "v", "lo", "hi", "unit", "kind", "source", "condition")
    if len(energies) == 1:
        return table("constants", head, list(rows))
    made = sorted(
        ((row[0], ", ".join(labels), *row[1:]) for row, labels in rows.items()), key=lambda row: row[0]
    )
    return table("constants", (head[0], "used by", *head[1:]), made)
