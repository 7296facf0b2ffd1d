"""A stream once for every rate of a fault: accuracy and missed windows against the rate."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from types import MappingProxyType

from spikebnn.errors import InputError
from spikebnn.faults.curve import FaultCurve, Trial, check_kind, point
from spikebnn.stream.plan import Scenario
from spikebnn.stream.play import stream
from spikebnn.stream.report import StreamReport
from spikebnn.stream.scenario import load_scenario
from spikebnn.stream.sources.registry import kind_of


def sweep(
    scenario: Scenario | str | os.PathLike[str],
    kind: str,
    rates: Sequence[float],
    *,
    limit: int | None = None,
    repeats: int = 1,
    known: StreamReport | None = None,
    note: Callable[[float], object] | None = None,
) -> FaultCurve:
    """Run a stream for every rate of a kind of fault, with `repeats` seeds from the scenario's own on.

    Other faults of the scenario stay. `known` is the report of the scenario as it is, which saves that run; `note` is
    called with each rate before its run. A live source cannot be read twice, and is refused with an InputError.
    """
    plan = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    check_kind(kind, rates)
    if repeats < 1:
        raise InputError(f"a curve needs 1 seed or more, found {repeats}")
    check_repeatable(plan)
    own = plan.faults.get(kind, 0.0)

    def trial(rate: float, seed: int) -> Trial:
        if known is not None and rate == own and seed == plan.seed:
            return _trial(known)
        faults = MappingProxyType({**plan.faults, kind: rate})
        return _trial(stream(dataclasses.replace(plan, faults=faults, seed=seed), limit))

    points = []
    for rate in rates:
        if note is not None:
            note(rate)
        harmed = rate or any(plan.faults.get(other) for other in plan.faults if other != kind)
        seeds = range(plan.seed, plan.seed + (repeats if harmed else 1))
        points.append(point(rate, [trial(rate, seed) for seed in seeds]))
    return FaultCurve(kind=kind, unit="windows", seed=plan.seed, repeats=repeats, points=tuple(points))


def check_repeatable(plan: Scenario) -> None:
    """Raise InputError for a source that cannot be read twice."""
    if "lines" in (plan.source.kind, kind_of(plan.source.file)):
        raise InputError(
            f"{plan.source.file} is a live source, which cannot be read once for every rate; record it to a file first"
        )


def _trial(report: StreamReport) -> Trial:
    return Trial(decisions=report.decisions, missed=report.missed_bad + report.missed_late, accuracy=report.accuracy,
                 agreement=None, spikes=report.spikes)  # fmt: skip
