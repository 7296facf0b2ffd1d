"""Emit: write the placed shards as a program of bit planes, routes and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from spikebnn.arrays import I32, U8, Array, door, pack_bits
from spikebnn.checks.program import check_emit, check_equivalent, check_program
from spikebnn.partition.types import INPUTS, Bank, Part, Partition, Shard, layout
from spikebnn.place import Placement
from spikebnn.program import Core, Plane, Program
from spikebnn.recipe import Recipe
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP, Readout, Synapses, ThresholdNetwork

__all__ = ["check_emit", "check_equivalent", "check_program", "emit"]

FEW = 8  # patches that are laid one by one
Block = tuple[int, int, int, U8]  # value, first axon, one past the last, packed synapses
Known = dict[tuple[int, bytes, bytes, bytes, bytes, bytes], list[Block]]


def emit(
    network: ThresholdNetwork, partition: Partition, placement: Placement, target: Target, recipe: Recipe
) -> Program:
    """The program of a placed partition; its cores are numbered like the shards."""
    known: Known = {}
    cores = [
        _core(partition.banks, shard, at, known, target)
        for shard, at in zip(partition.shards, placement.place.tolist(), strict=True)
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
        "merged": dict(partition.merged),
        "shared": dict(partition.shared),
        "lower_bound_cores": partition.lower_bound,
        "bound": dict(partition.bound),
        "placement": {"method": placement.method, **placement.price},
    })


def _decoder(readout: Readout) -> Readout:
    empty = Synapses(
        weight=door(np.zeros((0, 0), np.int16), np.int16), taps=door(np.zeros((0, 0), np.int32), np.int32),
        row=door(np.zeros(0, np.int32), np.int32), patch=door(np.zeros(0, np.int32), np.int32),
    )
    return replace(readout, synapses=empty)


def _core(banks: Sequence[Bank], shard: Shard, at: list[int], known: Known, target: Target) -> Core:
    """The parts of a shard, one after the other: columns, axons and planes."""
    crossbar = target.synapse.format == "crossbar"
    columns = sum(len(part.neuron) for part in shard.parts)
    planes: list[Plane] = []
    types = np.zeros((sum(_types(banks[p.bank], p) for p in shard.parts) if crossbar else 0, columns), np.int32)
    axon = column = 0
    for part in shard.parts:
        bank, mine = banks[part.bank], slice(column, column + len(part.neuron))
        slots: dict[int, int] = {}
        for value, first, last, bits in _blocks(part, bank, known, crossbar):
            scale = np.full(columns, value, np.int32)
            if crossbar:
                slots.setdefault(value, len(slots))
                scale = types[slots[value]]
                scale[mine] = value
            planes.append(_plane(axon + first, axon + last, scale, _among(bits, mine, columns)))
        axon += len(part.source)
        for pulse in bank.pulses:
            own = pulse.scale[part.neuron]
            scale = np.zeros(columns, np.int32)
            if crossbar:
                step = int(pulse.scale.min(initial=0) or pulse.scale.max(initial=0))
                name = -len(slots) - 2**16 if pulse.own_type else step
                slots.setdefault(name, len(slots))
                scale = types[slots[name]]
            scale[mine] = own
            on = pack_bits(np.arange(pulse.axons) < pulse.count[part.neuron][:, None])
            planes.append(_plane(axon, axon + pulse.axons, scale, _among(on, mine, columns)))
            axon += pulse.axons
        column += len(part.neuron)
    planes = [replace(plane, scale=door(plane.scale, np.int32, None)) for plane in planes]  # types are complete only now
    each = [(banks[part.bank], part.neuron) for part in shard.parts]
    return Core(
        chip=at[0], x=at[1], y=at[2], axons=axon, planes=tuple(planes),
        threshold=_joined([bank.threshold[n] for bank, n in each], np.int32),
        leak=_joined([bank.leak[n] for bank, n in each], np.int32),
        reset=_joined([np.full(len(n), bank.reset) for bank, n in each], np.uint8),
        floor=_joined([bank.floor[n] for bank, n in each], np.int32),
        floor_mode=_joined([np.full(len(n), bank.floor_mode) for bank, n in each], np.uint8),
        start=_joined([np.full(len(n), bank.start) for bank, n in each], np.int32),
        layer=_joined([np.full(len(n), bank.layer) for bank, n in each], np.int32),
        unit=_joined([bank.unit[n] for bank, n in each], np.int32),
    )


def _joined(arrays: list[Array], dtype: type) -> Array:
    return door(np.concatenate(arrays), dtype, None)


def _types(bank: Bank, part: Part) -> int:
    """Axon types that a part can need at most."""
    return len(np.unique(part.value)) + len(bank.pulses)


def _among(bits: U8, mine: slice, columns: int) -> U8:
    """Packed rows of a part's columns among all columns of the core."""
    if mine.stop - mine.start == columns:
        return bits
    out = np.zeros((columns, bits.shape[1]), np.uint8)
    out[mine] = bits
    return out


def _plane(start: int, stop: int, scale: Array, bits: U8) -> Plane:
    return Plane(start=start, stop=stop, scale=scale, bits=door(bits, np.uint8, None, None))


def _blocks(part: Part, bank: Bank, known: Known, crossbar: bool) -> list[Block]:
    """What the axons of a part add: the value, its axons, and the packed synapses (columns, axons).

    Parts whose neurons have the same weights at the same axons have the same blocks, made once.
    """
    s = bank.synapses
    neuron, copy = np.unique(part.neuron, return_inverse=True)
    patches, patch = np.unique(s.patch[neuron], return_inverse=True)
    taps = s.taps[patches]
    spans = _spans(part) if crossbar else {0: slice(0, len(part.source))}
    where = np.stack([_where(part.source[span], taps) for span in spans.values()]) if spans else np.zeros(0, np.int64)
    name = (part.bank, s.row[neuron].tobytes(), patch.tobytes(), copy.tobytes(), part.value.tobytes(), where.tobytes())
    if name not in known:
        weight, patch = s.weight[s.row[neuron]], patch.reshape(-1)
        made: list[Block] = []
        for at, (value, span) in zip(where, spans.items(), strict=True):
            if crossbar:
                made.append((value, span.start, span.stop, _laid(weight == value, at, patch, span)))
                continue
            for sign in (1, -1):
                half = np.maximum(sign * weight, 0)
                for bit in range(int(half.max(initial=0)).bit_length()):
                    bits = _laid((half >> bit & 1).astype(bool), at, patch, span)
                    if bits.any():
                        made.append((sign << bit, span.start, span.stop, bits))
        known[name] = [(value, a, b, pack_bits(bits)[copy.reshape(-1)]) for value, a, b, bits in made]
    return known[name]


def _spans(part: Part) -> dict[int, slice]:
    """The axons of each weight; they stand together."""
    first = np.flatnonzero(np.diff(part.value, prepend=-(2**15)))
    stops = [*first[1:], len(part.value)][: len(first)]
    return {int(part.value[a]): slice(a, int(b)) for a, b in zip(first.tolist(), stops, strict=True)}


def _where(source: I32, taps: I32) -> Array:
    """The position of each tap in `source`, which is in rising order; its length where it is not there."""
    at = np.searchsorted(source, taps)
    return np.where((np.append(source, NO_TAP)[at] == taps) & (taps != NO_TAP), at, len(source))


def _laid(on: Array, where: Array, patch: Array, span: slice) -> Array:
    """Synapses `on` (neurons, taps) at their axons (neurons, axons)."""
    width = span.stop - span.start
    out = np.zeros((len(on), width + 1), bool)
    twice = any(len(np.unique(at[at < width])) < int((at < width).sum()) for at in where[:FEW])
    if twice or len(where) > FEW:  # a weight made of digits taps a signal in several places
        row, tap = np.nonzero(on)
        out[row, where[patch[row], tap]] = True
        return out[:, :-1]
    for k, at in enumerate(where):
        mine = np.flatnonzero(patch == k)
        some = np.flatnonzero((at < width) & on[mine].any(axis=0))
        out[np.ix_(mine, at[some])] = on[np.ix_(mine, some)]
    return out[:, :-1]


def _lines(partition: Partition) -> tuple[Array, Array]:
    """Rows (line, core, axon, delay) and the control lines' rows (line, tick within the period)."""
    rows, controls = [np.zeros((0, 4), np.int64)], []
    numbers: dict[tuple[int, int], int] = {}  # (delay, tick) -> line
    at = layout(partition.banks, partition.shards)
    for part, number, axons in zip(at.part, at.shard.tolist(), at.axon.tolist(), strict=True):
        bank = partition.banks[part.bank]
        axon = np.flatnonzero(part.source < partition.inputs)
        if len(axon):
            rows.append(_rows(part.source[axon], number, axons + axon, bank.delays[INPUTS]))
        first = axons + len(part.source)
        for pulse in bank.pulses:
            axon = np.arange(first, first + pulse.axons)
            for after in pulse.ticks:
                late, tick = divmod(bank.tick + after, partition.period)
                if (late, tick) not in numbers:
                    numbers[late, tick] = partition.inputs + len(numbers)
                    controls.append((numbers[late, tick], tick))
                rows.append(_rows(numbers[late, tick], number, axon, late * partition.period))
            first += pulse.axons
    table = np.concatenate(rows)
    return table[np.lexsort(table.T[::-1])], np.array(controls, np.int64).reshape(-1, 2)


def _rows(line: Array | int, core: int, axon: Array, delay: int) -> Array:
    out = np.empty((len(axon), 4), np.int64)
    out[:, 0], out[:, 1], out[:, 2], out[:, 3] = line, core, axon, delay
    return out
