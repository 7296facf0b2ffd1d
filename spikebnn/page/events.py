"""The figures of what happened: spikes per layer, answers against true classes, and spreads over the frames."""

from __future__ import annotations

from collections.abc import Sequence

from spikebnn.detail import Spread
from spikebnn.page.figure import (
    ACCENT,
    GROUPED,
    INK,
    STEPS,
    Figure,
    Spec,
    number,
    rows_axis,
    scaled,
    step,
    wrapped,
)
from spikebnn.score import Score

LETTERS = 42  # of all names of a matrix together
READABLE = 14  # classes up to which a confusion matrix carries its numbers


def layer_figure(score: Score) -> Figure | None:
    """Spikes per frame of each layer on the cores; None where there is none."""
    frames = max(score.frames, 1)
    told = [layer for layer in score.layers if layer.spikes is not None]
    if not told:
        return None
    names = [
        wrapped(f"{n}. {layer.name}" if layer.role == "whole" else f"{n}. {layer.name}, {layer.role}", 18)
        for n, layer in enumerate(told, 1)
    ]
    rows = [
        {
            "row": name,
            "spikes": layer.spikes / frames,
            "share": layer.spikes / layer.updates if layer.updates else 0,
            "text": number(layer.spikes / frames),
        }
        for name, layer in zip(names, told)
        if layer.spikes is not None
    ]
    most = max((layer.spikes / frames for layer in told if layer.spikes is not None), default=0.0) or 1.0
    y = rows_axis(names)
    x = {
        "field": "spikes",
        "type": "quantitative",
        "title": "spikes per frame",
        "axis": {"tickCount": 4, "labelExpr": GROUPED},
        "scale": {"domain": [0, 1.2 * most], "nice": False},
    }
    tip = [
        {"field": "row", "title": "layer"},
        {"field": "spikes", "title": "spikes per frame", "format": ",.4~g"},
        {"field": "share", "title": "share of updates that fire", "format": ".1%"},
    ]
    return Figure(
        name="layers",
        title="Spikes per layer",
        alt="Bars of the spikes per frame of each layer.",
        spec={
            "height": {"step": step(names)},
            "data": {"values": rows},
            "layer": [
                {
                    "mark": {"type": "bar", "color": ACCENT, "height": {"band": 0.62}, "cornerRadius": 1},
                    "encoding": {"y": y, "x": x, "tooltip": tip},
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 6, "color": INK},
                    "encoding": {"y": y, "x": x, "text": {"field": "text"}},
                },
            ],
        },
        head=("layer", "spikes per frame", "share of updates that fire"),
        rows=tuple(
            (str(row["row"]).replace("|", " "), str(row["text"]), f"{100 * float(row['share']):.1f} %")
            for row in rows
        ),
    )


def confusion_figure(matrix: Sequence[Sequence[int]], names: Sequence[str] = (), unit: str = "frames") -> Figure:
    """True classes against answers, by name where all names fit beside each other, else by number."""
    short = sum(map(len, names)) <= LETTERS and max(map(len, names), default=0) <= 10 and len(names) == len(matrix)
    told: Sequence[str | int] = list(names) if short and names else range(len(matrix))
    whole = names if len(names) == len(matrix) else [str(n) for n in range(len(matrix))]
    cells = [
        {"true": told[t], "said": told[s], "frames": count, "share": count / sum(row) if sum(row) else 0}
        for t, row in enumerate(matrix)
        for s, count in enumerate(row)
    ]
    side = {
        "type": "ordinal",
        "sort": list(told),
        "axis": {"labelAngle": 0, "labelOverlap": "greedy", "ticks": False, "domain": False},
    }
    x, y = (
        {**side, "field": "said", "title": "class the run said"},
        {**side, "field": "true", "title": "true class"},
    )
    heat = {
        "field": "share",
        "type": "quantitative",
        "legend": None,
        "scale": {"type": "quantize", "domain": [0, 1], "range": STEPS},
    }
    tip = [
        {"field": "true", "title": "true class"},
        {"field": "said", "title": "the run said"},
        {"field": "frames", "title": unit},
        {"field": "share", "title": "of its true class", "format": ".1%"},
    ]
    layers: list[Spec] = [
        {
            "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 1.5, "cornerRadius": 2},
            "encoding": {"x": x, "y": y, "color": heat, "tooltip": tip},
        }
    ]
    if len(matrix) <= READABLE:
        high = {"condition": {"test": "datum.share >= 0.5", "value": "var(--on-q)"}, "value": INK}
        layers.append(
            {
                "mark": {"type": "text", "fontSize": 10.5},
                "transform": [{"filter": "datum.frames > 0"}],
                "encoding": {"x": x, "y": y, "text": {"field": "frames"}, "color": high, "tooltip": tip},
            }
        )
    right = sum(row[n] for n, row in enumerate(matrix))
    return Figure(
        name="confusion",
        title="Confusion matrix",
        alt=f"A matrix of {len(matrix)} classes; {right} of {sum(map(sum, matrix))} {unit} lie on its diagonal.",
        spec={
            "height": 320,
            "data": {"values": cells},
            "layer": layers,
            "config": {"view": {"stroke": None}},
        },
        ratio=0.86,
        head=("true class", *(f"said {name}" for name in whole)),
        rows=tuple((name, *map(str, row)) for name, row in zip(whole, matrix)),
        note="" if told == list(whole) or not names else f"Classes in order: {', '.join(names)}.",
    )


def spread_figure(name: str, title: str, spread: Spread, what: str, note: str, of: str = "frames") -> Figure:
    """A histogram over frames or windows, with its median; on a logarithmic axis where its edges grow by a factor."""
    by, prefix = (1.0, "") if spread.unit == "spikes" else scaled(spread.high or 1e-12)
    unit = "spikes" if spread.unit == "spikes" else f"{prefix}{spread.unit}"
    edges = [edge / by for edge in spread.edges]
    wide = (edges[-1] - edges[0]) or abs(edges[0]) or 1.0
    if edges[0] == edges[-1]:
        edges = [edges[0] - 0.02 * wide, edges[0] + 0.02 * wide]
    bars = [
        {"a": a, "b": b, "n": n, "said": f"{number(a)} to {number(b)} {unit}"}
        for a, b, n in zip(edges, edges[1:], spread.counts)
    ]
    middle = [{"m": spread.middle / by, "text": f"median {number(spread.middle / by)} {unit}"}]
    low, high = edges[0] - 0.06 * (edges[-1] - edges[0]), edges[-1] + 0.06 * (edges[-1] - edges[0])
    scale: Spec = {"domain": [low, high], "nice": False, "zero": False}
    if len(edges) > 3 and abs(edges[1] / (edges[0] or 1e-300) / (edges[-1] / edges[-2]) - 1) < 1e-6:
        scale = {"type": "log", "domain": [edges[0] / 1.1, edges[-1] * 1.1], "nice": False}
    x = {
        "type": "quantitative",
        "title": what if spread.unit == "spikes" else f"{what} ({unit})",
        "scale": scale,
        "axis": {
            "tickCount": 5,
            "labelOverlap": "greedy",
            "labelExpr": GROUPED,
        },
    }
    tip = [{"field": "said", "title": what}, {"field": "n", "title": of}]
    ends = f"from {number(spread.low / by)} to {number(spread.high / by)} {unit}"
    return Figure(
        name=name,
        title=title,
        alt=f"A histogram over {of}: {what}, {ends}, {middle[0]['text']}.",
        spec={
            "height": 190,
            "layer": [
                {
                    "data": {"values": bars},
                    "mark": {"type": "bar", "color": ACCENT, "stroke": "var(--paper)", "strokeWidth": 0.8},
                    "encoding": {
                        "x": {**x, "field": "a", "bin": "binned"},
                        "x2": {"field": "b"},
                        "y": {
                            "field": "n",
                            "type": "quantitative",
                            "title": of,
                            "axis": {"tickCount": 4, "tickMinStep": 1, "labelExpr": GROUPED},
                        },
                        "tooltip": tip,
                    },
                },
                {
                    "data": {"values": middle},
                    "mark": {"type": "rule", "stroke": "var(--c1)", "strokeWidth": 2},
                    "encoding": {"x": {**x, "field": "m"}, "tooltip": [{"field": "text", "title": " "}]},
                },
            ],
        },
        head=(what, of),
        rows=tuple((str(bar["said"]), str(bar["n"])) for bar in bars),
        note=f"The line marks the {middle[0]['text']}." + (f" {note[0].upper()}{note[1:]}." if note else ""),
    )
