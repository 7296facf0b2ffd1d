"""Window split: bursts that are cut to W ticks around the calibrated mean. Exact only where no sum can leave its window.

A partial neuron starts c below its sum (control pulse "low"), where c is its mean count on calibration frames less half
of the window. What is below 0 then is cut to 0 by the floor; from there on it counts down like a burst, until the pulse
"clear" empties it after W ticks: it says min(max(p - c, 0), W). With p in 0..K that is p - c for every p exactly
when c = 0 and K <= W. Everything else is approximate, and the mapping says by how much.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikebnn.arrays import F64, I16, I64
from spikebnn.partition.pulse import make_pulse, values_of
from spikebnn.partition.types import Bank, Violation, total
from spikebnn.program import AUXILIARY, CLEAR, SATURATE, SUBTRACT
from spikebnn.split.axons import axon_limit, cut_taps, tap_cost, too_many_types
from spikebnn.split.burst import halves
from spikebnn.split.sums import Clipping, Line, Sums, Wide, said
from spikebnn.targets.target import Target
from spikebnn.threshold import Synapses, sums


def window(wide: Wide, target: Target) -> Sums | Violation:
    """Partial sums as bursts of `wide.window` ticks at most, in as few slices as there can be."""
    if wide.seen is None or not len(wide.seen):
        return _refused(wide.name, "needs frames to find the mean of every partial sum", "give some with --calibrate x.npz")
    if not wide.bits:
        return _refused(wide.name, "needs inputs of one tick, and they come in bursts", "use --split exact or radix")
    if wide.window < 1:
        return _refused(wide.name, f"needs a window of one tick or more, not {wide.window}", "use --window 32")
    weight, both = halves(wide.synapses)
    limit = axon_limit(target, int(weight.max(initial=1))) - 2  # "low" and "clear"
    slices = cut_taps(both, tap_cost(both, target), limit)
    if slices is None:
        return too_many_types(wide.name, len(values_of(weight)) + 2, target)
    n, first = wide.synapses.neurons, wide.first
    banks: list[Bank] = []
    lines: list[Line] = []
    offset, worst = np.zeros(n, np.int64), np.zeros(n, np.int64)
    clipped = 0
    for cut in slices:
        for sign, rows in ((+1, weight[: len(wide.synapses.weight)]), (-1, weight[len(wide.synapses.weight) :])):
            made = _half(wide, rows[:, cut], cut, first, target)
            if made is None:
                return too_many_types(wide.name, len(values_of(rows)) + 2, target)
            bank, low, seen = made
            clipped += int(((seen < low) | (seen > low + wide.window)).sum())
            worst += np.maximum(low, bank.high - low - wide.window)
            lines.append(said(first + np.arange(n), sign, np.minimum(bank.high - low, wide.window)))
            offset -= sign * low
            banks.append(bank)
            first += n
    frames = len(wide.seen)
    clipping = Clipping(
        ticks=wide.window, frames=frames, counts=frames * n * len(banks), clipped=clipped, worst=int(worst.max(initial=0))
    )
    return Sums(banks=tuple(banks), lines=tuple(lines), offset=offset, next=first, clipping=clipping)


def _half(wide: Wide, weight: I16, cut: slice, first: int, target: Target) -> tuple[Bank, I64, F64] | None:
    """One half of one slice: its neurons, where their windows begin, and their counts on the calibration frames."""
    s, n, rule = wide.synapses, wide.synapses.neurons, target.synapse
    part = Synapses(weight=weight, taps=s.taps[:, cut], row=s.row, patch=s.patch)
    high = total(weight, wide.count[:, cut], s.row, s.patch)
    assert wide.seen is not None
    seen = sums(part, wide.seen).astype(np.float64)
    low = np.clip(np.rint(seen.mean(axis=0) - wide.window / 2), 0, np.maximum(high - wide.window, 0)).astype(np.int64)
    values = values_of(weight)
    spare = (rule.axon_types or 0) - len(values)
    down = make_pulse("low", low, -1, (0,), rule, values, spare)
    if down is None or (rule.format == "crossbar" and spare < 1):
        return None
    low = -down.total
    clear = make_pulse("clear", np.maximum(high - low, 0), -1, (0,), rule, values, spare - bool(down.axons))
    if clear is None:
        return None
    pulses = tuple(pulse for pulse in (down, replace(clear, after="end")) if pulse.axons)
    mode = CLEAR if "clear" in target.neuron.floors else SATURATE
    bank = Bank(
        name=f"{wide.name}.partials", role=wide.role, layer=wide.layer, unit=np.full(n, AUXILIARY, np.int32), spot=wide.spot,
        synapses=part, threshold=np.ones(n, np.int32), leak=np.zeros(n, np.int32), reset=SUBTRACT,
        floor=np.zeros(n, np.int32), floor_mode=mode, first=first, low=np.minimum(-low, -(high - low)), high=high,
        burst=max(1, min(wide.window, int((high - low).max(initial=0)))), pulses=pulses,
    )
    return bank, low, seen


def _refused(name: str, why: str, remedy: str) -> Violation:
    return Violation(
        layer=name, what="split", found=0, limit=0, remedy=remedy,
        text=f'layer "{name}": the split "window" {why}; {remedy}',
    )
