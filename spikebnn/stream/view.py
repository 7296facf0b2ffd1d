"""Shows a stream while it runs: a small live table on a terminal, one line per decision elsewhere."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from spikebnn.stream.decisions import Decision
from spikebnn.stream.plan import Scenario

KEPT = 12  # lines of the live table


def line(decision: Decision) -> str:
    """One decision on one line: time, answer, margin, spikes, and the label where it differs."""
    if decision.chosen is None:
        return f"{decision.time:10.3f} s  missed: {decision.name}"
    wrong = f"  (labelled {decision.truth})" if decision.right is False else ""
    held = "  (mended)" if decision.held else ""
    return (
        f"{decision.time:10.3f} s  {decision.name:<12}  margin {decision.margin:7.3f}  "
        f"{decision.spikes:6d} spikes{wrong}{held}"
    )


@contextmanager
def view(
    plan: Scenario, echo: Callable[[str], object], live: bool | None = None
) -> Iterator[Callable[[Decision], None]]:
    """A callback for `stream` that shows decisions; `echo` prints a line, `live` asks for the table on a terminal.

    Decisions for classes that the scenario does not show are counted in the live table and otherwise left out;
    missed windows are always shown.
    """
    if live is None:
        live = sys.stdout.isatty()
    if live:
        with _table(plan) as show:
            yield show
        return

    def plain(decision: Decision) -> None:
        if _shown(plan, decision):
            echo(line(decision))

    yield plain


def _shown(plan: Scenario, decision: Decision) -> bool:
    return decision.chosen is None or not plan.show or decision.name in plan.show


@contextmanager
def _table(plan: Scenario) -> Iterator[Callable[[Decision], None]]:
    from rich.live import Live
    from rich.table import Table

    kept: deque[Decision] = deque(maxlen=KEPT)
    seen = {"decided": 0, "missed": 0, "right": 0, "labelled": 0}

    def drawn() -> Any:
        right = f", {seen['right'] / seen['labelled']:.2%} right" if seen["labelled"] else ""
        counted = f"{seen['decided']:,} decided{right}, {seen['missed']:,} missed; Ctrl-C ends"
        out = Table(title=plan.title, caption=counted, title_justify="left", caption_justify="left")
        for name in ("time", "decision", "label", "margin", "spikes"):
            out.add_column(name, justify="left" if name in ("decision", "label") else "right", min_width=8)
        for decision in kept:
            colour = "yellow" if decision.chosen is None else "red" if decision.right is False else ""
            missed = decision.chosen is None
            cells = (
                ("missed: " + decision.name, decision.truth or "", "", "")
                if missed
                else (decision.name, decision.truth or "", f"{decision.margin:.3f}", str(decision.spikes))
            )
            out.add_row(f"{decision.time:.3f} s", *cells, style=colour)
        return out

    with Live(get_renderable=drawn, refresh_per_second=8):

        def show(decision: Decision) -> None:
            seen["missed" if decision.chosen is None else "decided"] += 1
            seen["right"] += decision.right is True
            seen["labelled"] += decision.right is not None
            if _shown(plan, decision):
                kept.append(decision)

        yield show
