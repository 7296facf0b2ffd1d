"""Partition: which neuron goes on a core with which, how often, and when it acts.

The cut goes backward from the readout, because only then it is known how many axons a neuron has to reach.
"""

from __future__ import annotations

from dataclasses import replace

from spikebnn.arrays import U8
from spikebnn.errors import FitError
from spikebnn.partition.bound import heard_of, lower_bound
from spikebnn.partition.check import check_partition
from spikebnn.partition.plan import make_plan
from spikebnn.partition.types import INPUTS, Bank, Partition, Pulse, Shard, Violation
from spikebnn.recipe import Recipe
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork

__all__ = ["INPUTS", "Bank", "Partition", "Pulse", "Shard", "Violation", "check_partition", "split"]


def split(network: ThresholdNetwork, target: Target, recipe: Recipe, seen: U8 | None = None) -> Partition:
    """Cut the network into shards that each fit one core of the target.

    `seen` (frames, bits) are the network's bits on calibration frames. Raises FitError with every violation at once.
    """
    partition, violations = make_plan(network, target, recipe, seen)
    if partition is None or violations:
        raise FitError("\n".join(v.text for v in violations), violations)
    bound = lower_bound(partition.banks, heard_of(partition), target, sharp=True)
    return replace(partition, lower_bound=bound.cores, bound=bound.shares)
