"""What the same multiply-accumulates cost on hardware that does not spike, to stand beside a score."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import cache

from spikebnn.interval import Interval, interval
from spikebnn.score import Score
from spikebnn.shelf import shelf
from spikebnn.targets.target import Quantity
from spikebnn.units import whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One kind of conventional hardware: joules per multiply-accumulate, and what that figure includes."""

    name: str
    title: str
    at: str
    mac: Quantity
    kind: str = ""  # "microcontroller" where a stream's report names it


@cache
def baselines() -> tuple[Baseline, ...]:
    """The baselines of mappings/baselines.toml, cheapest first."""
    data = tomllib.loads((shelf("mappings") / "baselines.toml").read_text(encoding="utf-8"))
    made = [
        Baseline(name=name, title=entry["title"], at=entry["at"], mac=Quantity(**entry["mac"]), kind=entry.get("kind", ""))
        for name, entry in data["baseline"].items()
    ]
    return tuple(sorted(made, key=lambda baseline: baseline.mac.v))


@cache
def baseline_refs() -> dict[str, str]:
    """Citations of the baselines' source keys."""
    data = tomllib.loads((shelf("mappings") / "baselines.toml").read_text(encoding="utf-8"))
    return dict(data["refs"])


def beside(score: Score) -> list[tuple[Baseline, Interval, str]]:
    """For each baseline: its joules per frame for the network's multiply-accumulates, and a verdict.

    The verdict speaks of this score against the baseline, only where the intervals lie apart. A score that is
    "at least" may lose such a comparison but never wins one.
    """
    ours = score.energy.per_frame(score.energy.total)
    rows = []
    for baseline in baselines():
        theirs = interval(baseline.mac) * float(score.macs)
        rows.append((baseline, theirs, _verdict(ours, theirs, score.energy.at_least)))
    return rows


def lost_to(score: Score) -> list[tuple[float, str]]:
    """The baselines that are sure to cost less, as (how many times less at least, title), the closest first."""
    ours = score.energy.per_frame(score.energy.total)
    if ours is None:
        return []
    rows = [(baseline.title, theirs) for baseline, theirs, _ in beside(score) if theirs.v]
    return sorted((ours.lo / theirs.hi, title) for title, theirs in rows if ours.lo > theirs.hi)


def loss_line(score: Score) -> str | None:
    """Which baselines are sure to cost less, in one sentence for the top of a report; None where none is."""
    lost = lost_to(score)
    if not lost:
        return None
    said = [
        f"at least {_times(ratio)} times as much as {title}"
        for ratio, title in (lost[:1] if len(lost) == 1 else (lost[0], lost[-1]))
    ]
    return (
        f"the spiking chip loses on energy to {len(lost)} of {len(baselines())} conventional baselines: "
        f"it costs {' and '.join(said)}"
    )


def _verdict(ours: Interval | None, theirs: Interval, at_least: bool) -> str:
    if ours is None or theirs.v == 0:
        return "cannot be compared"
    if ours.lo > theirs.hi:
        return f"the spiking chip costs at least {_times(ours.lo / theirs.hi)} times as much"
    if ours.hi < theirs.lo:
        if at_least:
            return "the known part costs less; the rest is unknown"
        return f"the spiking chip costs {_times(theirs.lo / ours.hi)} times less, or better still"
    return "undecided: the intervals overlap"


def _times(ratio: float) -> str:
    """A ratio with two significant digits, rounded down: it stands after "at least"."""
    if ratio < 10:
        return f"{math.floor(ratio * 10) / 10:.1f}"
    step = 10 ** (math.floor(math.log10(ratio)) - 1)
    return whole(math.floor(ratio / step) * step)
