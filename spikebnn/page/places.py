"""The figure of places: a map of the cores, coloured by what each of them holds, sends or costs."""

from __future__ import annotations

from spikebnn.page.costs import known
from spikebnn.page.figure import STEPS, Figure, Spec, number, scaled
from spikebnn.score import CoreScore, Score

SHARED = {  # which count of a core an item's energy is shared out by
    "synaptic_event": "synaptic_events",
    "neuron_update": "updates",
    "spike": "spikes",
    "message": "messages",
    "tile_local": "messages",
    "hop_x": "hops",
    "hop_y": "hops",
    "chip_crossing": "hops",
}
METRICS = {
    "neurons": "neurons",
    "occupancy": "axons in use",
    "spikes": "spikes per frame",
    "events": "synaptic events per frame",
    "energy": "energy per frame, without static power",
}


def core_figure(score: Score) -> Figure | None:
    """Where the cores are, and what each holds, sends and costs; None where no core is used."""
    if not score.cores:
        return None
    frames = max(score.frames, 1)
    joules = core_energy(score)
    by, prefix = scaled(max(joules, default=0.0) or 1e-12)
    cells = [
        {
            "chip": core.chip,
            "x": core.x,
            "y": core.y,
            "neurons": core.neurons,
            "occupancy": core.axons,
            "spikes": round(core.spikes / frames, 3),
            "events": round(core.synaptic_events / frames, 3),
            "energy": round(each / by, 6),
            "name": f"chip {core.chip}, core ({core.x}, {core.y})",
        }
        for core, each in zip(score.cores, joules)
    ]
    right, top = max(core.x for core in score.cores) + 1, max(core.y for core in score.cores) + 1
    ticks = {"tickMinStep": 1, "format": "d", "grid": False, "tickCount": 8}
    tips = [
        {"field": "name", "title": " "},
        *(
            {"field": key, "type": "quantitative", "format": ",.4~g", "title": _metric(key, prefix)}
            for key in METRICS
        ),
    ]
    spec: Spec = {
        "params": [
            {"name": "metric", "value": "spikes"},
            {"name": "chip", "value": score.cores[0].chip},
            {
                "name": "zoom",
                "select": {"type": "interval", "zoom": "wheel![event.ctrlKey]"},
                "bind": "scales",
            },
        ],
        "height": 300,
        "data": {"values": cells},
        "transform": [
            {"filter": "datum.chip === chip"},
            {"calculate": "datum[metric]", "as": "value"},
            {"calculate": "datum.x + 0.44", "as": "x2"},
            {"calculate": "datum.y + 0.44", "as": "y2"},
            {"calculate": "datum.x - 0.44", "as": "x1"},
            {"calculate": "datum.y - 0.44", "as": "y1"},
        ],
        "mark": {"type": "rect", "clip": True, "cornerRadius": 1},
        "encoding": {
            "x": {
                "field": "x1",
                "type": "quantitative",
                "title": "core x",
                "axis": ticks,
                "scale": {"domain": [-0.5, right - 0.5], "nice": False},
            },
            "x2": {"field": "x2"},
            "y": {
                "field": "y1",
                "type": "quantitative",
                "title": "core y",
                "axis": ticks,
                "scale": {"domain": [top - 0.5, -0.5], "nice": False},
            },
            "y2": {"field": "y2"},
            "color": {
                "field": "value",
                "type": "quantitative",
                "scale": {"type": "quantize", "range": STEPS, "nice": False, "zero": True},
                "legend": {
                    "orient": "bottom",
                    "direction": "horizontal",
                    "title": None,
                    "gradientLength": 230,
                    "gradientThickness": 9,
                    "format": ".3~s",
                },
            },
            "tooltip": tips,
        },
    }
    rows = sorted(zip(score.cores, joules), key=lambda pair: (pair[0].chip, pair[0].y, pair[0].x))
    return Figure(
        name="cores",
        title="Core map",
        spec=spec,
        ratio=top / right,
        alt=f"A map of the {len(score.cores)} cores in use, coloured by what is chosen above it.",
        head=(
            "core",
            "neurons",
            "axons",
            "spikes per frame",
            "synaptic events per frame",
            f"energy per frame ({prefix}J)",
        ),
        rows=tuple(_core_row(core, frames, each / by) for core, each in rows),
        note="Drag to move; Ctrl and wheel, or the buttons, zoom. Energy is shared out by events; static power is not.",
    )


def core_energy(score: Score) -> list[float]:
    """Joules per frame of each core at best guesses: every item that counts a core's events, shared out by them."""
    out = [0.0] * len(score.cores)
    for item, each in known(score.energy):
        if item.name not in SHARED:
            continue
        weights = [getattr(core, SHARED[item.name]) for core in score.cores]
        total = sum(weights)
        for n, weight in enumerate(weights):
            out[n] += each.v * weight / total if total else 0.0
    return out


def _metric(key: str, prefix: str) -> str:
    return f"{METRICS[key]} ({prefix}J)" if key == "energy" else METRICS[key]


def _core_row(core: CoreScore, frames: int, joules: float) -> tuple[str, ...]:
    return (
        f"chip {core.chip} ({core.x}, {core.y})",
        str(core.neurons),
        str(core.axons),
        number(core.spikes / frames),
        number(core.synaptic_events / frames),
        number(joules),
    )
