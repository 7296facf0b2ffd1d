"""Radix split: a partial sum leaves its slice as two or more digits, each a short burst, instead of one long burst.

Digit j has the radix r[j], r[0] > r[1] > ... > r[-1] = 1. Its neuron (threshold r[j], reset by subtraction) hears the
slice and, with weight -r[i], every spike of the digits i before it. It emits floor(m / r[j]) spikes, where m is what
those digits left, so that the sum is p = sum(r[j] * digit j): exact for every p, and for three digits of a sum up
to 150 a frame takes about 10 ticks instead of 150. No neuron is held: the spikes of earlier digits arrive first
and push V below zero, and the slice arrives, delayed, in the tick of their last possible one. From then on V is m,
0 <= m < r[j-1]; the last digit ends at V = 0, and the others are emptied by one control pulse "clear".

The interval argument. Let p be in 0..K. Digit 0 hears all of p in one tick and fires in floor(p / r[0]) ticks in a
row, K // r[0] at most; V is then p mod r[0]. Digit j has V <= 0 before its slice arrives (only negative arrivals),
and V = p - sum(r[i] * digit i) = m in 0..r[j-1]-1 then; nothing arrives later, so it fires floor(m / r[j]) times in
a row and keeps m mod r[j]. By induction the weighted digits add up to p.

The halves. Where every source is one bit, the neuron of the negative weights counts those that stay silent (weight
-1, and a control pulse "bias" of their number): then all lines add, and the aggregator needs one axon type per
radix. Sources that come in bursts are counted in two positive halves, which the aggregator adds and subtracts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import I16, I32, I64
from spikebnn.partition.pulse import make_pulse, values_of
from spikebnn.partition.types import Bank, Pulse, Violation, total
from spikebnn.program import AUXILIARY, CLEAR, NO_FLOOR, SATURATE, SUBTRACT
from spikebnn.split.axons import axon_limit, cut_taps, tap_cost, too_many_types
from spikebnn.split.burst import halves
from spikebnn.split.sums import Line, Sums, Wide, said
from spikebnn.targets.target import Target
from spikebnn.threshold import Synapses

MOST_TRIED = 64  # slices more than there must be, of which the best number is taken


def digits_of(most: int, count: int) -> tuple[int, ...]:
    """The radices of `count` digits at most for sums up to `most` whose neurons are busy for the fewest ticks."""
    best: tuple[int, tuple[int, ...]] = (busy(most, (1,)), (1,))
    for radices in _candidates(most, count):
        best = min(best, (busy(most, radices), radices), key=lambda way: (way[0], len(way[1])))
    return best[1]


def busy(most: int, radices: Sequence[int]) -> int:
    """Ticks for which the neurons of one sum are busy with a frame: spikes of earlier digits, own spikes, clear."""
    longest, ticks = 1, 1
    left = most
    for radix in radices:
        own = max(1, left // radix)
        ticks = max(ticks, longest - 1 + own + (radix > 1))
        longest, left = max(longest, own), radix - 1
    return max(ticks, longest + 1)


def _candidates(most: int, count: int) -> Iterator[tuple[int, ...]]:
    if count < 2 or most < 4:
        return
    root = most ** (1 / count)
    low, high = max(2, int(root / 2)), int(2 * root) + 2

    def grow(tail: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        yield tail
        if len(tail) < count:
            for by in range(low, high):
                if by * tail[0] <= most:
                    yield from grow((by * tail[0], *tail))

    yield from grow((1,))


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """One half of one slice: every neuron's sum is sum(weight * count of its tap) + bias >= 0."""

    weight: I16  # (rows, taps)
    taps: I32  # (patches, taps)
    high: I64  # (neurons,); largest sum
    bias: I64  # (neurons,)
    sign: int  # of its lines


def radix(wide: Wide, target: Target, count: int) -> Sums | Violation:
    """Partial sums as `count` digits at most; the number of slices is the best of several for cores and ticks."""
    s = wide.synapses
    weight, both = halves(s)
    values = values_of(weight)
    limit = axon_limit(target, int(weight.max(initial=1)))
    cost = tap_cost(both, target)
    fewest = max(1, -(-int(cost.sum()) // limit))
    best: tuple[float, list[slice], tuple[int, ...]] | None = None
    for slices in range(fewest, fewest + MOST_TRIED):
        cuts = cut_taps(both, cost, max(1, -(-int(cost.sum()) // slices)))
        if cuts is None:
            break
        if len(cuts) < slices:  # the same cuts as before
            continue
        most = max(int(half.high.max(initial=0)) for cut in cuts for half in _halves(wide, weight, cut))
        radices = digits_of(most, count)
        price = _price(wide, cost, cuts, most, radices, limit, target)
        if price is not None and (best is None or price < best[0]):
            best = (price, cuts, radices)
    if best is None:
        return too_many_types(wide.name, len(values) + 2, target)
    return _built(wide, weight, best[1], best[2], target)


def _halves(wide: Wide, weight: I16, cut: slice) -> tuple[_Half, _Half]:
    """What the positive and the negative weights of a slice add up to."""
    s, rows, count = wide.synapses, len(wide.synapses.weight), wide.count[:, cut]
    plus, minus = weight[:rows, cut], weight[rows:, cut]
    taps = s.taps[:, cut]
    up, down = total(plus, count, s.row, s.patch), total(minus, count, s.row, s.patch)
    none = np.zeros(len(up), np.int64)
    first = _Half(plus, taps, up, none, +1)
    if not wide.bits:
        return first, _Half(minus, taps, down, none, -1)
    return first, _Half((-minus).astype(np.int16), taps, down, down, +1)


def _price(
    wide: Wide, cost: I64, cuts: Sequence[slice], most: int, radices: tuple[int, ...], limit: int, target: Target
) -> float | None:
    """Cores times ticks, roughly, and more beyond the layer's share of a chip; None where a digit's neuron fits no core."""
    columns, n = target.core.neurons // target.core.neurons_per_subtract, wide.synapses.neurons
    single = target.fan.axons_per_neuron == 1
    digits, cores, readers = len(radices), 0.0, 0.0
    for cut in cuts:
        own = int(cost[cut].sum())
        for j in range(digits):
            free = limit - own - 2
            fit = columns // (digits - j if single else 1)
            fit = min(fit, free // j) if j else fit
            if fit < 1 or free < 0:
                return None
            readers += 2 * n / fit
    widest = target.synapse.weight_max
    lines = 2 * digits * len(cuts)
    controls = 2 * -(-2 * len(cuts) * most // max(1, widest))
    fit = min((limit - controls) // lines, columns)
    cores = readers + (n / fit if fit >= 1 else n * lines / max(1, limit))
    if single:  # each source has a column for every core that reads it
        cores += readers / len(cuts) * int(wide.synapses.taps.shape[1]) / columns
    return (cores + 1) * busy(most, radices) * max(1.0, cores / max(1.0, wide.cores)) ** 4


def _built(wide: Wide, weight: I16, cuts: Sequence[slice], radices: tuple[int, ...], target: Target) -> Sums | Violation:
    n, first = wide.synapses.neurons, wide.first
    banks: list[Bank] = []
    lines: list[Line] = []
    offset = np.zeros(n, np.int64)
    for cut in cuts:
        for half in _halves(wide, weight, cut):
            if not half.high.any():
                continue
            made = _digits(wide, half, radices, first, target)
            if made is None:
                return too_many_types(wide.name, len(values_of(half.weight)) + len(radices) + 1, target)
            own, said_here, extra = made
            banks += own
            lines += said_here
            offset = offset + half.sign * extra
            first += sum(bank.neurons for bank in own)
    return Sums(banks=tuple(banks), lines=tuple(lines), offset=offset, next=first)


def _digits(
    wide: Wide, half: _Half, radices: tuple[int, ...], first: int, target: Target
) -> tuple[list[Bank], list[Line], I64] | None:
    """Banks of the digits of one half, from the highest on, their lines, and what the bias adds; None: no axon types."""
    s, rule, n = wide.synapses, target.synapse, wide.synapses.neurons
    banks: list[Bank] = []
    lines: list[Line] = []
    before: list[tuple[int, Line]] = []
    left: I64 | None = None  # largest sum that the digits so far leave
    bias = np.zeros(n, np.int64)
    for radix in radices:
        synapses = _with_feedback(half, s, before)
        values = values_of(synapses.weight)
        spare = (rule.axon_types or 0) - len(values)
        if rule.format == "crossbar" and spare < 0:
            return None
        pulses: list[Pulse] = []
        if half.bias.any():
            pulse = make_pulse("bias", half.bias, +1, (0,), rule, values, spare)
            if pulse is None or (rule.format == "crossbar" and spare < 1):
                return None
            pulses, bias, spare = [pulse], pulse.total, spare - 1
        high = half.high if not half.bias.any() else bias
        deepest = sum(((radix_before * line.most) for radix_before, line in before), np.zeros(n, np.int64))
        floor, mode = np.full(n, NO_FLOOR, np.int64), SATURATE
        if radix > 1:
            emptied = _emptied(radix, deepest, values, spare, target)
            if emptied is None:
                return None
            floor, mode, more = emptied
            pulses += more
        most = high // radix if left is None else np.minimum(left, high) // radix
        bank = Bank(
            name=f"{wide.name}.partials", role=wide.role, layer=wide.layer, unit=np.full(n, AUXILIARY, np.int32),
            spot=wide.spot, synapses=synapses, threshold=np.full(n, radix, np.int32), leak=np.zeros(n, np.int32),
            reset=SUBTRACT, floor=floor.astype(np.int32), floor_mode=mode, first=first,
            low=-deepest - half.high - sum((p.total * -1 for p in pulses if p.name == "clear"), np.zeros(n, np.int64)),
            high=high, burst=max(1, int(most.max(initial=0))), pulses=tuple(pulses), feedback=len(before),
        )
        line = said(first + np.arange(n), half.sign * radix, most)
        banks.append(bank)
        lines.append(line)
        before.append((radix, line))
        left = np.minimum(high, radix - 1) if left is None else np.minimum(left, radix - 1)
        first += n
    return banks, lines, bias


def _with_feedback(half: _Half, s: Synapses, before: Sequence[tuple[int, Line]]) -> Synapses:
    """The slice, and the spikes of the digits before, which take away what they said."""
    if not before:
        return Synapses(weight=half.weight, taps=half.taps, row=s.row, patch=s.patch)
    told = np.stack([line.signal for _, line in before], axis=1)
    back = np.tile(np.array([[-radix for radix, _ in before]], np.int16), (len(half.weight), 1))
    return Synapses(
        weight=np.concatenate([half.weight, back], axis=1),
        taps=np.concatenate([half.taps[s.patch], told], axis=1).astype(np.int32),
        row=s.row, patch=np.arange(s.neurons, dtype=np.int32),
    )


def _emptied(
    radix: int, deepest: I64, values: tuple[int, ...], spare: int, target: Target
) -> tuple[I64, int, list[Pulse]] | None:
    """Floor, its mode, and the pulses that set a V in 0..radix-1 to 0 after the last spike.

    Without a floor above it V may reach -deepest before. Where it never goes below 0, the floor is 0 in both modes.
    """
    rule, n = target.synapse, len(deepest)
    clears = "clear" in target.neuron.floors
    mode = CLEAR if clears else SATURATE
    if not deepest.any():
        pulse = make_pulse("clear", np.full(n, radix - 1, np.int64), -1, (0,), rule, values, spare)
        return None if pulse is None else (np.zeros(n, np.int64), mode, [replace(pulse, after="end")])
    if clears:
        pulse = make_pulse("clear", deepest + radix, -1, (0,), rule, values, spare)
        return None if pulse is None else (-deepest, mode, [replace(pulse, after="end")])
    back = make_pulse("restore", deepest, +1, (1,), rule, values, spare - 1)
    if back is None:
        return None
    down = make_pulse("clear", back.total + radix - 1, -1, (0,), rule, values, spare - back.own_type)
    if down is None:
        return None
    return -back.total, mode, [replace(down, after="end"), replace(back, after="end")]
