"""Copies: how many columns each neuron needs to reach its readers, and which column sends where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I32, I64, Array
from spikebnn.partition.merge import members
from spikebnn.partition.types import INPUTS, Bank, Part, Shard, layout
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """How often each signal is wanted by the shards that are packed so far; (signals,) each."""

    axons: I64
    cores: I64


def no_demand(signals: int) -> Demand:
    """Nothing is read yet."""
    return Demand(axons=np.zeros(signals, np.int64), cores=np.zeros(signals, np.int64))


def with_readers(demand: Demand, parts: Sequence[Part]) -> Demand:
    """The demand when these parts read as well, each on a core of its own."""
    if not parts:
        return demand
    source = np.concatenate([part.source for part in parts])
    reader = np.repeat(np.arange(len(parts)), [len(part.source) for part in parts])
    axons = demand.axons + np.bincount(source, minlength=len(demand.axons))
    order = np.argsort(source, kind="stable")  # readers stay in order within a signal
    fresh = (np.diff(source[order], prepend=-1) != 0) | (np.diff(reader[order], prepend=-1) != 0)
    cores = demand.cores + np.bincount(source[order][fresh], minlength=len(demand.cores))
    return Demand(axons=axons, cores=cores)


def through(demand: Demand, merge: Bank) -> Demand:
    """The demand when everything that reads a merged axon asks each neuron that feeds it."""
    taps = merge.synapses.taps
    row, at = np.nonzero(taps != NO_TAP)
    mine = slice(merge.first, merge.first + merge.neurons)
    out = []
    for wanted in (demand.axons, demand.cores):
        asked = np.bincount(taps[row, at], wanted[mine][row], len(wanted)).astype(np.int64)
        out.append(wanted + asked)
    return Demand(axons=out[0], cores=out[1])


def reach(target: Target) -> tuple[int | None, int | None]:
    """Axons, or else cores, that one column can serve; None is no limit."""
    cores = [n for n in (target.fan.cores_per_neuron, target.core.output_edges) if n is not None]
    most = min(cores) if cores else None
    if target.fan.axons_per_neuron is not None:
        return min([target.fan.axons_per_neuron, *([most] if most is not None else [])]), None
    return None, most


def copies_of(bank: Bank, demand: Demand, heard: Array, target: Target) -> tuple[I64, I64]:
    """Columns of each neuron and the most cores that one of them serves; (neurons,) each.

    A neuron that nobody reads gets no column, one that only the host counts (`heard`, by signal) gets one.
    """
    mine = slice(bank.first, bank.first + bank.neurons)
    axons, cores = demand.axons[mine], demand.cores[mine]
    per_axons, per_cores = reach(target)
    if per_axons is not None:
        columns, edges = -(-axons // per_axons), np.minimum(cores, per_axons)
    elif per_cores is not None:
        columns, edges = -(-cores // per_cores), np.minimum(cores, per_cores)
    else:
        columns, edges = np.minimum(axons, 1), cores
    return np.maximum(columns, heard[mine]), edges


def connect(banks: Sequence[Bank], shards: Sequence[Shard], inputs: int, target: Target) -> tuple[I32, I32]:
    """Routes (shard, column, shard, axon, delay), and for each column of each shard in order its signal.

    A merged axon has a route from each neuron that feeds it.
    """
    lay = layout(banks, shards)
    sizes = np.array([len(part.source) for part in lay.part], np.int64)
    signal = np.concatenate([np.zeros(0, np.int32), *(part.source for part in lay.part)])
    part = np.repeat(np.arange(len(sizes)), sizes)
    axon = np.arange(len(signal)) + np.repeat(lay.axon - (np.cumsum(sizes) - sizes), sizes)
    reader = lay.shard[part]
    keep = np.flatnonzero(signal >= inputs)
    delay = _delays(banks, signal[keep], lay.bank[part[keep]])
    fed, signal = members(banks, signal[keep].astype(np.int64))
    reader, axon, delay = reader[keep[fed]], axon[keep[fed]], delay[fed]
    order = np.lexsort((axon, reader, signal))
    signal, reader, axon, delay = signal[order], reader[order], axon[order], delay[order]
    fresh = np.diff(signal, prepend=-1) != 0
    per_axons, per_cores = reach(target)
    if per_axons is not None:
        turn = _rank(fresh) // per_axons
    elif per_cores is not None:
        moved = fresh | (np.diff(reader, prepend=-1) != 0)
        core = np.cumsum(moved) - 1
        turn = (core - core[np.flatnonzero(fresh)][np.cumsum(fresh) - 1]) // per_cores if len(core) else core
    else:
        turn = np.zeros(len(signal), np.int64)
    says = column_signals(banks, shards)
    first = np.append(0, np.cumsum(lay.columns))
    by_signal = np.argsort(says, kind="stable")
    at = by_signal[np.searchsorted(says[by_signal], signal) + turn]
    sender = np.searchsorted(first, at, side="right") - 1
    return np.stack([sender, at - first[sender], reader, axon, delay], axis=1).astype(np.int32), says


def column_signals(banks: Sequence[Bank], shards: Sequence[Shard]) -> I32:
    """The signal of every column, shard by shard."""
    each = [banks[part.bank].first + part.neuron for shard in shards for part in shard.parts]
    return np.asarray(np.concatenate([np.zeros(0, np.int32), *each]), np.int32)


def _rank(fresh: Array) -> I64:
    start = np.flatnonzero(fresh)
    return np.asarray(np.arange(len(fresh)) - start[np.cumsum(fresh) - 1]) if len(fresh) else np.zeros(0, np.int64)


def _delays(banks: Sequence[Bank], signal: Array, reader: I64) -> I64:
    firsts = np.array([bank.first for bank in banks], np.int64)
    order = np.argsort(firsts)
    sender = order[np.searchsorted(firsts[order], signal, side="right") - 1]
    table = np.zeros((len(banks), len(banks)), np.int64)
    for index, bank in enumerate(banks):
        for source, delay in bank.delays.items():
            if source != INPUTS:
                table[index, source] = delay
    return np.asarray(table[reader, sender])
