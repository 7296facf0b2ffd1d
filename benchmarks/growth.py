"""How time grows with frames, neurons, synapses, cores and density: each alone, fitted as a power.

    python benchmarks/growth.py [--rounds N] [--plot growth.html] [--json]

Dense layers run through the bit-packed engine on one thread; the recurrent chip runs tick by tick. Seconds are CPU time,
the median over the rounds, in which all sizes take their turn; preparing a program is not among them. The exponent is the
slope of log(seconds) over log(size): 1 is linear. A fixed cost, which every call and tick has, makes it smaller at small
sizes, so the slope between the two largest stands beside it. The plot needs plotly.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import nets  # noqa: E402
import numpy as np  # noqa: E402
from workloads import bitwise  # noqa: E402

import spikebnn  # noqa: E402
from spikebnn.program import Program  # noqa: E402

Point = tuple[float, Callable[[], object]]  # a size, and what is timed
FRAMES, WIDE, TICKS = 2048, 1024, 300


def frames(sizes: Sequence[int] = (1, 4, 16, 64, 256, 1024, 4096, 16384)) -> list[Point]:
    """W1, mapped, with more and more frames in a call."""
    session = bitwise(spikebnn.map(nets.network(nets.dense(0.15)), "loihi-sim"), 1)
    bits = nets.inputs(max(sizes), 0.15)[:, None]
    return [(n, lambda n=n: session.frames(bits[:n])) for n in sizes]


def neurons(sizes: Sequence[int] = (512, 1024, 2048, 4096, 8192, 16384), inputs: int = 1024) -> list[Point]:
    """One layer with more and more neurons of as many inputs each, so that synapses grow alike."""
    return [(n, _layer(inputs, n, 0.15)) for n in sizes]


def synapses(
    sizes: Sequence[int] = (128, 256, 512, 1024, 2048, 4096, 8192), count: int = WIDE
) -> list[Point]:
    """As many neurons, each with more and more inputs; sizes are inputs, what is fitted over is their synapses."""
    return [(n * count, _layer(n, count, 0.15)) for n in sizes]


def density(shares: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)) -> list[Point]:
    """W1's first layers with more and more of all neurons active, a frame at a time in a batch."""
    return [(share, _layer(784, WIDE, share, share)) for share in shares]


def cores(sizes: Sequence[int] = (16, 64, 256, 1024)) -> list[Point]:
    """The recurrent chip on more and more cores, a few hundred ticks."""
    return [(n, _chip(spikebnn.recurrent(n))) for n in sizes]


def rate(factors: Sequence[float] = (0.5, 1, 2, 4), many: int = 256) -> list[Point]:
    """The recurrent chip with its thresholds multiplied, so that it is less and less active; sizes are spikes a tick."""
    out = []
    for factor in sorted(factors, reverse=True):
        program = spikebnn.recurrent(many)
        program = replace(program, cores=tuple(
            replace(core, threshold=np.maximum(1, core.threshold * factor).astype(np.int32)) for core in program.cores
        ))  # fmt: skip
        work = _chip(program)
        out.append((float(np.sum(work().spikes)) / TICKS, work))
    return out


SWEEPS: dict[str, tuple[Callable[..., list[Point]], str]] = {
    "frames": (frames, "frames in a call, W1"),
    "neurons": (neurons, f"neurons of a layer, 1,024 inputs each, {FRAMES:,} frames"),
    "synapses": (synapses, f"synapses of a layer, {WIDE:,} neurons, {FRAMES:,} frames"),
    "density": (density, f"share of active inputs, 784-{WIDE}, {FRAMES:,} frames"),
    "cores": (cores, f"cores of the recurrent chip, {TICKS} ticks"),
    "rate": (rate, f"spikes a tick, recurrent chip of 256 cores, {TICKS} ticks"),
}
SMALL: dict[str, dict[str, Any]] = {  # for the tests
    "frames": {"sizes": (1, 40)},
    "neurons": {"sizes": (8, 16), "inputs": 20},
    "synapses": {"sizes": (8, 16), "count": 20},
    "density": {"shares": (0.1, 0.5)},
    "cores": {"sizes": (1, 2)},
    "rate": {"factors": (1, 2), "many": 1},
}


def measure(points: Sequence[Point], rounds: int) -> list[dict[str, float]]:
    """Median CPU seconds of every size; all take their turn in every round."""
    spent: list[list[float]] = [[] for _ in points]
    for _, work in points:
        work()
    for _ in range(rounds):
        for (_, work), seconds in zip(points, spent):
            seconds.append(_timed(work))
    return [{"size": size, "seconds": statistics.median(each)} for (size, _), each in zip(points, spent)]


def exponent(rows: Sequence[dict[str, float]]) -> float:
    """The slope of log(seconds) over log(size)."""
    x, y = (np.log([row[name] for row in rows]) for name in ("size", "seconds"))
    return float(np.polyfit(x, y, 1)[0])


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """The exponents, and the seconds they come from."""
    lines = [f"{'what grows':60}{'exponent':>9}{'at the end':>12}   from, to"]
    for name, rows in found.items():
        a, b = rows[0], rows[-1]
        ends = f"{a['size']:g}: {1e3 * a['seconds']:.3g} ms, {b['size']:g}: {1e3 * b['seconds']:.3g} ms"
        lines.append(f"{SWEEPS[name][1]:60}{exponent(rows):9.2f}{exponent(rows[-2:]):12.2f}   {ends}")
    return "\n".join(lines)


def plot(found: dict[str, list[dict[str, float]]], path: str) -> None:
    """Seconds over size, both logarithmic, one panel a sweep; one HTML page."""
    from plotly.subplots import make_subplots  # type: ignore[import-untyped]

    titles = [f"{SWEEPS[name][1]}: exponent {exponent(rows):.2f}" for name, rows in found.items()]
    figure = make_subplots(rows=math.ceil(len(found) / 2), cols=2, subplot_titles=titles)
    for k, rows in enumerate(found.values()):
        figure.add_scatter(
            x=[row["size"] for row in rows], y=[row["seconds"] for row in rows], mode="lines+markers",
            row=k // 2 + 1, col=k % 2 + 1, showlegend=False,
        )  # fmt: skip
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log", title="CPU seconds")
    figure.write_html(path, include_plotlyjs=True)


def _layer(wide: int, count: int, share: float, fires: float = 0.15) -> Callable[[], object]:
    """One dense layer and one sum behind it, with inputs and neurons of a given activity."""
    layers = nets.dense(0.5, sizes=(wide, count, 1))
    middle = statistics.NormalDist().inv_cdf(1 - fires) * math.sqrt(share * wide)
    layers[0] = (layers[0][0], np.rint(middle + layers[0][1]).astype(np.int32))
    session = bitwise(nets.by_hand(layers), 1)
    bits = nets.inputs(FRAMES, share, (wide,))[:, None]
    return lambda: session.frames(bits)


def _chip(program: Program) -> Callable[[], Any]:
    from spikebnn.simulate.chip import Chip

    chip = Chip(program, 1)
    chip.run(100)
    return lambda: chip.run(TICKS)


def _timed(work: Callable[[], object]) -> float:
    """Seconds of one call; short ones are repeated."""
    began, calls = time.process_time(), 0
    while calls == 0 or time.process_time() - began < 0.02:
        work()
        calls += 1
    return (time.process_time() - began) / calls


def main() -> None:
    """Measure every sweep, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SWEEPS, default=tuple(SWEEPS), help="some sweeps")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; medians are shown (default: 5)")
    parser.add_argument("--tiny", action="store_true", help="very small sizes, to see that all runs")
    parser.add_argument("--plot", metavar="FILE", help="write a plot as an HTML page (needs plotly)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    found = {}
    for name in chosen.only:
        points = SWEEPS[name][0](**(SMALL[name] if chosen.tiny else {}))
        found[name] = measure(points, chosen.rounds)
    if chosen.plot:
        plot(found, chosen.plot)
    shown = {name: {"exponent": exponent(rows), "rows": rows} for name, rows in found.items()}
    sys.stdout.write((json.dumps(shown, indent=1) if chosen.json else table(found)) + "\n")


if __name__ == "__main__":
    main()
