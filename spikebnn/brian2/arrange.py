"""The order of a program's neurons for people: by layer, and in a layer by the network's own neuron numbers.

On cores neurons lie as the mapper packed them. Here each layer is one piece: first one neuron for each unit, in
order (the one that the readout reads, where it reads any), then further copies, then partial sums and relays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from spikebnn.arrays import I64
from spikebnn.program import Program


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrangement:
    """Places of neurons; place p holds the neuron that the program numbers neuron[p]."""

    neuron: I64  # (neurons,)
    place: I64  # (neurons,); the inverse: where the program's neuron n is
    layers: Mapping[str, tuple[int, int]]  # name -> first place and one past the last, one neuron per unit
    units: Mapping[str, I64]  # name -> the network's neuron number of each of these places


def arrange(program: Program) -> Arrangement:
    """Sort the neurons of a program."""
    none = np.zeros(0, np.int64)
    layer = np.concatenate([none, *(core.layer.astype(np.int64) for core in program.cores)])
    unit = np.concatenate([none, *(core.unit.astype(np.int64) for core in program.cores)])
    read = np.zeros(len(layer), bool)
    read[np.array(program.first, np.int64)[program.outputs[:, 1]] + program.outputs[:, 2]] = True
    number = np.arange(len(layer))
    layer = np.where(layer < 0, len(program.layers), layer)
    by_unit = np.lexsort((number, ~read, unit, layer))
    copy = np.zeros(len(layer), np.int64)
    if len(layer):
        same = np.diff(layer[by_unit], prepend=-1) + np.diff(unit[by_unit], prepend=-2) == 0
        same &= np.diff(layer[by_unit], prepend=-1) == 0
        started = np.maximum.accumulate(np.where(same, 0, number))
        copy[by_unit] = number - started
    copy[unit < 0] = len(layer)
    neuron = np.lexsort((number, unit, copy, layer))
    place = np.empty_like(neuron)
    place[neuron] = number
    layers, units = {}, {}
    for index, of in enumerate(program.layers):
        some = np.flatnonzero((layer[neuron] == index) & (copy[neuron] == 0))
        if len(some) and of.name not in layers:
            layers[of.name] = (int(some[0]), int(some[-1]) + 1)
            units[of.name] = unit[neuron[some]]
    return Arrangement(
        neuron=neuron, place=place, layers=MappingProxyType(layers), units=MappingProxyType(units)
    )
