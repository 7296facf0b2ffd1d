"""The fit check: every reason why a network does not fit a target, found by really cutting it."""

from __future__ import annotations

from spikebnn.arrays import U8
from spikebnn.partition.plan import make_plan
from spikebnn.partition.types import Violation
from spikebnn.recipe import Recipe
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork

__all__ = ["Violation", "find_violations"]


def find_violations(
    network: ThresholdNetwork, target: Target, recipe: Recipe, seen: U8 | None = None
) -> tuple[Violation, ...]:
    """All violations at once, each with the number found, the limit and a remedy; empty where the network fits."""
    return make_plan(network, target, recipe, seen)[1]
