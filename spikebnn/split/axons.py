"""What a core offers a wide neuron: how many axons, which slices of its inputs fit, and what a target lacks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spikebnn.arrays import I64
from spikebnn.partition.memory import run_bits, weight_bits
from spikebnn.partition.pulse import values_of
from spikebnn.partition.types import Violation
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP, Synapses


def cannot_split(target: Target, at_once: bool = False) -> str:
    """What the target lacks for a split without loss, or for one whose sums are numbers; empty when it lacks nothing."""
    if at_once:
        needs = "" if "memoryless" in target.neuron.resets else 'the neuron mode "memoryless"'
        needs = needs if target.neuron.graded_bits else "spikes that carry numbers"
        return f'the split "graded" needs {needs}, which {target.name} does not have' if needs else ""
    lacks = [f'"{name}"' for name in ("subtract", "zero") if name not in target.neuron.resets]
    if not target.neuron.floors:
        lacks.append('"clear" or "saturate"')
    return f"the exact split needs the neuron modes {', '.join(lacks)}, which {target.name} does not have" if lacks else ""


def cut_taps(synapses: Synapses, cost: I64, limit: int) -> list[slice] | None:
    """Consecutive slices of the taps, as few and as even as possible, each costing at most `limit` axons."""
    if int(cost.max(initial=0)) > limit:
        return None
    fewest = max(1, -(-int(cost.sum()) // max(limit, 1)))
    for even in range(-(-int(cost.sum()) // fewest), limit + 1):
        cuts = _greedy(cost, even)
        if len(cuts) == fewest + 1:
            break
    else:
        cuts = _greedy(cost, limit)
    return [slice(a, b) for a, b in pairwise(cuts)]


def _greedy(cost: I64, limit: int) -> list[int]:
    cuts, load = [0], 0
    for t, c in enumerate(cost.tolist()):
        if load + c > limit and t > cuts[-1]:
            cuts.append(t)
            load = 0
        load += c
    return [*cuts, len(cost)]


def axon_limit(target: Target, largest: int) -> int:
    """Inputs that one neuron can have on one core, control axons left out."""
    limit = target.core.axons
    if target.fan.fan_in is not None:
        limit = min(limit, target.fan.fan_in)
    if target.core.synapse_bits is not None:
        one = int(run_bits(target.synapse, weight_bits(target.synapse, largest) + target.synapse.delay_bits, 1)[1])
        limit = min(limit, target.core.synapse_bits // one)
    return limit


def tap_cost(synapses: Synapses, target: Target) -> I64:
    """Axons that each tap takes when all rows share a core; (taps,)."""
    some = np.asarray((synapses.taps != NO_TAP).any(axis=0), bool)
    if target.synapse.format == "list":
        return np.asarray((synapses.weight != 0).any(axis=0) & some, np.int64)
    cost = np.zeros(len(some), np.int64)
    for value in values_of(synapses.weight):
        cost += (synapses.weight == value).any(axis=0) & some
    return cost


def too_many_types(name: str, found: int, target: Target) -> Violation:
    """The violation of a crossbar layer with more weights than axon types."""
    limit = target.synapse.axon_types or 0
    remedy = "use inputs and pools that give fewer different weights, or a target with synapse lists"
    return Violation(
        layer=name, what="axon types", found=found, limit=limit, remedy=remedy,
        text=f'layer "{name}": needs {found} axon types for its weights and control lines, but {target.name} has '
        f"{limit}; {remedy}",
    )
