"""The whole cut: the ways to split and to read out, tried until one fits, and the cheapest of those that fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from spikebnn.arrays import U8
from spikebnn.partition.attempt import Attempt, attempt
from spikebnn.partition.refuse import all_violations, hopeless
from spikebnn.partition.types import Partition
from spikebnn.recipe import Recipe
from spikebnn.split.kinds import lossless
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork


def make_plan(network: ThresholdNetwork, target: Target, recipe: Recipe, seen: U8 | None = None) -> Attempt:
    """The plan of the recipe, or what the way lacks that comes nearest, with all that it hides.

    "auto" takes the cheapest of the lossless kinds of split, by `cost_of`, where anything must be split at all; it never
    takes more chips than "exact" needs, if that fits. `seen` (frames, bits) are all bits of the network on calibration
    frames, which lossy kinds ask for.
    """
    far = hopeless(network, target, recipe, seen)
    if far:
        return None, far
    got = plan_as(network, target, recipe, "exact" if recipe.split == "auto" else recipe.split, seen)
    if recipe.split == "auto" and (got[0] is None or has_choice(got[0])):
        there = target.topology.chips * _chips(1, target)
        room = there if got[0] is None else min(there, _chips(len(got[0].shards), target))
        others = (plan_as(network, target, recipe, kind, seen, room) for kind in lossless(target) if kind != "exact")
        fits = [plan for plan, _ in (got, *others) if plan is not None]
        if fits:
            return min(fits, key=cost_of), ()
    return got if got[0] is not None else (None, all_violations(network, target, recipe, got[1]))


def _chips(cores: int, target: Target) -> int:
    """The cores of as many chips as so many cores take."""
    each = max(1, target.topology.width * target.topology.height - len(target.topology.dead_cores))
    return -(-cores // each) * each


def has_choice(plan: Partition) -> bool:
    """Whether another kind of split may be cheaper: a layer is split, or the scores come in bursts."""
    return bool(plan.price["method"] != "none" or plan.price["readout"] in ("burst", "digits"))


def cost_of(partition: Partition) -> float:
    """What ways to split are compared by: energy-delay where the target's constants give it, else ticks x cores."""
    known = partition.price["energy_delay"]
    return float(partition.price["ticks_cores"] if known is None else known)


def plan_as(
    network: ThresholdNetwork, target: Target, recipe: Recipe, kind: str, seen: U8 | None = None, room: int | None = None
) -> Attempt:
    """The way with this kind of split that fits, or what the way lacks that comes nearest; given up above `room` cores.

    With "auto" first only neurons are split that fit no core; if there are any, layers whose channels cannot share a
    core are split too, and the cheaper of both is taken. Each is tried with the readout of the recipe, then with a burst.
    """
    best: Attempt | None = None
    fits: dict[bool, Partition] = {}
    for cut_bundles, way in _ways(recipe):
        if cut_bundles in fits:
            continue
        got = attempt(network, target, replace(way, split=kind), cut_bundles, seen, room)
        if got[0] is not None and not got[1]:
            if got[0].price["method"] == "none":
                return got
            fits[cut_bundles] = got[0]
        elif best is None or _misses(got) < _misses(best):
            best = got
        if room is not None and got[0] is None and any(v.what == "cores" for v in got[1]):
            break  # no other way to build it is so much smaller
    if fits:
        return min(fits.values(), key=cost_of), ()
    assert best is not None
    return None, best[1]


def _misses(tried: Attempt) -> tuple[int, int]:
    """How far an attempt is from fitting: violations, then cores."""
    return len(tried[1]), sum(v.found for v in tried[1] if v.what == "cores")


def _ways(recipe: Recipe) -> Iterator[tuple[bool, Recipe]]:
    for cut_bundles in {"auto": (False, True), "none": (False,)}.get(recipe.split, (True,)):
        yield cut_bundles, recipe
        if recipe.readout == "auto":
            yield cut_bundles, replace(recipe, readout="burst")
