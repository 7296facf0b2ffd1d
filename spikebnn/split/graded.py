"""Graded split: a partial sum leaves its slice as one spike that carries it, in one tick; the aggregator adds the numbers.

Neurons of a slice are memoryless and send V (the reset GRADED). Aggregators are memoryless too and compare one tick later,
so nothing is emptied, and a frame may follow in the next tick. Where an aggregator hears too many numbers, neurons of the
same kind add up some of them first, each level for one more tick.

The interval argument. Let p be the sum of a slice: it lies in low..high, the sums of its negative and of its positive
weights times what their sources carry at most. A neuron of sign +1 adds the constant c >= -low, so that V = p + c is in
0..high + c; from its threshold 1 on it sends V, and where V is 0 it sends nothing, which adds 0 just as well. A neuron of
sign -1 has all weights negated and adds c >= high, so that V = c - p; its line weighs -1. Either way p = sign * (V - c) for
every input. The constants go into the aggregator's threshold, and each slice has the sign that keeps it nearest 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import I64
from spikebnn.partition.pulse import make_pulse, values_of
from spikebnn.partition.types import Bank, Pulse, Violation, total, used
from spikebnn.program import AUXILIARY, GRADED, NO_FLOOR, SATURATE
from spikebnn.split.axons import axon_limit, cut_taps, tap_cost, too_many_types
from spikebnn.split.sums import Line, Sums, Wide, said, weighed
from spikebnn.targets.target import Target
from spikebnn.threshold import Synapses


def graded(wide: Wide, target: Target) -> Sums | Violation:
    """Partial sums as numbers, in as few slices as there can be."""
    if not wide.bits:
        remedy = "use --split radix"
        return _refused(wide.name, f"needs inputs of one tick, and they come in bursts; {remedy}", remedy)
    return _numbers(wide, target)


def gathered(sums: Sums, wide: Wide, target: Target) -> Sums | Violation:
    """The same sums in fewer lines: numbers that are sums of numbers."""
    synapses = weighed(sums.lines)
    count = np.stack([line.most for line in sums.lines], axis=1)
    more = _numbers(replace(wide, synapses=synapses, count=count, first=sums.next, theta=wide.theta + sums.offset), target)
    if isinstance(more, Violation):
        return more
    return Sums(
        banks=sums.banks + more.banks, lines=more.lines, offset=sums.offset + more.offset, next=more.next,
        clipping=sums.clipping,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """The neurons of one slice: the sign of each, what it adds to its sum, and the largest V."""

    cut: slice
    sign: I64  # (neurons,)
    constant: I64
    low: I64  # smallest and largest sum, times the sign
    high: I64
    pulses: tuple[Pulse, ...]  # the constants, where they would be heard in empty ticks too


def _numbers(wide: Wide, target: Target) -> Sums | Violation:
    s, rule = wide.synapses, target.neuron
    both = Synapses(weight=np.concatenate([s.weight, -s.weight]), taps=s.taps, row=s.row, patch=s.patch)
    types = len(values_of(both.weight))
    if target.synapse.format == "crossbar" and types + wide.multi > (target.synapse.axon_types or 0):
        return too_many_types(wide.name, types + wide.multi, target)
    limit, cost = axon_limit(target, int(np.abs(s.weight).max(initial=1))), tap_cost(both, target)
    room, top = limit, 2 ** (rule.graded_bits or 0) - 1
    while room > 0:
        cuts = cut_taps(both, cost, room)
        if cuts is None:
            break
        slices = _signed(wide, cuts, target)
        if slices is not None:
            most = max(int((part.high + part.constant).max(initial=0)) for part in slices)
            lasting = max(0 if part.pulses else int(part.constant.max(initial=0)) for part in slices)
            axons = max(int(cost[part.cut].sum()) + sum(p.axons for p in part.pulses) for part in slices)
            if most <= top and axons <= limit and lasting <= rule.bias_max:
                return _built(wide, slices)
        room = min(room, int(max(cost[cut].sum() for cut in cuts))) - 1
    remedy = "use --split radix3"
    return _refused(
        wide.name, f"needs numbers of {rule.graded_bits} bits and biases up to {rule.bias_max} to hold the sum of a slice, "
        f"and no slice on {target.name} is small enough; {remedy}", remedy,
    )  # fmt: skip


def _signed(wide: Wide, cuts: Sequence[slice], target: Target) -> list[_Slice] | None:
    """The slices with signs that keep the aggregators' thresholds near 0; None where a pulse has no way."""
    s, out = wide.synapses, []
    theta = wide.theta.astype(np.int64)
    for cut in cuts:
        low = total(np.minimum(s.weight[:, cut], 0), wide.count[:, cut], s.row, s.patch)
        high = total(np.maximum(s.weight[:, cut], 0), wide.count[:, cut], s.row, s.patch)
        sign = np.where(np.abs(theta - low) <= np.abs(theta - high), 1, -1)
        need, pulses = np.where(sign > 0, -low, high), tuple[Pulse, ...]()
        if wide.multi and need.any():
            values = values_of(np.concatenate([s.weight, -s.weight]))
            spare = (target.synapse.axon_types or 0) - len(values)
            pulse = make_pulse("bias", need, +1, (0,), target.synapse, values, spare)
            if pulse is None:
                return None
            need, pulses = pulse.total, (pulse,)
        theta = theta + sign * need
        out.append(_Slice(cut, sign, need, np.where(sign > 0, low, -high), np.where(sign > 0, high, -low), pulses))
    return out


def _built(wide: Wide, slices: Sequence[_Slice]) -> Sums:
    s, n, first = wide.synapses, wide.synapses.neurons, wide.first
    banks: list[Bank] = []
    lines: list[Line] = []
    offset = np.zeros(n, np.int64)
    for part in slices:
        weight = s.weight[:, part.cut]
        row = np.where(part.sign > 0, s.row, s.row + len(weight)).astype(np.int32)
        own = used(
            Synapses(weight=np.concatenate([weight, -weight]), taps=s.taps[:, part.cut], row=row, patch=s.patch)
        )
        most = part.high + part.constant
        banks.append(
            Bank(
                name=f"{wide.name}.partials", role=wide.role, layer=wide.layer, unit=np.full(n, AUXILIARY, np.int32),
                spot=wide.spot, synapses=own, threshold=np.ones(n, np.int32),
                leak=(np.zeros(n) if part.pulses else part.constant).astype(np.int32), reset=GRADED,
                floor=np.full(n, NO_FLOOR, np.int32), floor_mode=SATURATE, first=first, low=part.low, high=most,
                pulses=part.pulses,
            )
        )  # fmt: skip
        signs = [sign for sign in (+1, -1) if (part.sign == sign).any()]
        lines += [said(first + np.arange(n), sign, np.where(part.sign == sign, most, 0)) for sign in signs]
        offset += part.sign * part.constant
        first += n
    return Sums(banks=tuple(banks), lines=tuple(lines), offset=offset, next=first)


def _refused(name: str, why: str, remedy: str) -> Violation:
    return Violation(
        layer=name, what="split", found=0, limit=0, remedy=remedy, text=f'layer "{name}": the split "graded" {why}'
    )

