"""How the host gets the integer sums: it reads membranes, counts voters, counts levels, or counts a burst."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import I32, I64
from spikebnn.partition.pulse import make_pulse, values_of
from spikebnn.partition.settle import Settled
from spikebnn.partition.types import Bank, Pulse, Violation, connected, total
from spikebnn.program import AUXILIARY, MEMORYLESS, NO_FLOOR, SATURATE, SUBTRACT
from spikebnn.recipe import Recipe
from spikebnn.split.axons import axon_limit, cannot_split, cut_taps, tap_cost, too_many_types
from spikebnn.split.kinds import KINDS
from spikebnn.split.sums import Wide
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP, Synapses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadoutBanks:
    """Banks of the readout and the rows (sum, signal) that the host adds up on top of `base`."""

    kind: str  # "membrane", "votes", "thermometer", "burst", or "digits": bursts that are weighed
    banks: tuple[Bank, ...]
    rows: I32  # (rows, 2): sum, signal
    base: I64  # (sums,)
    multi: bool  # needs more than one tick per frame


Answer = ReadoutBanks | Violation


def lower_readout(
    readout: Settled, layer: int, inputs: int, most: int, multi: bool, first: int, target: Target, recipe: Recipe,
    cores: float = float("inf"),
) -> Answer:
    """The cheapest readout of the target, or the one the recipe names; `cores` is its share of a chip.

    "auto": membranes where the host can read them; else it counts voters where every score only adds bits; else
    one neuron per level while everything takes one tick and that fits; else bursts.
    """
    counts = most > 1 and bool(((readout.synapses.taps >= 0) & (readout.synapses.taps < inputs)).any())
    ways: dict[str, Callable[[], Answer]] = {
        "membrane": lambda: _membrane(readout, layer, counts, first, target),
        "votes": lambda: _votes(readout, inputs),
        "thermometer": lambda: _thermometer(readout, layer, counts, multi, first, target),
        "burst": lambda: _digits(readout, layer, inputs, most, first, target, recipe, cores)
        or _burst(readout, layer, inputs, most, counts, first, target),
    }
    if recipe.readout != "auto":
        return ways[recipe.readout]()
    order = ("membrane", "votes", "burst", "thermometer") if multi else ("membrane", "votes", "thermometer", "burst")
    answers: list[Violation] = []
    for name in order:
        answer = ways[name]()
        if isinstance(answer, ReadoutBanks):
            return answer
        answers.append(answer)
    if not any("--readout" in answer.remedy for answer in answers[-1:]):
        return answers[-1]
    why = [answer.text.removeprefix(f'layer "{readout.name}": ').removesuffix(f"; {answer.remedy}") for answer in answers]
    remedy = "use fewer inputs per score or another target"
    text = f"no readout fits: {', '.join(f'{name}: {reason}' for name, reason in zip(order, why, strict=True))}"
    return _refuse(readout, text, remedy, answers[-1].found, answers[-1].limit)


def _refuse(readout: Settled, text: str, remedy: str, found: int = 0, limit: int = 0) -> Violation:
    return Violation(
        layer=readout.name, what="readout", found=found, limit=limit, remedy=remedy,
        text=f'layer "{readout.name}": {text}; {remedy}',
    )


def _bank(
    readout: Settled, layer: int, name: str, synapses: Synapses, unit: I32, first: int, low: I64, high: I64
) -> Bank:
    n = synapses.neurons
    spot = np.zeros((n, 3), np.int32)
    spot[:, 0] = np.arange(n)
    return Bank(
        name=readout.name, role="readout", layer=layer, unit=unit, spot=spot, synapses=synapses,
        threshold=np.ones(n, np.int32), leak=np.zeros(n, np.int32), reset=MEMORYLESS,
        floor=np.full(n, NO_FLOOR, np.int32), floor_mode=SATURATE, first=first, low=low, high=high,
    )


def _membrane(readout: Settled, layer: int, counts: bool, first: int, target: Target) -> Answer:
    """Memoryless neurons with a threshold out of reach; slices of a wide one are added by the host."""
    if not target.neuron.membrane_readout:
        return _refuse(readout, f"{target.name} has no membrane readout", "use --readout thermometer or burst")
    if counts:
        return _refuse(readout, "a membrane readout takes one tick, but the inputs come in bursts", "use --readout burst")
    s = readout.synapses
    if target.synapse.format == "crossbar" and len(values_of(s.weight)) > (target.synapse.axon_types or 0):
        return _types(readout, target)
    slices = cut_taps(s, tap_cost(s, target), axon_limit(target, int(np.abs(s.weight).max(initial=1))))
    if slices is None:
        return _types(readout, target)
    banks, rows = [], []
    for cut in slices:
        part = Synapses(weight=s.weight[:, cut], taps=s.taps[:, cut], row=s.row, patch=s.patch)
        mark = connected(part)
        low = total(np.minimum(part.weight, 0), mark, part.row, part.patch)
        high = total(np.maximum(part.weight, 0), mark, part.row, part.patch)
        unit = np.arange(s.neurons, dtype=np.int32)
        bank = _bank(readout, layer, readout.name, part, unit, first, low, high)
        banks.append(replace(bank, threshold=(high + 1).astype(np.int32)))
        rows.append(np.stack([unit, first + unit], axis=1))
        first += s.neurons
    return ReadoutBanks(
        kind="membrane", banks=tuple(banks), rows=np.concatenate(rows).astype(np.int32), base=-readout.threshold,
        multi=False,
    )


def _votes(readout: Settled, inputs: int) -> Answer:
    """The host counts the spikes of the neurons themselves; a neuron of weight 2 is counted twice."""
    s = readout.synapses
    weight = np.where(s.taps[s.patch] == NO_TAP, 0, s.weight[s.row])
    if (weight < 0).any() or (s.taps[s.patch][weight > 0] < inputs).any():
        return _refuse(readout, "its scores do not just add neurons", "use --readout thermometer or burst")
    k, t = np.nonzero(weight)
    rows = np.repeat(np.stack([k, s.taps[s.patch][k, t]], axis=1), weight[k, t], axis=0)
    return ReadoutBanks(
        kind="votes", banks=(), rows=rows.astype(np.int32).reshape(-1, 2), base=-readout.threshold, multi=False
    )


def _thermometer(readout: Settled, layer: int, counts: bool, multi: bool, first: int, target: Target) -> Answer:
    """One neuron per level that a sum can reach; the host counts those that fire, in one tick."""
    if counts:
        return _refuse(readout, "a level per sum takes one tick, but the inputs come in bursts", "use --readout burst")
    s, rule = readout.synapses, target.synapse
    sums = np.repeat(np.arange(s.neurons), readout.high - readout.low)
    start = np.cumsum(readout.high - readout.low) - (readout.high - readout.low)
    theta = np.arange(len(sums)) - start[sums] + readout.low[sums] + 1
    values = values_of(s.weight)
    types = (rule.axon_types or 0) - len(values)
    if rule.format == "crossbar" and types < 0:
        return _types(readout, target)
    part = Synapses(weight=s.weight, taps=s.taps, row=s.row[sums], patch=s.patch[sums])
    bias = 1 - theta
    pulses: tuple[Pulse, ...] = ()
    if multi and (bias > 0).any():
        pulse = make_pulse("bias", np.maximum(bias, 0), +1, (0,), rule, values, types)
        if pulse is None:
            return _types(readout, target)
        pulses, bias = (pulse,), bias - pulse.total
    wide = int(total((s.weight != 0).astype(np.int16), connected(s), s.row, s.patch).max(initial=0))
    wide += sum(p.axons for p in pulses)
    limit = axon_limit(target, int(np.abs(s.weight).max(initial=1)))
    if wide > limit:
        return _refuse(
            readout, f"a score reads {wide} inputs, but a core of {target.name} takes {limit}", "use --readout burst",
            wide, limit,
        )
    if len(bias) and (bias.min() < target.neuron.bias_min or bias.max() > target.neuron.bias_max):
        return _refuse(
            readout, f"levels from {theta.min()} to {theta.max()} need biases outside {target.neuron.bias_min} to "
            f"{target.neuron.bias_max} of {target.name}", "use --readout burst",
        )
    unit = np.full(len(sums), AUXILIARY, np.int32)
    low, high = readout.reach
    bank = _bank(readout, layer, readout.name, part, unit, first, low[sums], high[sums])
    bank = replace(bank, leak=bias.astype(np.int32), low=bank.low + np.minimum(bias, 0), high=bank.high + 1 - theta)
    return ReadoutBanks(
        kind="thermometer", banks=(replace(bank, pulses=pulses),) if len(sums) else (),
        rows=np.stack([sums, first + np.arange(len(sums))], axis=1).astype(np.int32).reshape(-1, 2),
        base=readout.low - readout.threshold, multi=False,
    )


def _digits(
    readout: Settled, layer: int, inputs: int, most: int, first: int, target: Target, recipe: Recipe, cores: float
) -> ReadoutBanks | None:
    """Scores as the sums of the recipe's split, which the host weighs and adds; None where some would be taken away."""
    s = readout.synapses
    kind = KINDS[recipe.split].readout if recipe.split in KINDS else ""
    if not kind or cannot_split(target) or axon_limit(target, int(np.abs(s.weight).max(initial=1))) < 1:
        return None
    spot = np.zeros((s.neurons, 3), np.int32)
    spot[:, 0] = np.arange(s.neurons)
    count = np.where(s.taps == NO_TAP, 0, np.where(s.taps < inputs, most, 1)).astype(np.int64)
    wide = Wide(
        name=readout.name, layer=layer, role="readout", synapses=s, spot=spot, count=count, first=first, cores=cores
    )
    sums = KINDS[kind].made(wide, target)
    if isinstance(sums, Violation) or any(line.weight < 0 for line in sums.lines):
        return None
    rows = [np.zeros((0, 2), np.int64)]
    for line in sums.lines:
        told = np.flatnonzero(line.signal != NO_TAP)
        rows += [np.stack([told, line.signal[told]], axis=1)] * line.weight
    return ReadoutBanks(
        kind="digits", banks=tuple(replace(bank, name=readout.name) for bank in sums.banks),
        rows=np.concatenate(rows).astype(np.int32), base=-readout.threshold - sums.offset, multi=True,
    )


def _burst(
    readout: Settled, layer: int, inputs: int, most: int, counts: bool, first: int, target: Target
) -> Answer:
    """Neurons that emit sum + offset spikes, one per tick; a control line adds the offset, slices add up.

    Where inputs come in bursts, a line holds the neurons down until all have come: a spike once sent could not
    be taken back by an inhibitory one that comes later.
    """
    if "subtract" not in target.neuron.resets:
        return _refuse(readout, f'a burst needs the reset "subtract", which {target.name} does not have',
                       "use --readout thermometer or another target")
    s, rule = readout.synapses, target.synapse
    values = values_of(s.weight)
    types = (rule.axon_types or 0) - len(values)
    if rule.format == "crossbar" and types < 0:
        return _types(readout, target)
    limit = axon_limit(target, int(np.abs(s.weight).max(initial=1)))
    base, banks, rows = -readout.threshold, [], []
    count = np.where(s.taps == NO_TAP, 0, np.where(s.taps < inputs, most, 1)).astype(np.int64)
    room = limit
    while room > 0:  # the wider a slice, the more axons its offset takes
        slices = cut_taps(s, tap_cost(s, target), room)
        if slices is None:
            return _types(readout, target)
        made = [_offset(s, cut, count, values, types, most if counts else 1, target) for cut in slices]
        taken = 0
        for part, _, _, pulses in made:
            if pulses is None:
                return _types(readout, target)
            taken = max(taken, int(tap_cost(part, target).sum()) + sum(pulse.axons for pulse in pulses))
        if taken <= limit:
            break
        room = min(room - 1, max(limit - (taken - room), room // 2))
    else:
        return _refuse(readout, f"a core of {target.name} has too few axons for a score's offset", "use another target")
    for part, low, high, pulses in made:
        assert pulses is not None
        offset = sum((pulse.total for pulse in pulses), np.zeros(s.neurons, np.int64))
        unit = np.full(s.neurons, AUXILIARY, np.int32)
        low = low + np.minimum(pulses[0].total, 0) if pulses else low
        bank = _bank(readout, layer, readout.name, part, unit, first, low, high + offset)
        bank = replace(bank, reset=SUBTRACT, burst=max(1, int((high + offset).max(initial=1))), pulses=pulses)
        banks.append(bank)
        rows.append(np.stack([np.arange(s.neurons), first + np.arange(s.neurons)], axis=1))
        base = base - offset
        first += s.neurons
    return ReadoutBanks(
        kind="burst", banks=tuple(banks), rows=np.concatenate(rows).astype(np.int32), base=base, multi=True
    )


def _offset(
    s: Synapses, cut: slice, count: I64, values: tuple[int, ...], types: int, spread: int, target: Target
) -> tuple[Synapses, I64, I64, tuple[Pulse, ...] | None]:
    """One slice of a score, its smallest and largest sum, and the pulses that keep its count from being negative."""
    part = Synapses(weight=s.weight[:, cut], taps=s.taps[:, cut], row=s.row, patch=s.patch)
    low = total(np.minimum(part.weight, 0), count[:, cut], part.row, part.patch)
    high = total(np.maximum(part.weight, 0), count[:, cut], part.row, part.patch)
    hold = np.zeros(len(low), np.int64)
    pulses = []
    if spread > 1 and (low < 0).any():
        held = make_pulse("hold", high, -1, (0,), target.synapse, values, types)
        if held is None:
            return part, low, high, None
        pulses, hold, types = [held], -held.total, types - held.own_type
    offset = make_pulse("bias", hold - low, +1, (spread - 1 if pulses else 0,), target.synapse, values, types)
    if offset is None:
        return part, low, high, None
    return part, low, high, tuple(pulse for pulse in (*pulses, offset) if pulse.axons)


def _types(readout: Settled, target: Target) -> Violation:
    return too_many_types(readout.name, len(values_of(readout.synapses.weight)), target)
