"""All figures of a page, as far as the score and its detail can fill them; specifications are Vega-Lite's."""

from __future__ import annotations

from spikebnn.detail import Detail
from spikebnn.page.costs import beside_figure, energy_figure
from spikebnn.page.events import confusion_figure, layer_figure, spread_figure
from spikebnn.page.figure import Figure
from spikebnn.page.places import core_figure
from spikebnn.score import Score


def figures(score: Score, detail: Detail | None) -> dict[str, Figure]:
    """All figures that this score and its detail can fill, by name."""
    made = [energy_figure(score), beside_figure(score), core_figure(score), layer_figure(score)]
    if detail is not None and detail.confusion is not None:
        made.append(confusion_figure(detail.confusion))
    if detail is not None and detail.latency is not None:
        made.append(
            spread_figure("latency", "Latency", detail.latency, "latency of a frame", detail.latency_note)
        )
    if detail is not None and detail.spikes is not None:
        made.append(spread_figure("spikes", "Spikes per frame", detail.spikes, "spikes of a frame", ""))
    return {figure.name: figure for figure in made if figure is not None}
