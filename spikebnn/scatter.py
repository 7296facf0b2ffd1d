"""Energy against accuracy as a picture, intervals drawn as lines: a Vega-Lite specification, rendered by vl-convert."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spikebnn.errors import InputError
from spikebnn.interval import wilson
from spikebnn.score import Score
from spikebnn.units import span

_SNIPPET = "window.vegaEmbed = vegaEmbed;"
SUFFIXES = (".html", ".svg", ".pdf", ".png")


def points(named: Sequence[tuple[str, Score]]) -> list[dict[str, Any]]:
    """One row per score with an energy: joules per frame and accuracy, each with both ends.

    The accuracy's ends are the 95 % score interval of Wilson (1927) for so many frames.
    """
    rows = []
    for label, score in named:
        joules = score.energy.per_frame(score.energy.total)
        if joules is None or not joules.v:
            continue
        right = None if score.correct is None or not score.frames else wilson(score.correct, score.frames)
        rows.append({
            "label": label, "target": score.target, "energy": joules.v, "low": max(joules.lo, 1e-3 * joules.v),
            "high": joules.hi, "said": span(joules, "J", score.energy.lacks),
            "accuracy": score.accuracy, "worst": None if right is None else right.lo,
            "best": None if right is None else right.hi,
            "bill": "some cost unknown: at least" if score.energy.at_least else "all costs known",
        })  # fmt: skip
    return rows


def chart(named: Sequence[tuple[str, Score]]) -> dict[str, Any]:
    """The picture as a Vega-Lite 6 specification; scores on a line of their own each where one has no accuracy."""
    rows = points(named)
    if not rows:
        raise InputError("there is nothing to draw: none of these scores has an energy")
    rated = all(row["accuracy"] is not None for row in rows)
    without = [label for label, score in named if score.energy.per_frame(score.energy.total) is None]
    x = {
        "field": "energy", "type": "quantitative", "title": "energy per frame",
        "scale": {"type": "log", "nice": False, "padding": 20},
        "axis": {"format": "~s", "labelExpr": "datum.label ? datum.label + 'J' : ''", "tickCount": 6},
    }  # fmt: skip
    y: dict[str, Any]
    if rated:
        y = {"field": "accuracy", "type": "quantitative", "title": "accuracy", "scale": {"zero": False, "padding": 20},
             "axis": {"format": ".1%"}}  # fmt: skip
    else:
        y = {"field": "label", "type": "nominal", "title": None, "sort": None}
    color = {
        "field": "label",
        "type": "nominal",
        "title": None,
        "sort": None,
        "legend": {"orient": "bottom", "columns": 2},
    }
    tip = [
        {"field": "label", "title": "score"},
        {"field": "target"},
        {"field": "said", "title": "energy per frame"},
        {"field": "accuracy", "format": ".2%"},
        {"field": "bill"},
    ]
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "rule", "strokeWidth": 2},
         "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": color}},
        {"mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": color, "tooltip": tip,
                      "shape": {"field": "bill", "type": "nominal", "title": None,
                                "scale": {"domain": ["all costs known", "some cost unknown: at least"],
                                          "range": ["circle", "triangle-right"]}}}},
    ]  # fmt: skip
    if rated:
        ends = {"y": {**y, "field": "worst"}, "y2": {"field": "best"}}
        layers.insert(
            1, {"mark": {"type": "rule", "strokeWidth": 1}, "encoding": {"x": x, **ends, "color": color}}
        )
    subtitle = ["lines: energy from every constant at its low end to every constant at its high end"]
    subtitle[0] += "; accuracy, 95 % interval (Wilson)" if rated else ""
    if without:
        subtitle.append(f"without an energy, so not drawn: {', '.join(without)}")
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {"text": "energy and accuracy" if rated else "energy", "subtitle": subtitle, "anchor": "start"},
        "width": 560, "height": 340 if rated else {"step": 28}, "background": "white",
        "data": {"values": rows}, "layer": layers,
    }  # fmt: skip


def picture(named: Sequence[tuple[str, Score]], path: str | Path, text: str = "") -> bytes:
    """The picture in the format that the path's ending asks for; `text` stands below it on an HTML page.

    The page holds everything it needs and loads nothing. Raises InputError for another ending, or without vl-convert.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path} is no picture; known endings are {', '.join(SUFFIXES)}")
    spec = chart(named)
    try:
        import vl_convert
    except ImportError as error:
        raise InputError(
            f"{path} needs vl-convert, which is not installed: pip install vl-convert-python"
        ) from error
    if suffix == ".html":
        return _page(spec, text, vl_convert.javascript_bundle(_SNIPPET)).encode()
    makers: dict[str, Callable[[Any], str | bytes]] = {
        ".svg": vl_convert.vegalite_to_svg, ".pdf": vl_convert.vegalite_to_pdf, ".png": vl_convert.vegalite_to_png,
    }  # fmt: skip
    made = makers[suffix](spec)
    return made.encode() if isinstance(made, str) else made


def _page(spec: dict[str, Any], text: str, bundle: str) -> str:
    """A page with the chart, its code, and the tables as text. A label cannot end the script that it stands in."""
    data = json.dumps(spec, ensure_ascii=False).replace("<", "\\u003c")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>spikebnn compare</title>\n'
        "<style>body { font-family: sans-serif; margin: 1.5rem; } pre { overflow-x: auto; font-size: 0.8rem; }"
        " #chart { max-width: 100%; overflow-x: auto; }</style>\n"
        f'<script>{bundle}</script>\n</head>\n<body>\n<div id="chart"></div>\n<pre>{html.escape(text)}</pre>\n'
        f"<script>vegaEmbed('#chart', {data}, {{renderer: 'svg', actions: false}}).catch(console.error);</script>\n"
        "</body>\n</html>\n"
    )
