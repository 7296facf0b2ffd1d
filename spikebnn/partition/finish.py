"""The finished partition: cores wired to each other, what they cost, and what is to be said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from spikebnn.arrays import I32, door
from spikebnn.partition.bound import Bound
from spikebnn.partition.copies import column_signals, connect
from spikebnn.partition.lower import Lowered
from spikebnn.partition.merge import MERGE
from spikebnn.partition.price import price
from spikebnn.partition.readout import ReadoutBanks
from spikebnn.partition.timing import Schedule, latest
from spikebnn.partition.types import Partition, Shard, layout
from spikebnn.program import ProgramLayer
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork


def finished(
    network: ThresholdNetwork, lowered: Lowered, read: ReadoutBanks, plan: Schedule, shards: list[Shard], bound: Bound,
    target: Target,
) -> Partition:
    """The finished partition, wired."""
    routes, says = connect(plan.banks, shards, network.inputs, target)
    first = np.append(0, np.cumsum(layout(plan.banks, shards).columns))
    by_signal = np.argsort(says, kind="stable")
    at = by_signal[np.searchsorted(says[by_signal], read.rows[:, 1])]
    shard = np.searchsorted(first, at, side="right") - 1
    outputs = np.stack([read.rows[:, 0], shard, at - first[shard]], axis=1).reshape(-1, 3)
    merged, shared = _pools(plan, shards)
    return Partition(
        banks=plan.banks, shards=tuple(shards), routes=door(routes, "int32", None, 5), layers=_layers(plan, shards, merged),
        inputs=network.inputs, period=plan.period, latency=latest(plan.banks, read.rows[:, 1].astype(np.int64)),
        readout="membrane" if read.kind == "membrane" else "spikes", outputs=door(outputs, "int32", None, 3),
        base=door(read.base, "int32", None), price=_price(network, lowered, plan, shards, routes, read.kind, target),
        notes=_notes(plan, shards, merged), lower_bound=bound.cores,
        bound=bound.shares, merged=merged, shared=shared,
    )


def _price(
    network: ThresholdNetwork, lowered: Lowered, plan: Schedule, shards: Sequence[Shard], routes: I32, readout: str,
    target: Target,
) -> MappingProxyType[str, Any]:
    """What the split, the relays and the copies cost."""
    columns: dict[str, int] = {}
    cores: dict[str, int] = {}
    single = len(np.unique(column_signals(plan.banks, shards)))
    for shard in shards:
        for part in shard.parts:
            role = plan.banks[part.bank].role
            columns[role] = columns.get(role, 0) + len(part.neuron)
            cores[role] = cores.get(role, 0) + (part is shard.parts[0])
    spread = network.encoder.ticks if network.encoder.kind == "burst" else 1
    expected = price(plan.banks, shards, routes, plan.signals, network.inputs, spread, plan.period, target)
    return MappingProxyType({
        "method": lowered.method, "layers": list(lowered.split), "period": plan.period,
        "readout": readout, "neurons": columns, "cores": cores, "copies": sum(columns.values()) - single,
        "lossless": lowered.clipping is None or lowered.clipping.inside, **expected,
        **({} if lowered.clipping is None else {"clipping": lowered.clipping.to_json()}),
    })


def _layers(plan: Schedule, shards: Sequence[Shard], merged: Mapping[str, int]) -> tuple[ProgramLayer, ...]:
    """The layers; the role "merged" is that of a layer whose neurons are all axons."""
    placed = {plan.banks[part.bank].layer for shard in shards for part in shard.parts}
    return tuple(
        replace(layer, role="merged") if layer.name in merged and index not in placed else layer
        for index, layer in enumerate(plan.layers)
    )


def _pools(plan: Schedule, shards: Sequence[Shard]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Pools whose axons stand for them, and pools that are neurons which hear such an axon; bank by bank."""
    merged: dict[str, int] = {}
    shared: dict[str, int] = {}
    for merge in plan.banks:
        if merge.role != MERGE:
            continue
        found = {True: [np.zeros(0, np.int32)], False: [np.zeros(0, np.int32)]}
        for shard in shards:
            for part in shard.parts:
                own = (part.source >= merge.first) & (part.source < merge.first + merge.neurons)
                if own.any():
                    found[plan.banks[part.bank].name == merge.name].append(part.source[own])
        for counts, which in ((shared, True), (merged, False)):
            if many := len(np.unique(np.concatenate(found[which]))):
                counts[merge.name] = counts.get(merge.name, 0) + many
    return MappingProxyType(merged), MappingProxyType(shared)


def _notes(plan: Schedule, shards: Sequence[Shard], merged: Mapping[str, int]) -> tuple[str, ...]:
    there = np.zeros(plan.signals, bool)
    there[column_signals(plan.banks, shards)] = True
    notes = []
    for bank in plan.banks:
        axons = merged.get(bank.name, 0) if bank.role == "whole" else 0
        if axons:
            how = "are axons that all of their inputs feed, and take no core"
            notes.append(f"{bank.name}: {axons} of {bank.neurons} neurons {how}")
        gone = bank.neurons - int(there[bank.first : bank.first + bank.neurons].sum()) - axons
        if gone > 0 and bank.role in ("whole", "aggregate"):
            notes.append(f"{bank.name}: {gone} of {bank.neurons} neurons are never read or never change, and take no core")
    return tuple(notes)
