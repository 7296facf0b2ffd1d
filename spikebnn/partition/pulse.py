"""Control pulses: how much a line from outside must add to each neuron, made of axons a target has."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.partition.types import Pulse
from spikebnn.targets.target import SynapseRule


def values_of(weight: Array) -> tuple[int, ...]:
    """The non-zero weights that occur, in rising order; each one is an axon type of a crossbar."""
    return tuple(int(v) for v in np.unique(weight) if v)


def make_pulse(
    name: str, need: I64, sign: int, ticks: tuple[int, ...], rule: SynapseRule, values: tuple[int, ...], spare: int
) -> Pulse | None:
    """A pulse that adds at least `need` (neurons,) >= 0, times `sign`; None where the target has no way.

    On a crossbar it takes one of the `spare` axon types with a weight per neuron, or, with none left, as many
    axons of one of the types in `values` as the neuron needs. Neurons that need nothing get nothing.
    """
    need = np.maximum(need, 0)
    most = int(need.max(initial=0))
    if rule.format == "list" or spare > 0:
        widest = rule.weight_max if sign > 0 else -rule.weight_min
        if widest < 1:
            return None
        axons = -(-most // widest)
        scale = -(-need // max(axons, 1))
        count = np.where(need > 0, axons, 0)
        own = True
    else:
        same = [v for v in values if v * sign > 0]
        if not same:
            return None
        step = max(abs(v) for v in same)
        axons = -(-most // step)
        scale = np.full(len(need), step, np.int64)
        count = -(-need // step)
        own = False
    return Pulse(
        name=name, ticks=ticks, axons=axons, scale=(sign * scale).astype(np.int32), count=count.astype(np.int32),
        own_type=own,
    )
