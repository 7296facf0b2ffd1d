"""Fan-in split without loss: partial neurons count in bursts, an aggregator compares at the end of the frame.

The synapses of a wide neuron are cut into slices that fit a core. Per slice one partial neuron holds the
positive weights and one the negative ones; both add, so a partial sum is never negative and needs no offset, and
on a crossbar an input takes one axon, not two. A partial (threshold 1, reset by subtraction) emits its sum as
that many spikes, one per tick. The aggregator adds the first kind and subtracts the second; its threshold is out
of reach until the control pulse "go" lifts V, and the pulses of "clear" then push V below its floor, which
sets it to 0: nothing is carried into the next frame. On targets whose floor only saturates, V stops there and
one more pulse, "restore", lifts it back to 0.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spikebnn.arrays import I32, I64
from spikebnn.partition.memory import run_bits, weight_bits
from spikebnn.partition.pulse import make_pulse, values_of
from spikebnn.partition.types import Bank, Pulse, Violation, total
from spikebnn.program import AUXILIARY, CLEAR, NO_FLOOR, SATURATE, SUBTRACT, ZERO
from spikebnn.target import SynapseRule, Target
from spikebnn.threshold import NO_TAP, Synapses


def cannot_split(target: Target) -> str:
    """What the target lacks for a split without loss; empty when it lacks nothing."""
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


def partials(
    name: str, layer: int, synapses: Synapses, spot: I32, count: I64, first: int, target: Target
) -> tuple[list[Bank], list[I32]] | Violation:
    """Banks of partial neurons, and for each bank and sign the signals that carry its neurons' counts.

    `count` (patches, taps) is the largest count of each source. The returned signals (neurons,) come in the
    order plus, minus, plus, minus, ...; NO_TAP where a half has no synapse.
    """
    rule = target.synapse
    halves = np.concatenate([np.maximum(synapses.weight, 0), np.maximum(-synapses.weight, 0)])
    both = Synapses(weight=halves, taps=synapses.taps, row=synapses.row, patch=synapses.patch)
    values = values_of(halves)
    limit = axon_limit(target, int(halves.max(initial=1)))
    if rule.format == "crossbar" and rule.axon_types is not None and len(values) > rule.axon_types:
        return too_many_types(name, len(values), target)
    slices = cut_taps(both, tap_cost(both, target), limit)
    if slices is None:
        return too_many_types(name, len(values), target)
    banks: list[Bank] = []
    heard: list[I32] = []
    n = synapses.neurons
    for cut in slices:
        weight = halves[:, cut]
        row = np.concatenate([synapses.row, synapses.row + len(synapses.weight)]).astype(np.int32)
        patch = np.concatenate([synapses.patch, synapses.patch])
        high = total(weight, count[:, cut], row, patch)
        signals = np.where(high > 0, first + np.arange(2 * n), NO_TAP).astype(np.int32)
        heard += [signals[:n], signals[n:]]
        banks.append(
            Bank(
                name=f"{name}.partials", role="partial", layer=layer, unit=np.full(2 * n, AUXILIARY, np.int32),
                spot=np.concatenate([spot, spot]),
                synapses=Synapses(weight=weight, taps=synapses.taps[:, cut], row=row, patch=patch),
                threshold=np.ones(2 * n, np.int32), leak=np.zeros(2 * n, np.int32), reset=SUBTRACT,
                floor=np.full(2 * n, NO_FLOOR, np.int32), floor_mode=SATURATE, first=first,
                low=np.zeros(2 * n, np.int64), high=high, burst=max(1, int(high.max(initial=0))),
            )
        )
        first += 2 * n
    return banks, heard


def aggregate(heard: list[I32]) -> Synapses:
    """Synapses that add the counts of the plus halves and subtract those of the minus halves."""
    taps = np.stack(heard, axis=1).astype(np.int32)
    n = len(taps)
    weight = np.where(np.arange(len(heard)) % 2 == 0, 1, -1).astype(np.int16)[None]
    return Synapses(weight=weight, taps=taps, row=np.zeros(n, np.int32), patch=np.arange(n, dtype=np.int32))


def gatherer(
    name: str, layer: int, synapses: Synapses, spot: I32, theta: I64, low: I64, high: I64, first: int, target: Target
) -> Bank | Violation:
    """Neurons that integrate a whole frame, compare on "go" and are emptied by "clear".

    `low` and `high` (neurons,) bound the sums. Before "go" V stays within them, so a threshold above `high`
    keeps the neuron silent; "go" lifts V by threshold - theta. Then V < threshold, and `clear` ticks of a pulse
    deeper than -low bring every V below the floor `low`, where it is set to 0 and stays.
    """
    rule, n = target.synapse, synapses.neurons
    theta = np.clip(theta, low + 1, np.maximum(high, low + 1))
    values = values_of(synapses.weight)
    types = (rule.axon_types or 0) - len(values)
    if rule.format == "crossbar" and types < 0:
        return too_many_types(name, len(values), target)
    go = make_pulse("go", high + 1 - theta, +1, (0,), rule, values, types - 1)
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
            f"{target.name} has {axon_limit(target, 1)} for one neuron and sums of sums are not built; "
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


def too_many_types(name: str, found: int, target: Target) -> Violation:
    """The violation of a crossbar layer with more weights than axon types."""
    limit = target.synapse.axon_types or 0
    remedy = "use inputs and pools that give fewer different weights, or a target with synapse lists"
    return Violation(
        layer=name, what="axon types", found=found, limit=limit, remedy=remedy,
        text=f'layer "{name}": needs {found} axon types for its weights and control lines, but {target.name} has '
        f"{limit}; {remedy}",
    )
