"""What a partition is made of: banks of neurons, the shards that hold them, and the routes between shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from spikebnn.arrays import I16, I32, I64
from spikebnn.program import SUBTRACT, ProgramLayer
from spikebnn.threshold import NO_TAP, Synapses

INPUTS = -1  # stands for the outside wherever a bank is meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One reason why a network does not fit a target, with the way out."""

    layer: str
    what: str  # "fan-in", "threshold", "axon types", "cores", "delay", "readout", "reset", ...
    found: int
    limit: int
    remedy: str
    text: str  # the whole sentence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pulse:
    """A control line that adds scale * count to each neuron of a bank, once per tick in `ticks`.

    The line enters every core of the bank on `axons` axons; a neuron has synapses on the first `count` of them.
    """

    name: str  # "go", "clear", "bias"
    ticks: tuple[int, ...]  # after the bank's tick, or after its last possible spike
    axons: int
    scale: I32  # (neurons,)
    count: I32  # (neurons,)
    own_type: bool  # crossbar: has an axon type to itself
    after: str = "tick"  # "tick", or "end": tick 0 is the one that follows the last possible spike

    @property
    def total(self) -> I64:
        return self.scale.astype(np.int64) * self.count


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bank:
    """Neurons of one layer and one role that act in the same tick, before copies.

    Signals are numbered like bits: inputs, then the neurons of all layers, then auxiliary neurons. The signs
    of neurons are folded into `synapses`, whose taps are signals, no signal twice in one neuron.
    """

    name: str
    role: str  # as in ProgramLayer
    layer: int  # index into Partition.layers
    unit: I32  # (neurons,); neuron of that layer, or AUXILIARY
    spot: I32  # (neurons, 3); channel, y, x, for packing neighbours together
    synapses: Synapses
    threshold: I32  # (neurons,)
    leak: I32  # (neurons,)
    reset: int
    floor: I32  # (neurons,)
    floor_mode: int
    first: int  # signal of neuron 0
    low: I64  # (neurons,); smallest and largest V that a frame can reach before the reset
    high: I64
    burst: int = 1  # most spikes of a neuron in one frame
    gathers: bool = False  # integrates over many ticks until its "go"
    joined: bool = False  # pools that no core takes as neurons, only as axons that their inputs share
    feedback: int = 0  # so many of the last taps are spikes that all come before the other taps' spikes
    pulses: tuple[Pulse, ...] = ()
    tick: int = 0  # in which frame 0 makes it fire first
    start: int = 0  # first tick of frame 0's window: its first arrivals
    span: int = 1  # ticks from its first to its last possible spike, inclusive
    delays: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))  # bank -> delay; INPUTS too

    @property
    def neurons(self) -> int:
        return self.synapses.neurons

    @property
    def counts(self) -> bool:
        """Whether its neurons say a number, as so many spikes."""
        return self.reset == SUBTRACT

    @property
    def controls(self) -> int:
        """Control axons that every core of this bank spends."""
        return sum(pulse.axons for pulse in self.pulses)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Neurons of one bank on one core. Control axons follow the listed axons, pulse by pulse."""

    bank: int
    neuron: I32  # (columns,); neuron of the bank; a copy repeats it
    source: I32  # (axons,); signal on each axon
    value: I16  # (axons,); crossbar: weight that the axon's type gives; list: 0
    bits: int = 0  # synapse memory that it takes at most, where a core's is limited
    edges: int = 0  # pairs of column and reading core that it sends to at most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shard:
    """What sits on one core: parts of one bank or several, whose columns and axons follow each other."""

    parts: tuple[Part, ...]

    @property
    def columns(self) -> int:
        return sum(len(part.neuron) for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Where every part of a list of shards begins, part by part."""

    part: tuple[Part, ...]
    shard: I64  # (parts,); the shard that it is on
    bank: I64  # (parts,)
    column: I64  # (parts,); its first column and its first axon on that shard
    axon: I64
    columns: I64  # (shards,); all columns and axons of a shard, controls included
    axons: I64


def layout(banks: Sequence[Bank], shards: Sequence[Shard]) -> Layout:
    """The layout of shards on their cores."""
    parts = tuple(part for shard in shards for part in shard.parts)
    shard = np.repeat(np.arange(len(shards)), [len(shard.parts) for shard in shards])
    wide = np.array([len(part.neuron) for part in parts], np.int64)
    deep = np.array([len(part.source) + banks[part.bank].controls for part in parts], np.int64)
    fresh = np.diff(shard, prepend=-1) != 0
    begin = np.flatnonzero(fresh)[np.cumsum(fresh) - 1] if parts else shard
    before = [np.cumsum(size) - size for size in (wide, deep)]
    columns, axons = (np.bincount(shard, size, len(shards)).astype(np.int64) for size in (wide, deep))
    return Layout(
        part=parts, shard=shard, bank=np.array([part.bank for part in parts], np.int64),
        column=before[0] - before[0][begin], axon=before[1] - before[1][begin], columns=columns, axons=axons,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Partition:
    """Which neuron sits with which on a core, who sends to whom, and when; places are not chosen yet."""

    banks: tuple[Bank, ...]  # in topological order
    shards: tuple[Shard, ...]  # one a core, in the order of their first banks
    routes: I32  # (routes, 5): shard, column, shard, axon, delay
    layers: tuple[ProgramLayer, ...]
    inputs: int
    period: int
    latency: int
    readout: str  # "spikes" or "membrane"
    outputs: I32  # (rows, 3): sum, shard, column
    base: I32  # (sums,)
    price: Mapping[str, Any]  # what the fan-in split costs
    notes: tuple[str, ...] = ()
    lower_bound: int = 0  # cores below which no mapping of these neurons can go
    bound: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # cores that each resource asks for
    merged: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # layer -> neurons that are axons
    shared: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # layer -> neurons that hear one axon


def used(synapses: Synapses) -> Synapses:
    """Drop weight rows that no neuron uses."""
    rows, row = np.unique(synapses.row, return_inverse=True)
    if len(rows) == len(synapses.weight):
        return synapses
    return Synapses(
        weight=synapses.weight[rows], taps=synapses.taps, row=row.astype(np.int32).reshape(-1), patch=synapses.patch
    )


def total(weight: I16, mark: I64, row: I32, patch: I32) -> I64:
    """For each neuron, the sum of weight[row, t] * mark[patch, t]; marks (patches, taps) repeat a lot."""
    if not len(row):
        return np.zeros(0, np.int64)
    first = mark[0]
    if (mark == first).all():
        return np.asarray((weight.astype(np.int64) @ first)[row])
    kinds, kind = np.unique(mark, axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    if len(weight) * len(kinds) <= 4 * len(row) + 1024:
        table = np.rint(weight.astype(np.float64) @ kinds.T.astype(np.float64)).astype(np.int64)
        return np.asarray(table[row, kind[patch]])
    out = np.empty(len(row), np.int64)
    for k in range(len(kinds)):
        mine = np.flatnonzero(kind[patch] == k)
        out[mine] = (weight.astype(np.int64) @ kinds[k])[row[mine]]
    return out


def connected(synapses: Synapses) -> I64:
    """1 where a patch has a tap, 0 where it is padding; (patches, taps)."""
    return np.asarray(synapses.taps != NO_TAP, np.int64)
