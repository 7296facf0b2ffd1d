"""What every figure of the page is made of: its words, its table, its specification, and the page's own colours."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spikebnn.interval import Interval
from spikebnn.units import PREFIXES

Spec = dict[str, Any]
INK, FAINT, ACCENT = "var(--ink)", "var(--rule)", "var(--c0)"
STEPS = [f"var(--q{n})" for n in range(6)]
GROUPED = "replace(format(datum.value, ',.6~g'), regexp(',', 'g'), ' ')"  # ticks in thin groups of three digits, as elsewhere
COLORS = [f"var(--c{n})" for n in range(8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure: what it shows, in words for those who cannot see it, its specification, and its numbers as a table."""

    name: str
    title: str
    alt: str
    spec: Spec
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ratio: float | None = None  # height over width, where both axes have one unit
    note: str = ""
    legend: tuple[tuple[str, str], ...] = ()  # names and their colours


def wrapped(text: str, wide: int = 26) -> str:
    """A label in as few lines of at most `wide` letters as it needs, about as long as each other, a bar between them."""
    plain = text.replace("|", "/")
    lines = textwrap.wrap(plain, wide, break_on_hyphens=False)
    whole = max(map(len, plain.split()), default=1)  # no word is broken that need not be
    for narrow in range(min(whole, wide), wide):
        if len(found := textwrap.wrap(plain, narrow, break_on_hyphens=False)) == len(lines):
            return "|".join(found)
    return "|".join(lines) or " "


def rows_axis(rows: Sequence[str]) -> Spec:
    """Rows with their labels whole, in as many lines as they need."""
    axis = {
        "labelExpr": "split(datum.label, '|')",
        "labelLimit": 0,
        "labelLineHeight": 13,
        "labelPadding": 7,
        "domain": False,
        "ticks": False,
    }
    return {"field": "row", "type": "nominal", "sort": list(rows), "title": None, "axis": axis}


def step(rows: Sequence[str]) -> int:
    """Pixels of a row that its label fits into."""
    return max(26, 8 + 13 * max((row.count("|") + 1 for row in rows), default=1))


def scaled(largest: float) -> tuple[float, str]:
    """What to divide by, and the prefix, so that the largest value reads as 1 to 999."""
    powers = sorted(PREFIXES)
    fitting = [power for power in powers if 10.0**power <= largest] or powers[:1]
    return 10.0 ** fitting[-1], PREFIXES[fitting[-1]]


def number(value: float) -> str:
    """Three significant digits, plain."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", " ")


def spanned(value: Interval, by: float, unit: str) -> str:
    """An interval in one phrase, in a unit that was chosen beforehand."""
    return f"{number(value.v / by)} {unit} ({number(value.lo / by)} to {number(value.hi / by)})"


def config() -> Mapping[str, Any]:
    """What all figures share: the page's own letters and lines."""
    text = {
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "labelFontSize": 11.5,
        "titleFontSize": 11.5,
        "titleFontWeight": 400,
    }
    return {
        "background": None,
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "axis": {**text, "gridColor": FAINT, "domainColor": FAINT, "tickColor": FAINT, "titlePadding": 8},
        "legend": {**text},
        "text": {"fontSize": 11.5},
    }
