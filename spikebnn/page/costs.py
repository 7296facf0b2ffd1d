"""The figures of cost: joules per frame by unit, and the same arithmetic on other hardware."""

from __future__ import annotations

from spikebnn.baseline import beside
from spikebnn.energy import KNOWN, Energy, Item
from spikebnn.interval import Interval
from spikebnn.page.figure import (
    ACCENT,
    COLORS,
    INK,
    Figure,
    Spec,
    number,
    rows_axis,
    scaled,
    spanned,
    step,
    wrapped,
)
from spikebnn.score import Score

WORDS = {
    "synaptic_event": "synaptic events",
    "neuron_update": "neuron updates",
    "spike": "spikes",
    "message": "messages",
    "tile_local": "messages in a tile",
    "hop_x": "hops in x",
    "hop_y": "hops in y",
    "chip_crossing": "chip crossings",
    "memory_scan": "memory scan",
    "barrier": "barrier",
    "static_power": "static power",
}


def energy_figure(score: Score) -> Figure | None:
    """Joules per frame: all units stacked in one bar, and each on its own with its interval; None where none is known."""
    bill = score.energy
    whole = bill.per_frame(bill.total)
    parts = known(bill)
    if whole is None or whole.hi <= 0 or not parts:
        return None
    by, prefix = scaled(whole.hi)
    unit, rows = f"{prefix}J", ["all of it", *(word(item) for item, _ in parts)]
    bars = [
        {"row": row, "item": word(item), "v": each.v / by, "n": n, "said": spanned(each, by, unit)}
        for n, (item, each) in enumerate(parts)
        for row in ("all of it", word(item))
    ]
    ends = [("all of it", whole), *((word(item), each) for item, each in parts)]
    whiskers = [
        {"row": row, "lo": e.lo / by, "hi": e.hi / by, "said": spanned(e, by, unit), "text": number(e.v / by)}
        for row, e in ends
    ]
    y = rows_axis(rows)
    x = {
        "type": "quantitative",
        "title": f"energy per frame ({unit})",
        "axis": {"tickCount": 6},
        "scale": {"domain": [0, 1.22 * whole.hi / by], "nice": False},
    }
    color = {
        "field": "item",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": rows[1:], "range": COLORS[: len(parts)]},
    }
    tip = [{"field": "row", "title": " "}, {"field": "said", "title": "energy per frame"}]
    layers: list[Spec] = [
        {
            "data": {"values": bars},
            "mark": {"type": "bar", "height": {"band": 0.62}, "cornerRadius": 1},
            "encoding": {
                "y": y,
                "x": {**x, "field": "v", "stack": "zero"},
                "color": color,
                "order": {"field": "n"},
                "tooltip": [{"field": "item", "title": " "}, {"field": "said", "title": "energy per frame"}],
            },
        },
        {
            "data": {"values": whiskers},
            "mark": {"type": "rule", "stroke": INK, "strokeWidth": 1.4},
            "encoding": {"y": y, "x": {**x, "field": "lo"}, "x2": {"field": "hi"}, "tooltip": tip},
        },
        *(
            {
                "data": {"values": whiskers},
                "mark": {"type": "tick", "color": INK, "thickness": 1.4, "height": 9},
                "encoding": {"y": y, "x": {**x, "field": end}},
            }
            for end in ("lo", "hi")
        ),
        {
            "data": {"values": whiskers},
            "mark": {"type": "text", "align": "left", "dx": 7, "color": INK},
            "encoding": {"y": y, "x": {**x, "field": "hi"}, "text": {"field": "text"}},
        },
    ]
    lacks = f", plus what is unknown: {', '.join(bill.lacks)}" if bill.lacks else ""
    return Figure(
        name="energy",
        title="Energy by unit",
        alt=f"Stacked bars of the energy per frame: {spanned(whole, by, unit)}{lacks}.",
        spec={"height": {"step": 26}, "layer": layers},
        head=("unit", "energy per frame"),
        rows=tuple((row, spanned(each, by, unit)) for row, each in ends),
        note="Whiskers go from all constants at their low ends to all at their high ends.",
    )


def beside_figure(score: Score) -> Figure | None:
    """This chip beside conventional hardware, on a logarithmic axis; None where there is nothing to compare."""
    ours = score.energy.per_frame(score.energy.total)
    if ours is None or not score.macs or ours.lo <= 0:
        return None
    told = [
        (score.target, ours, "this run"),
        *((b.title, each, verdict) for b, each, verdict in beside(score)),
    ]
    told = [row for row in told if row[1].lo > 0]
    by, prefix = scaled(ours.v)
    rows = [
        {
            "row": wrapped(name),
            "lo": e.lo / by,
            "v": e.v / by,
            "hi": e.hi / by,
            "ours": name == score.target,
            "said": spanned(e, by, f"{prefix}J"),
            "verdict": verdict,
        }
        for name, e, verdict in told
    ]
    names = [wrapped(row[0]) for row in told]
    y = rows_axis(names)
    x = {
        "type": "quantitative",
        "scale": {"type": "log"},
        "title": f"energy per frame ({prefix}J), log",
        "axis": {"tickCount": 4, "labelOverlap": "greedy", "format": "~g"},
    }
    color = {"condition": {"test": "datum.ours", "value": "var(--c1)"}, "value": ACCENT}
    tip = [
        {"field": "row", "title": " "},
        {"field": "said", "title": "energy per frame"},
        {"field": "verdict", "title": "verdict"},
    ]
    return Figure(
        name="beside",
        title="The same arithmetic elsewhere",
        alt="Energy per frame of this run and of the same multiply-accumulates on conventional hardware, as intervals.",
        spec={
            "height": {"step": step(names)},
            "data": {"values": rows},
            "layer": [
                {
                    "mark": {"type": "rule", "strokeWidth": 4, "strokeCap": "round"},
                    "encoding": {
                        "y": y,
                        "x": {**x, "field": "lo"},
                        "x2": {"field": "hi"},
                        "color": color,
                        "tooltip": tip,
                    },
                },
                {
                    "mark": {
                        "type": "point",
                        "filled": True,
                        "size": 60,
                        "opacity": 1,
                        "stroke": "var(--paper)",
                        "strokeWidth": 1.5,
                    },
                    "encoding": {"y": y, "x": {**x, "field": "v"}, "color": color, "tooltip": tip},
                },
            ],
        },
        head=("hardware", "energy per frame", "verdict"),
        rows=tuple((name, spanned(e, by, f"{prefix}J"), verdict) for name, e, verdict in told),
    )


def known(bill: Energy) -> list[tuple[Item, Interval]]:
    """Items with a price and something to pay, per frame, in their order."""
    out = []
    for item in bill.items:
        each = bill.per_frame(item.joules)
        if item.state == KNOWN and each is not None and each.hi > 0:
            out.append((item, each))
    return out


def word(item: Item) -> str:
    return WORDS.get(item.name, item.name.replace("_", " "))
