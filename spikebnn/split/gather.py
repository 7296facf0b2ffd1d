"""The aggregator of a split neuron: it integrates a whole frame, compares on "go", and is emptied.

Its threshold is out of reach until the control pulse "go" lifts V, and the pulses of "clear" then push V below its
floor, which sets it to 0: nothing is carried into the next frame. On targets whose floor only saturates, V stops
there and one more pulse, "restore", lifts it back to 0.
"""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I32, I64
from spikebnn.partition.pulse import make_pulse, values_of
from spikebnn.partition.types import Bank, Pulse, Violation
from spikebnn.program import CLEAR, SATURATE, ZERO
from spikebnn.split.axons import axon_limit, too_many_types
from spikebnn.targets.target import SynapseRule, Target
from spikebnn.threshold import NO_TAP, Synapses


def gatherer(
    name: str, layer: int, synapses: Synapses, spot: I32, theta: I64, low: I64, high: I64, first: int, target: Target
) -> Bank | Violation:
    """Neurons that integrate a whole frame, compare on "go" and are emptied by "clear".

    `low` and `high` (neurons,) bound the sums; `theta` is one that some sum may reach.
    Before "go" V stays within them, so a threshold above `high`
    keeps the neuron silent; "go" lifts V by threshold - theta. Then V < threshold, and `clear` ticks of a pulse
    deeper than -low bring every V below the floor `low`, where it is set to 0 and stays.
    """
    rule, n = target.synapse, synapses.neurons
    values = values_of(synapses.weight)
    types = (rule.axon_types or 0) - len(values)
    if rule.format == "crossbar" and types < 0:
        return too_many_types(name, len(values), target)
    go = make_pulse("go", np.maximum(high + 1 - theta, 1), +1, (0,), rule, values, types - 1)
    if go is None:
        return too_many_types(name, len(values) + 1, target)
    threshold = theta + go.total
    pulses = (
        _clear(low, threshold, rule, values, types)
        if "clear" in target.neuron.floors
        else _saturate(low, threshold, rule, values, types - (1 if go.own_type else 0))
    )
    if pulses is None or not target.neuron.floors:
        return too_many_types(name, len(values) + 1, target)
    floor = low if "clear" in target.neuron.floors else -pulses[-1].total
    pulses = tuple(pulse for pulse in (go, *pulses) if pulse.axons)
    controls = sum(pulse.axons for pulse in pulses)
    used = int(((synapses.taps != NO_TAP).sum(axis=1)).max(initial=0)) + controls
    if used > axon_limit(target, 1):
        return Violation(
            layer=name, what="fan-in", found=used, limit=axon_limit(target, 1),
            remedy="use more groups, fewer input channels or a target with more axons per core",
            text=f'layer "{name}": its aggregators take {used} axons (partial sums and control lines), but '
            f"{target.name} has {axon_limit(target, 1)} for one neuron; "
            "use more groups, fewer input channels or a target with more axons per core",
        )
    return Bank(
        name=name, role="aggregate", layer=layer, unit=np.arange(n, dtype=np.int32), spot=spot, synapses=synapses,
        threshold=threshold.astype(np.int32), leak=np.zeros(n, np.int32), reset=ZERO, floor=floor.astype(np.int32),
        floor_mode=CLEAR if "clear" in target.neuron.floors else SATURATE, first=first,
        low=low + np.minimum.reduce([pulse.total for pulse in pulses]), high=high + go.total, gathers=True,
        pulses=pulses,
    )


def _clear(low: I64, threshold: I64, rule: SynapseRule, values: tuple[int, ...], types: int) -> tuple[Pulse, ...] | None:
    """Each tick is deeper than the floor, so that a neuron at 0 stays there; one tick or two, the fewer axons win."""
    ways = []
    for ticks in (1, 2):
        need = np.maximum(1 - low, -(-(threshold - low) // ticks))
        ways.append(make_pulse("clear", need, -1, tuple(range(1, ticks + 1)), rule, values, types))
    found = [way for way in ways if way is not None]
    return (min(found, key=lambda pulse: pulse.axons),) if found else None


def _saturate(low: I64, threshold: I64, rule: SynapseRule, values: tuple[int, ...], types: int) -> tuple[Pulse, ...] | None:
    """Push every V down to a floor at or under `low`, then lift all by the same amount to 0."""
    restore = make_pulse("restore", -low, +1, (3,), rule, values, types - 1)
    if restore is None:
        return None
    need = -(-(threshold - 1 + restore.total) // 2)
    clear = make_pulse("clear", need, -1, (1, 2), rule, values, types - (1 if restore.own_type and restore.axons else 0))
    return (clear, restore) if clear is not None else None
