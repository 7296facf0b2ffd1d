"""Emit: write the placed shards as a program of bit planes, routes and lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from spikebnn.arrays import I32, Array, door, pack_bits
from spikebnn.check_program import check_emit, check_equivalent, check_program
from spikebnn.partition.types import INPUTS, Bank, Partition, Pulse, Shard
from spikebnn.place import Placement
from spikebnn.program import Core, Plane, Program
from spikebnn.recipe import Recipe
from spikebnn.target import Target
from spikebnn.threshold import NO_TAP, Readout, Synapses, ThresholdNetwork

__all__ = ["check_emit", "check_equivalent", "check_program", "emit"]


def emit(
    network: ThresholdNetwork, partition: Partition, placement: Placement, target: Target, recipe: Recipe
) -> Program:
    """The program of a placed partition; its cores are numbered like the shards."""
    lookup = np.full(1 + max((b.first + b.neurons for b in partition.banks), default=partition.inputs), -1, np.int64)
    cores = [
        _core(partition.banks[shard.bank], shard, placement.place[number].tolist(), lookup, target)
        for number, shard in enumerate(partition.shards)
    ]
    lines, controls = _lines(partition)
    return Program(
        cores=tuple(cores), routes=partition.routes, lines=door(lines, np.int32, None, 4), inputs=partition.inputs,
        controls=door(controls, np.int32, None, 2), period=partition.period, latency=partition.latency,
        readout=partition.readout, outputs=partition.outputs, base=partition.base, encoder=network.encoder,
        decoder=_decoder(network.readout), layers=partition.layers, target=target.name,
        header=_header(network, partition, placement, target, recipe),
    )


def _header(
    network: ThresholdNetwork, partition: Partition, placement: Placement, target: Target, recipe: Recipe
) -> Mapping[str, Any]:
    return MappingProxyType({
        "target": target.name,
        "recipe": {"split": recipe.split, "readout": recipe.readout, "place": placement.method, "seed": recipe.seed},
        "network": network.digest,
        "split": dict(partition.price),
        "notes": list(partition.notes),
        "lower_bound_cores": partition.lower_bound,
        "placement": {"method": placement.method, **placement.price},
    })


def _decoder(readout: Readout) -> Readout:
    empty = Synapses(
        weight=door(np.zeros((0, 0), np.int16), np.int16), taps=door(np.zeros((0, 0), np.int32), np.int32),
        row=door(np.zeros(0, np.int32), np.int32), patch=door(np.zeros(0, np.int32), np.int32),
    )
    return replace(readout, synapses=empty)


def _core(bank: Bank, shard: Shard, at: list[int], lookup: Array, target: Target) -> Core:
    n = shard.neuron
    axons = len(shard.source)
    planes = _by_type(bank, shard, lookup) if target.synapse.format == "crossbar" else _by_bit(bank, shard, lookup)
    for pulse in bank.pulses:
        planes.append(_control(pulse, n, axons))
        axons += pulse.axons
    each = len(n)
    return Core(
        chip=at[0], x=at[1], y=at[2], axons=axons, planes=tuple(planes),
        threshold=door(bank.threshold[n], np.int32, None), leak=door(bank.leak[n], np.int32, None),
        reset=door(np.full(each, bank.reset), np.uint8, None), floor=door(bank.floor[n], np.int32, None),
        floor_mode=door(np.full(each, bank.floor_mode), np.uint8, None),
        start=door(np.full(each, bank.start), np.int32, None), layer=door(np.full(each, bank.layer), np.int32, None),
        unit=door(bank.unit[n], np.int32, None),
    )


def _plane(start: int, stop: int, scale: Array, bits: Array) -> Plane:
    return Plane(
        start=start, stop=stop, scale=door(scale, np.int32, None), bits=door(pack_bits(bits), np.uint8, None, None)
    )


def _cells(bank: Bank, shard: Shard, lookup: Array, axons: slice) -> tuple[Array, Array]:
    """Axon (neurons, taps) under each tap, or the number of axons where there is none, and the weights."""
    lookup[:] = axons.stop - axons.start
    lookup[shard.source[axons]] = np.arange(axons.stop - axons.start)
    s = bank.synapses
    taps = s.taps[s.patch[shard.neuron]]
    where = lookup[taps]  # NO_TAP is -1, the entry that no signal has
    where[taps == NO_TAP] = axons.stop - axons.start
    return where, s.weight[s.row[shard.neuron]]


def _by_type(bank: Bank, shard: Shard, lookup: Array) -> list[Plane]:
    """Crossbar: one plane per axon type, over the axons of that type."""
    planes = []
    for value in np.unique(shard.value):
        mine = np.flatnonzero(shard.value == value)
        axons = slice(int(mine[0]), int(mine[-1]) + 1)
        where, weight = _cells(bank, shard, lookup, axons)
        bits = np.zeros((len(shard.neuron), len(mine) + 1), bool)
        row, tap = np.nonzero(weight == value)
        bits[row, where[row, tap]] = True
        planes.append(_plane(axons.start, axons.stop, np.full(len(shard.neuron), value), bits[:, :-1]))
    return planes


def _by_bit(bank: Bank, shard: Shard, lookup: Array) -> list[Plane]:
    """Lists: the positive and the negative weights, bit by bit, over all axons."""
    axons = slice(0, len(shard.source))
    if not axons.stop:
        return []
    where, weight = _cells(bank, shard, lookup, axons)
    dense = np.zeros((len(shard.neuron), axons.stop + 1), np.int16)
    np.put_along_axis(dense, where, weight, axis=1)
    dense = dense[:, :-1]
    planes = []
    for sign in (1, -1):
        half = np.maximum(sign * dense, 0)
        for bit in range(int(half.max(initial=0)).bit_length()):
            bits = (half >> bit & 1).astype(bool)
            if bits.any():
                planes.append(_plane(0, axons.stop, np.full(len(shard.neuron), sign << bit), bits))
    return planes


def _control(pulse: Pulse, neuron: I32, first: int) -> Plane:
    bits = np.arange(pulse.axons) < pulse.count[neuron][:, None]
    return _plane(first, first + pulse.axons, pulse.scale[neuron], bits)


def _lines(partition: Partition) -> tuple[Array, Array]:
    """Rows (line, core, axon, delay) and the control lines' rows (line, tick within the period)."""
    rows, controls = [np.zeros((0, 4), np.int64)], []
    numbers: dict[tuple[int, int], int] = {}  # (delay, tick) -> line
    for number, shard in enumerate(partition.shards):
        bank = partition.banks[shard.bank]
        axon = np.flatnonzero(shard.source < partition.inputs)
        if len(axon):
            wait = bank.delays[INPUTS]
            rows.append(np.stack([shard.source[axon], np.full(len(axon), number), axon, np.full(len(axon), wait)], axis=1))
        first = len(shard.source)
        for pulse in bank.pulses:
            axon = np.arange(first, first + pulse.axons)
            for after in pulse.ticks:
                late, tick = divmod(bank.tick + after, partition.period)
                if (late, tick) not in numbers:
                    numbers[late, tick] = partition.inputs + len(numbers)
                    controls.append((numbers[late, tick], tick))
                line = numbers[late, tick]
                wait = late * partition.period
                rows.append(np.stack([np.full(len(axon), line), np.full(len(axon), number), axon,
                                      np.full(len(axon), wait)], axis=1))
            first += pulse.axons
    table = np.concatenate(rows)
    return table[np.lexsort(table.T[::-1])], np.array(controls, np.int64).reshape(-1, 2)
