"""The figure of a stream over time: the signal of each channel, what was decided, what was labelled, wrong and missed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from spikebnn.page.figure import ACCENT, COLORS, INK, Figure, Spec, number, wrapped
from spikebnn.recorded import Recorded, Signal, Track

LANE = 36  # pixels
TALL = 4  # lanes of a channel and its neighbours together: one alone takes three, two take two each
FULL = 0.82  # share of a lane that is drawn on
UNITS = ((2 * 3600.0, 3600.0, "h"), (180.0, 60.0, "min"), (0.2, 1.0, "s"), (0.0, 1e-3, "ms"))  # from, divisor, name
NAMES = 14  # letters of a lane's name on one line


def lanes_figure(run: Recorded, classes: Sequence[str]) -> Figure | None:
    """Lanes under one axis of time; None where nothing was recorded."""
    signal, track = run.signal, run.track
    if signal is None and track is None:
        return None
    seconds = max(_length(signal, track), 1e-9)
    by, unit = next((divisor, name) for least, divisor, name in UNITS if seconds >= least)
    names: list[str] = []
    middles: list[float] = []
    layers: list[Spec] = []
    top = 0
    x: Spec = {
        "type": "quantitative", "title": f"time of the signal ({unit})",
        "scale": {"domain": [0, seconds / by], "nice": False},
        "axis": {"tickCount": 6, "labelOverlap": "greedy", "labelFlush": True, "grid": False},
    }  # fmt: skip
    if signal is not None:
        tall = max(1, TALL - len(signal.names))
        for k, name in enumerate(signal.names):
            layers.append(_channel(signal, k, top, tall, by, x))
            names, middles, top = [*names, name], [*middles, top + tall / 2], top + tall
    if track is not None:
        for name, values in (("decided", track.chosen), ("labelled", track.truth)):
            if any(value is not None for value in values):
                layers.append(_band(track, values, classes, top, by, x))
                names, middles, top = [*names, name], [*middles, top + 0.5], top + 1
        for name, counts, color in (("wrong", track.wrong, COLORS[1]), ("missed", track.missed, COLORS[7])):
            if any(counts):
                layers.append(_shares(track, counts, top, by, x, color, name))
                names, middles, top = [*names, name], [*middles, top + 0.5], top + 1
    if signal is not None and any(signal.bad):
        layers.append(_bad(signal, top, by, x))
        names, middles, top = [*names, "bad rows"], [*middles, top + 0.5], top + 1
    ys = _y(names, middles, top)
    for layer in layers:
        layer["encoding"]["y"] = {**ys, **layer["encoding"]["y"]}
    told = list(dict.fromkeys(classes)) if track is not None and any(v is not None for v in track.chosen) else []
    return Figure(
        name="signal",
        title="Signal and decisions",
        alt=f"Over {number(seconds / by)} {unit}: {', '.join(names)}.",
        spec={"height": LANE * top, "layer": layers},
        head=("lane", "smallest", "largest"),
        rows=tuple(_table(signal, track)),
        note=_note(signal, track, by, unit),
        legend=tuple((name, COLORS[k % len(COLORS)]) for k, name in enumerate(told)),
    )


def _y(names: Sequence[str], middles: Sequence[float], high: int) -> Spec:
    """One axis for all lanes, with a name beside each."""
    texts = json.dumps([wrapped(name, NAMES) for name in names])
    return {
        "type": "quantitative", "title": None, "scale": {"domain": [high, 0], "nice": False, "zero": False},
        "axis": {"values": list(middles), "labelExpr": f"split({texts}[indexof({list(middles)}, datum.value)], '|')",
                 "labelLimit": 0, "labelLineHeight": 13, "domain": False, "ticks": False, "grid": False},
    }  # fmt: skip


def _channel(signal: Signal, k: int, lane: int, tall: int, by: float, x: Spec) -> Spec:
    low, high = signal.low[k], signal.high[k]
    known = [v for v in (*low, *high) if v is not None]
    least, most = (min(known), max(known)) if known else (0.0, 0.0)
    wide = most - least

    def place(value: float | None) -> float | None:
        if value is None:
            return None
        share = (value - least) / wide if wide else 0.5
        return round(lane + tall * (0.5 + FULL * (0.5 - share)), 4)

    step = signal.step / by
    rows = [{"t": float(f"{(n + 0.5) * step:.6g}"), "a": place(a), "b": place(b)} for n, (a, b) in enumerate(zip(low, high))]
    return {
        "data": {"values": rows},
        "mark": {"type": "area", "color": ACCENT, "fillOpacity": 0.3, "line": {"color": ACCENT, "strokeWidth": 0.9}},
        "encoding": {"x": {**x, "field": "t"}, "y": {"field": "b"}, "y2": {"field": "a"}},
    }


def _band(
    track: Track, values: Sequence[int | None], classes: Sequence[str], lane: int, by: float, x: Spec
) -> Spec:
    rows = [
        {"t": start * track.step / by, "e": stop * track.step / by, "y": lane + 0.5 - FULL / 2, "z": lane + 0.5 + FULL / 2,
         "k": value % len(COLORS), "said": _name(classes, value)}
        for start, stop, value in _runs(values)
        if value is not None
    ]  # fmt: skip
    color = {"field": "k", "type": "nominal", "legend": None,
             "scale": {"domain": list(range(len(COLORS))), "range": COLORS}}  # fmt: skip
    return {
        "data": {"values": rows},
        "mark": {"type": "rect", "clip": True},
        "encoding": {"x": {**x, "field": "t"}, "x2": {"field": "e"}, "y": {"field": "y"}, "y2": {"field": "z"},
                     "color": color, "tooltip": [{"field": "said", "title": " "}]},
    }  # fmt: skip


def _shares(track: Track, counts: Sequence[int], lane: int, by: float, x: Spec, color: str, word: str) -> Spec:
    rows = [
        {"t": n * track.step / by, "e": (n + 1) * track.step / by, "y": lane + 0.5 + FULL / 2,
         "z": lane + 0.5 + FULL / 2 - FULL * count / whole, "said": f"{count} of {whole} {word}"}
        for n, (count, whole) in enumerate(zip(counts, map(sum, zip(track.decided, track.missed))))
        if count
    ]  # fmt: skip
    return {
        "data": {"values": rows},
        "mark": {"type": "rect", "color": color, "clip": True},
        "encoding": {"x": {**x, "field": "t"}, "x2": {"field": "e"}, "y": {"field": "y"}, "y2": {"field": "z"},
                     "tooltip": [{"field": "said", "title": " "}]},
    }  # fmt: skip


def _bad(signal: Signal, lane: int, by: float, x: Spec) -> Spec:
    most = max(signal.bad)
    rows = [
        {"t": n * signal.step / by, "e": (n + 1) * signal.step / by, "y": lane + 0.5 + FULL / 2,
         "z": lane + 0.5 + FULL / 2 - FULL * count / most, "said": f"{count} bad rows"}
        for n, count in enumerate(signal.bad)
        if count
    ]  # fmt: skip
    return {
        "data": {"values": rows},
        "mark": {"type": "rect", "color": INK, "clip": True},
        "encoding": {"x": {**x, "field": "t"}, "x2": {"field": "e"}, "y": {"field": "y"}, "y2": {"field": "z"},
                     "tooltip": [{"field": "said", "title": " "}]},
    }  # fmt: skip


def _runs(values: Sequence[int | None]) -> Iterator[tuple[int, int, int | None]]:
    """Start, stop and value of stretches of equal values."""
    at = 0
    for value, group in itertools.groupby(values):
        many = len(list(group))
        yield at, at + many, value
        at += many


def _length(signal: Signal | None, track: Track | None) -> float:
    return max(
        0.0 if signal is None else len(signal.bad) * signal.step,
        0.0 if track is None else len(track.decided) * track.step,
    )


def _name(classes: Sequence[str], value: int) -> str:
    return classes[value] if value < len(classes) else str(value)


def _table(signal: Signal | None, track: Track | None) -> Iterator[tuple[str, str, str]]:
    if signal is not None:
        for name, low, high in zip(signal.names, signal.low, signal.high):
            known = [v for v in (*low, *high) if v is not None]
            yield (name, f"{min(known):.4g}", f"{max(known):.4g}") if known else (name, "none", "none")
    if track is not None:
        counts: Any
        for name, counts in (("windows decided", track.decided), ("wrong", track.wrong), ("missed", track.missed)):
            yield f"{name} in {number(track.step)} s", str(min(counts, default=0)), str(max(counts, default=0))


def _note(signal: Signal | None, track: Track | None, by: float, unit: str) -> str:
    parts = []
    if signal is not None:
        hidden = f"; {signal.hidden} more channels are not shown" if signal.hidden else ""
        parts.append(f"The signal is drawn from the smallest to the largest reading in each {number(signal.step)} s{hidden}.")
    if track is not None:
        parts.append(f"A decision is the one made most often in {number(track.step)} s.")
    return " ".join(parts)
