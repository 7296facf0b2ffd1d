"""The figure of faults: accuracy and missed windows against the rate of one kind of fault."""

from __future__ import annotations

from spikebnn.faults.curve import FaultCurve
from spikebnn.page.figure import COLORS, Figure, Spec
from spikebnn.units import percent

SERIES = (("accuracy", "accuracy"), ("missed", "missed"), ("agreement", "as without faults"))  # colours in this order


def curve_figure(number: int, curve: FaultCurve) -> Figure:
    """A curve, with the worst and the best seed around the accuracy where there are several."""
    rows, bands = [], []
    for point in curve.points:
        whole = point.decisions + point.missed
        shares = {"accuracy": point.accuracy, "missed": point.missed / whole if whole else None, "agreement": point.agreement}
        rows += [
            {"rate": point.rate, "share": share, "series": SERIES[k][1], "said": percent(share)}
            for k, (name, _) in enumerate(SERIES)
            if (share := shares[name]) is not None
        ]
        if point.lowest is not None and point.highest is not None:
            bands.append({"rate": point.rate, "lo": point.lowest, "hi": point.highest})
    there = [label for _, label in SERIES if any(row["series"] == label for row in rows)]
    colors = {label: COLORS[k] for k, (_, label) in enumerate(SERIES)}
    rates = sorted({point.rate for point in curve.points})
    small = min((rate for rate in rates if rate), default=1.0)
    x: Spec = {
        "field": "rate", "type": "quantitative", "title": f"rate of {curve.kind}",
        "scale": {"type": "symlog", "constant": small, "domain": [rates[0], max(rates[-1], small)], "nice": False},
        "axis": {"values": rates, "labelOverlap": "greedy", "labelFlush": True, "format": "~g", "grid": False},
    }  # fmt: skip
    y: Spec = {
        "type": "quantitative", "title": f"share of {curve.unit}",
        "scale": {"domain": [0, 1]}, "axis": {"format": "%", "tickCount": 5},
    }  # fmt: skip
    color = {"field": "series", "type": "nominal", "legend": None,
             "scale": {"domain": there, "range": [colors[label] for label in there]}}  # fmt: skip
    tip = [{"field": "series", "title": " "}, {"field": "said", "title": "share"}, {"field": "rate", "title": "rate"}]
    layers: list[Spec] = [
        {"data": {"values": rows}, "mark": {"type": "line", "strokeWidth": 2},
         "encoding": {"x": x, "y": {**y, "field": "share"}, "color": color}},
        {"data": {"values": rows}, "mark": {"type": "point", "filled": True, "size": 46, "opacity": 1},
         "encoding": {"x": x, "y": {**y, "field": "share"}, "color": color, "tooltip": tip}},
    ]  # fmt: skip
    if curve.repeats > 1 and bands:
        band: Spec = {"data": {"values": bands}, "mark": {"type": "area", "color": COLORS[0], "opacity": 0.18},
                      "encoding": {"x": x, "y": {**y, "field": "lo"}, "y2": {"field": "hi"}}}  # fmt: skip
        layers.insert(0, band)
    seeds = f"seed {curve.seed}" if curve.repeats == 1 else f"means over seeds {curve.seed} to {last(curve)}"
    around = "; the band goes from the worst seed to the best" if curve.repeats > 1 and bands else ""
    return Figure(
        name=f"fault{number}",
        title=curve.kind,
        alt=f"Curves of the share of {curve.unit} against the rate of {curve.kind}: {', '.join(there) or 'none known'}.",
        spec={"height": 220, "layer": layers},
        head=("rate", "accuracy", "lowest", "highest", "as without faults", f"{curve.unit} decided", "missed"),
        rows=tuple(
            (f"{p.rate:g}", *(percent(v) for v in (p.accuracy, p.lowest, p.highest, p.agreement)), f"{p.decisions:g}",
             f"{p.missed:g}")
            for p in curve.points
        ),
        note=f"{seeds[0].upper()}{seeds[1:]}{around}. Accuracy is that of what was decided.",
        legend=tuple((label, colors[label]) for label in there),
    )  # fmt: skip


def last(curve: FaultCurve) -> int:
    """The last seed."""
    return curve.seed + curve.repeats - 1
