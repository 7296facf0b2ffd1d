"""Explore: every kind of fan-in split side by side, with its price, or the reason why the target has no room for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spikebnn.fold import FoldOptions
from spikebnn.partition.plan import cost_of, has_choice, plan_as
from spikebnn.partition.types import Partition
from spikebnn.pipeline import Source, bits_seen, thresholds
from spikebnn.recipe import Recipe
from spikebnn.split import KINDS
from spikebnn.targets import load_target
from spikebnn.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One kind of split for a network on a target; the numbers are None where it is refused."""

    split: str
    title: str
    lossless: bool
    chosen: bool  # what the split "auto" would take
    cores: int | None = None
    chips: int | None = None
    ticks_per_frame: int | None = None
    latency_ticks: int | None = None
    neurons: int | None = None  # copies included
    spikes: float | None = None  # expected in a frame
    joules: float | None = None  # expected for a frame; None too where the target has no energies
    energy_delay: float | None = None  # joules x seconds
    ticks_cores: int | None = None
    clipping: Mapping[str, Any] | None = None  # of a kind that cuts sums off
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """All kinds, in the order of the registry; `by` is what "auto" compares them by."""

    target: str
    by: str  # "energy-delay" or "ticks x cores"
    split_layers: tuple[str, ...]  # layers that are split in the chosen mapping
    alternatives: tuple[Alternative, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        rows = [{name: getattr(a, name) for name in Alternative.__slots__} for a in self.alternatives]
        return {"target": self.target, "by": self.by, "split_layers": list(self.split_layers), "alternatives": rows}


def explore(
    source: Source,
    target: str | Path | Target,
    *,
    options: FoldOptions | None = None,
    recipe: Recipe | None = None,
    example_input: Any = None,
    calibrate: np.ndarray[Any, Any] | None = None,
) -> Exploration:
    """Plan the network with every kind of split, without placing or emitting it; arguments as in `spikebnn.map`.

    A network that no split can make cheaper shows its one mapping, named "none". Kinds that are refused say why.
    """
    chip = target if isinstance(target, Target) else load_target(target)
    folded = thresholds(source, options, example_input)
    seen = None if calibrate is None else bits_seen(folded, np.asarray(calibrate))
    recipe = replace(recipe or Recipe(), split="auto")
    whole, why = plan_as(folded, chip, recipe, "none")
    if whole is not None and not has_choice(whole):
        one = _alternative("none", "every neuron fits a core", True, True, whole)
        return Exploration(target=chip.name, by=_by(whole), split_layers=(), alternatives=(one,))
    title = "no neuron of a layer is split"
    rows = [Alternative(split="none", title=title, lossless=True, chosen=False, refused=_reason(why))]
    plans: dict[str, Partition] = {}
    if whole is not None:  # but the scores come in bursts, which a split shortens
        plans["none"], rows = whole, [_alternative("none", title, True, False, whole)]
    for name, kind in KINDS.items():
        plan, why = plan_as(folded, chip, recipe, name, seen)
        if plan is None:
            rows.append(Alternative(split=name, title=kind.title, lossless=kind.lossless, chosen=False, refused=_reason(why)))
        else:
            plans[name] = plan
            rows.append(_alternative(name, kind.title, bool(plan.price["lossless"]), False, plan))
    exact = [name for name in plans if name == "none" or KINDS[name].lossless]
    best = min(exact, key=lambda name: cost_of(plans[name]), default=None)
    shown = plans[best] if best is not None else next(iter(plans.values()), None)
    return Exploration(
        target=chip.name, by="ticks x cores" if shown is None else _by(shown),
        split_layers=() if shown is None else tuple(shown.price["layers"]),
        alternatives=tuple(replace(row, chosen=row.split == best) for row in rows),
    )


def _reason(violations: tuple[Any, ...]) -> str:
    """The first sentence, and how many more there are."""
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return f"{violations[0].text}{more}" if violations else ""


def _by(plan: Partition) -> str:
    return "ticks x cores" if plan.price["energy_delay"] is None else "energy-delay"


def _alternative(name: str, title: str, lossless: bool, chosen: bool, plan: Partition) -> Alternative:
    price = plan.price
    return Alternative(
        split=name, title=title, lossless=lossless, chosen=chosen, cores=len(plan.shards), chips=price["chips"],
        ticks_per_frame=plan.period, latency_ticks=plan.latency, neurons=sum(price["neurons"].values()),
        spikes=price["spikes"], joules=price["joules"], energy_delay=price["energy_delay"],
        ticks_cores=price["ticks_cores"], clipping=price.get("clipping"),
    )
