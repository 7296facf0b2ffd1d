"""From layers to banks: each layer whole where a core can hold a neuron's inputs, else split; then the readout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import I32, I64, U8
from spikebnn.partition.digits import in_digits
from spikebnn.partition.limits import bank_violations
from spikebnn.partition.merge import joined as as_axons
from spikebnn.partition.pulse import make_pulse, values_of
from spikebnn.partition.readout import ReadoutBanks, lower_readout
from spikebnn.partition.settle import Settled
from spikebnn.partition.types import Bank, Violation, connected, total
from spikebnn.program import MEMORYLESS, NO_FLOOR, SATURATE, ProgramLayer
from spikebnn.recipe import Recipe
from spikebnn.split.axons import axon_limit, cannot_split, tap_cost, too_many_types
from spikebnn.split.gather import gatherer
from spikebnn.split.graded import gathered
from spikebnn.split.kinds import KINDS
from spikebnn.split.nest import nested
from spikebnn.split.sums import Clipping, Sums, Wide, joined, weighed
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP, Synapses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lowered:
    """Banks in topological order, what the host reads, and what stands in the way."""

    banks: tuple[Bank, ...]
    layers: tuple[ProgramLayer, ...]
    readout: ReadoutBanks | None
    signals: int  # inputs, neurons of all layers and auxiliary neurons
    split: tuple[str, ...]  # names of the layers that are split
    method: str  # how they are split; "none" where none is
    clipping: Clipping | None  # what a lossy split may cut off; None where nothing was cut
    multi: bool  # a frame takes more than one tick
    violations: tuple[Violation, ...]


def lower(
    layers: Sequence[Settled], readout: Settled, inputs: int, most: int, target: Target, recipe: Recipe, cut_bundles: bool,
    seen: U8 | None = None,
) -> Lowered:
    """Banks for every layer and the readout; with `cut_bundles` also those are split whose channels share no core.

    `seen` (frames, bits) are the network's bits on calibration frames.
    """
    layers, readout = [in_digits(layer, target) for layer in layers], in_digits(readout, target)
    first = inputs + sum(len(layer.live) for layer in layers)
    at_once = KINDS[_method(recipe)].at_once
    pools = [_pools(layer, k, layers[:k], target) for k, layer in enumerate(layers)]
    ways = [_way(layer, inputs, most, target, cut_bundles, at_once) for layer in layers]
    ways = [way if pool is None else "pool" for way, pool in zip(ways, pools, strict=True)]
    share = _shares([*layers, readout], target)
    multi = most > 1 or any(way == "split" and not at_once for way in ways) or recipe.readout == "burst"
    violations: list[Violation] = []
    clipped: list[Clipping] = []
    banks: list[Bank] = []
    names = [ProgramLayer(name=s.name, role=_ROLES[w], neurons=len(s.live)) for s, w in zip(layers, ways, strict=True)]
    names.append(ProgramLayer(name=readout.name, role="readout", neurons=readout.synapses.neurons))
    for index, (layer, way, pool) in enumerate(zip(layers, ways, pools, strict=True)):
        made: list[Bank] | Violation
        if not layer.live.any():
            continue
        if way == "split":
            made = _split(layer, index, len(names), inputs, most, first, target, recipe, seen, clipped, share(layer), multi)
        elif pool is not None:
            made = [pool]
        elif way == "gather":
            made = _one(_gather(layer, index, inputs, most, target))
        else:
            made = _one(_whole(layer, index, multi, target))
            if isinstance(made, Violation) and made.what == "fan-in" and not cannot_split(target, at_once):
                way = "split"
                made = _split(
                    layer, index, len(names), inputs, most, first, target, recipe, seen, clipped, share(layer), multi
                )
                ways[index], names[index] = way, replace(names[index], role="aggregate")
        if isinstance(made, Violation):
            violations.append(made)
            continue
        if way == "split":
            neurons = sum(bank.neurons for bank in made[:-1])
            names.append(ProgramLayer(name=f"{layer.name}.partials", role="partial", neurons=neurons))
            first += neurons
        banks += made
    read = lower_readout(readout, len(layers), inputs, most, multi, first, target, recipe, share(readout))
    if isinstance(read, Violation):
        return _lowered(banks, names, None, first, layers, ways, multi, [*violations, read], recipe, clipped)
    if read.multi and not multi:
        again = replace(recipe, readout="burst")
        return lower(layers, readout, inputs, most, target, again, cut_bundles, seen)
    banks += read.banks
    first += sum(bank.neurons for bank in read.banks)
    return _lowered(banks, names, read, first, layers, ways, multi, violations, recipe, clipped)


_ROLES = {"whole": "whole", "pool": "whole", "gather": "aggregate", "split": "aggregate"}


def _lowered(
    banks: list[Bank], names: list[ProgramLayer], read: ReadoutBanks | None, signals: int, layers: Sequence[Settled],
    ways: list[str], multi: bool, violations: list[Violation], recipe: Recipe,
    clipped: list[Clipping],
) -> Lowered:
    split = tuple(layer.name for layer, way in zip(layers, ways, strict=True) if way == "split")
    return Lowered(
        banks=tuple(banks), layers=tuple(names), readout=read, signals=signals, split=split,
        method=_method(recipe) if split else "none", multi=multi,
        clipping=joined(clipped), violations=tuple(violations),
    )


def _shares(layers: Sequence[Settled], target: Target) -> Callable[[Settled], float]:
    """The cores of one chip that fall to each layer by its synapses."""
    t = target.topology
    there = t.width * t.height - len(t.dead_cores)
    work = {layer.name: layer.synapses.neurons * layer.synapses.taps.shape[1] for layer in layers}
    return lambda layer: there * work[layer.name] / max(1, sum(work.values()))


def _method(recipe: Recipe) -> str:
    return recipe.split if recipe.split in KINDS else "exact"


def _one(bank: Bank | Violation) -> list[Bank] | Violation:
    return bank if isinstance(bank, Violation) else [bank]


def fan_in(layer: Settled) -> I64:
    """Synapses of each neuron; (neurons,)."""
    s = layer.synapses
    return total((s.weight != 0).astype(np.int16), connected(s), s.row, s.patch)


def spots(layer: Settled) -> I32:
    """Channel, y and x of each neuron; (neurons, 3)."""
    shape = layer.shape if len(layer.shape) == 3 else (len(layer.live), 1, 1)
    if int(np.prod(shape)) != len(layer.live):
        shape = (len(layer.live), 1, 1)
    return np.stack(np.unravel_index(np.arange(len(layer.live)), shape), axis=1).astype(np.int32)


def _way(layer: Settled, inputs: int, most: int, target: Target, cut_bundles: bool, at_once: bool) -> str:
    """One of "whole" (one tick), "gather" (adds up counts over the frame) and "split"."""
    if not layer.live.any():
        return "whole"
    counts = most > 1 and bool(((layer.synapses.taps >= 0) & (layer.synapses.taps < inputs)).any())
    largest = int(np.abs(layer.synapses.weight).max(initial=1))
    wide = int(fan_in(layer)[layer.live].max(initial=0)) > axon_limit(target, largest)
    shared = target.core.axons
    if cut_bundles and int(tap_cost(layer.synapses, target).sum()) > shared and not cannot_split(target, at_once):
        wide = True
    if wide:
        return "split"
    if counts:
        made = _gather(layer, 0, inputs, most, target)
        return "split" if isinstance(made, Violation) and made.what == "fan-in" else "gather"
    return "whole"


def _pools(layer: Settled, index: int, before: Sequence[Settled], target: Target) -> Bank | None:
    """The layer as pools that are axons, where these merge and a core would not take it as neurons that hear one tick."""
    if not target.core.axon_merges or not layer.live.any():
        return None
    made = _whole(layer, index, False, target)
    if isinstance(made, Violation):
        return None
    limit = axon_limit(target, int(np.abs(layer.synapses.weight).max(initial=1)))
    fits = int(fan_in(layer)[layer.live].max()) <= limit and not any(bank_violations(made, False, target))
    return None if fits else as_axons(made, layer.live, [(other.first, other.first + len(other.live)) for other in before])


def _gather(layer: Settled, index: int, inputs: int, most: int, target: Target) -> Bank | Violation:
    """Neurons that add up bursts of inputs themselves; their bounds count every axon for itself."""
    s = layer.synapses
    count = _counts(s, inputs, most)
    low = total(np.minimum(s.weight, 0), count, s.row, s.patch)
    high = total(np.maximum(s.weight, 0), count, s.row, s.patch)
    return gatherer(layer.name, index, s, spots(layer), _reachable(layer), low, high, layer.first, target)


def _reachable(layer: Settled) -> I64:
    """The thresholds, those of constant neurons moved to the next that a sum may reach."""
    return np.clip(layer.threshold, layer.low + 1, np.maximum(layer.high, layer.low + 1))


def _counts(s: Synapses, inputs: int, most: int) -> I64:
    """The largest count of each tap in a frame; (patches, taps)."""
    return np.where(s.taps == NO_TAP, 0, np.where(s.taps < inputs, most, 1)).astype(np.int64)


def _whole(layer: Settled, index: int, multi: bool, target: Target) -> Bank | Violation:
    """Memoryless neurons: threshold 1 and a constant 1 - theta, on a control line where empty ticks would fire."""
    n = len(layer.live)
    theta = np.clip(layer.threshold, layer.low + 1, np.maximum(layer.high, layer.low + 1))
    values = values_of(layer.synapses.weight)
    types = (target.synapse.axon_types or 0) - len(values)
    if target.synapse.format == "crossbar" and types < 0:
        return too_many_types(layer.name, len(values), target)
    pulses = []
    bias = 1 - theta
    if multi and bool((bias > 0).any()):
        need = np.where(layer.live, np.maximum(bias, 0), 0)
        pulse = make_pulse("bias", need, +1, (0,), target.synapse, values, types)
        if pulse is None:
            return too_many_types(layer.name, len(values) + 1, target)
        pulses = [pulse] if pulse.axons else []
        bias = bias - pulse.total
        used = int((fan_in(layer) + pulse.count)[layer.live].max())
        limit = axon_limit(target, int(np.abs(layer.synapses.weight).max(initial=1)))
        if used > limit:
            return _too_wide(layer.name, used, limit, target, "and the control line of its bias counts", "use --split exact")
    low, high = layer.reach
    return Bank(
        name=layer.name, role="whole", layer=index, unit=np.arange(n, dtype=np.int32), spot=spots(layer),
        synapses=layer.synapses, threshold=np.ones(n, np.int32), leak=bias.astype(np.int32), reset=MEMORYLESS,
        floor=np.full(n, NO_FLOOR, np.int32), floor_mode=SATURATE, first=layer.first,
        low=low + np.minimum(bias, 0), high=high + 1 - theta, pulses=tuple(pulses),
    )


def _split(
    layer: Settled, index: int, partial_index: int, inputs: int, most: int, first: int, target: Target, recipe: Recipe,
    seen: U8 | None, clipped: list[Clipping], cores: float, multi: bool,
) -> list[Bank] | Violation:
    s = layer.synapses
    widest = int(fan_in(layer)[layer.live].max(initial=0))
    limit = axon_limit(target, int(np.abs(s.weight).max(initial=1)))
    kind = KINDS[_method(recipe)]
    lacks = cannot_split(target, kind.at_once)
    if limit < 1:
        why, remedy = "whose memory holds not one of its synapses", "use a target with more memory per core"
        return _too_wide(layer.name, widest, limit, target, why, remedy)
    if recipe.split == "none" or lacks:
        remedy = "use more groups, fewer input channels or another target"
        remedy = "use --split exact" if not lacks or kind.at_once else remedy
        why = "and the recipe forbids splitting" if not lacks else f"and {lacks}"
        return _too_wide(layer.name, widest, limit, target, why, remedy)
    wide = Wide(
        name=layer.name, layer=partial_index, role="partial", synapses=s, spot=spots(layer), count=_counts(s, inputs, most),
        first=first, seen=seen, window=recipe.window, cores=cores, theta=_reachable(layer), multi=multi,
    )
    sums = kind.made(wide, target)
    if isinstance(sums, Violation):
        return sums
    if kind.at_once:
        return _added_at_once(sums, layer, index, wide, target)
    clipped += [sums.clipping] if sums.clipping is not None else []
    return _added_up(sums, layer, index, wide, target)


def _added_up(sums: Sums, layer: Settled, index: int, wide: Wide, target: Target) -> list[Bank] | Violation:
    """The partial sums and the aggregators, which hear sums of sums where the lines are too many for a core."""
    while True:
        whole = _aggregators(sums, layer, index, target)
        if not isinstance(whole, Violation):
            return [*sums.banks, whole]
        most = max(Counter(line.weight for line in sums.lines).values(), default=0)
        groups = range(2, min(axon_limit(target, 1), most) + 1)
        if whole.what != "fan-in" or not groups:
            return whole
        for group in groups:
            again = nested(sums, group, wide)
            if not isinstance(_aggregators(again, layer, index, target), Violation):
                break
        sums = again


def _added_at_once(sums: Sums, layer: Settled, index: int, wide: Wide, target: Target) -> list[Bank] | Violation:
    """The partial sums and memoryless aggregators, which hear sums of sums where the numbers are too many for a core."""
    while True:
        theta = _reachable(layer) + sums.offset
        heard = replace(
            layer, synapses=weighed(sums.lines), threshold=theta, low=np.minimum(sums.low, theta - 1),
            high=np.maximum(sums.high, theta), way=None,
        )  # fmt: skip
        whole = _whole(heard, index, wide.multi, target)
        widest = int(fan_in(heard).max(initial=0))
        if not isinstance(whole, Violation) and widest <= axon_limit(target, 1):
            return [*sums.banks, replace(whole, role="aggregate")]
        if isinstance(whole, Violation) and whole.what != "fan-in":
            return whole
        again = gathered(sums, wide, target)
        if isinstance(again, Violation):
            return again
        if len(again.lines) >= len(sums.lines):
            return _too_wide(layer.name, widest, axon_limit(target, 1), target, "for its partial sums", "use --split radix3")
        sums = again


def _aggregators(sums: Sums, layer: Settled, index: int, target: Target) -> Bank | Violation:
    """What arrives in one tick need not be what cancels it, so the lines bound V."""
    theta = _reachable(layer) + sums.offset
    return gatherer(
        layer.name, index, weighed(sums.lines), spots(layer), theta, sums.low, sums.high, layer.first, target
    )


def _too_wide(name: str, found: int, limit: int, target: Target, why: str, remedy: str) -> Violation:
    return Violation(
        layer=name, what="fan-in", found=found, limit=limit, remedy=remedy,
        text=f'layer "{name}": a neuron reads {found} inputs, but a core of {target.name} takes {limit}, {why}; {remedy}',
    )
