"""Digits: weights that a crossbar has too few axon types for are made of several axons of the same source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikebnn.arrays import I64
from spikebnn.partition.pulse import values_of
from spikebnn.partition.settle import Settled
from spikebnn.partition.types import connected, total
from spikebnn.targets.target import Target
from spikebnn.threshold import Synapses


def in_digits(layer: Settled, target: Target) -> Settled:
    """The layer with its weights written in at most as many different values as the target has axon types.

    A weight is the sum of the digits on its source's axons: +1, +2, +4, ... and -1, -2, -4, ... where the types are
    enough for both signs, else two's complement with one negative digit. Unchanged where nothing is gained.
    """
    types, s = target.synapse.axon_types, layer.synapses
    values = values_of(s.weight)
    if target.synapse.format != "crossbar" or types is None or len(values) <= types:
        return layer
    digits = _digits(min(values), max(values), types)
    inside = digits is not None and target.synapse.weight_min <= min(digits) and max(digits) <= target.synapse.weight_max
    if digits is None or not inside:
        return layer
    columns = [_column(s.weight.astype(np.int64), digit, digits) for digit in digits]
    weight = np.concatenate(columns, axis=1).astype(np.int16)
    taps = np.tile(s.taps, (1, len(digits)))
    synapses = Synapses(weight=weight, taps=taps, row=s.row, patch=s.patch)
    mark = connected(synapses)
    way = tuple(total(cut(weight, 0).astype(np.int16), mark, s.row, s.patch) for cut in (np.minimum, np.maximum))
    return replace(layer, synapses=synapses, way=(way[0], way[1]))


def _digits(low: int, high: int, types: int) -> tuple[int, ...] | None:
    up, down = max(high, 0).bit_length(), max(-low, 0).bit_length()
    if up + down <= types:
        return (*(1 << k for k in range(up)), *(-(1 << k) for k in range(down)))
    bits = max(up, (max(-low, 1) - 1).bit_length())
    return (*(1 << k for k in range(bits)), -(1 << bits)) if bits + 1 <= types else None


def _column(weight: I64, digit: int, digits: tuple[int, ...]) -> I64:
    """What of each weight stands on the axons of `digit`: that digit or 0."""
    signed = sum(d < 0 for d in digits) > 1 or min(digits) == -1
    if not signed:  # two's complement: bit k of the weight
        bits = len(digits) - 1
        k = bits if digit < 0 else digit.bit_length() - 1
        return np.where((weight >> k) & 1, digit, 0)
    size = np.maximum(weight if digit > 0 else -weight, 0)
    return np.where(size & abs(digit), digit, 0)
