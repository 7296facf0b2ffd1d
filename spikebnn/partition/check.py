"""The stranger that checks a partition: limits of every shard, and that every axon is fed by the right neuron."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64
from spikebnn.errors import CheckError
from spikebnn.partition.types import Bank, Part, Partition
from spikebnn.program import SUBTRACT
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP, ThresholdNetwork

FEW = 8  # patches that are looked at one by one


def check_partition(partition: Partition, network: ThresholdNetwork, target: Target) -> None:
    """Raise CheckError where a shard breaks a limit, or an axon is not fed by exactly its source.

    Synapse memory and weights are left to the checkers of the program, which see them as bits.
    """
    banks, typed = partition.banks, target.synapse.format == "crossbar"
    values = [np.unique(bank.synapses.weight[bank.synapses.weight != 0]).tolist() for bank in banks]
    hears: list[I64] = []  # per shard: the signal on each axon, -1 for control axons
    says: list[I64] = []  # per shard: the signal of each column
    for number, shard in enumerate(partition.shards):
        cells = 0
        heard, said = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for part in shard.parts:
            bank = banks[part.bank]
            cells += len(part.neuron) * (target.core.neurons_per_subtract if bank.reset == SUBTRACT else 1)
            wanted = _reads(bank, part, typed, values[part.bank])
            have = np.sort(part.source.astype(np.int64) * 2**17 + (part.value.astype(np.int64) + 2**16))
            same = len(wanted) == len(have) and bool((wanted == have).all())
            _claim(same, f"shard {number} of {bank.name} has other axons than its neurons read")
            heard += [part.source.astype(np.int64), np.full(sum(pulse.axons for pulse in bank.pulses), -1)]
            said.append(bank.first + part.neuron.astype(np.int64))
        name = banks[shard.parts[0].bank].name if shard.parts else "nothing"
        hears.append(np.concatenate(heard))
        says.append(np.concatenate(said))
        _claim(0 < cells <= target.core.neurons, f"shard {number} of {name} holds {cells} neurons")
        _claim(len(hears[-1]) <= target.core.axons, f"shard {number} of {name} has {len(hears[-1])} axons")
    _routes(partition, hears, says, target)
    scores = network.readout.synapses.neurons
    _claim(len(partition.base) == scores, f"{len(partition.base)} sums where the network has {scores}")


def _routes(partition: Partition, hears: list[I64], says: list[I64], target: Target) -> None:
    """Every axon has a route from each column that it must hear, and no other, and no column has too many."""
    none = np.zeros(0, np.int64)
    heard, said = np.concatenate([none, *hears]), np.concatenate([none, *says])
    axon_0 = np.cumsum([0, *(len(rows) for rows in hears)])
    column_0 = np.cumsum([0, *(len(rows) for rows in says)])
    sender, column, reader, axon, delay = partition.routes.astype(np.int64).T
    from_, into = column_0[sender] + column, axon_0[reader] + axon
    wrong = np.flatnonzero((column_0[sender + 1] <= from_) | (axon_0[reader + 1] <= into))
    _claim(not len(wrong), f"route {wrong[:1]} begins or ends nowhere")
    axons, signals = _feeders(partition, heard, target)
    base = 1 + max(int(said.max(initial=0)), int(signals.max(initial=0)))
    have, want = np.sort(into * base + said[from_]), np.sort(axons * base + signals)
    for wrong, what in (
        (have[1:][have[1:] == have[:-1]], "is fed twice by signal"),
        (np.setdiff1d(have, want), "is fed by signal"),
        (np.setdiff1d(want, have), "is not fed by signal"),
    ):
        at = wrong[:1] // base
        shard = np.searchsorted(axon_0, at, side="right") - 1
        _claim(not len(wrong), f"axon {at - axon_0[shard]} of shard {shard} {what} {wrong[:1] % base}")
    low, high = target.neuron.delay_min, target.neuron.delay_max
    wrong = delay[(delay < low) | (delay > high)][:1]
    _claim(not len(wrong), f"a route has a delay of {wrong} ticks")
    served = np.unique(from_ * (len(hears) + 1) + reader) // (len(hears) + 1)
    for what, many, most in (
        ("feeds {} axons", np.bincount(from_, minlength=1), target.fan.axons_per_neuron),
        ("reaches {} cores", np.bincount(served, minlength=1), target.fan.cores_per_neuron),
    ):
        worst = int(many.argmax())
        where = int(np.searchsorted(column_0, worst, side="right")) - 1
        _claim(
            most is None or int(many[worst]) <= most,
            f"column {worst - column_0[where]} of shard {where} {what.format(many[worst])}",
        )


def _feeders(partition: Partition, heard: I64, target: Target) -> tuple[I64, I64]:
    """The neurons that must feed each axon: axons, and a signal each; several where the axon merges them."""
    at = np.flatnonzero(heard >= partition.inputs)
    axon, signal = at, heard[at]
    for bank in partition.banks:
        if bank.role != "merge":
            continue
        _claim(target.core.axon_merges, f"{bank.name} has axons that hear several neurons, which {target.name} does not have")
        own = np.isin(signal, np.arange(bank.first, bank.first + bank.neurons))
        taps = bank.synapses.taps[signal[own] - bank.first]
        fed = (taps != NO_TAP).sum(axis=1)
        axon = np.concatenate([axon[~own], np.repeat(axon[own], fed)])
        signal = np.concatenate([signal[~own], taps[taps != NO_TAP]])
    return axon, signal.astype(np.int64)


def _reads(bank: Bank, part: Part, typed: bool, values: list[int]) -> I64:
    """What the neurons of a part read, each once and in order: signal * 2^17 + weight + 2^16, weight 0 for lists."""
    s = bank.synapses
    patches, patch = np.unique(s.patch[part.neuron], return_inverse=True)
    rows, row = np.unique(s.row[part.neuron], return_inverse=True)
    taps, weight = s.taps[patches].astype(np.int64), s.weight[rows]
    pairs = np.unique(patch.reshape(-1) * len(rows) + row.reshape(-1))
    if len(patches) > FEW:
        own, at = weight[pairs % len(rows)], taps[pairs // len(rows)]
        on = (own != 0) & (at >= 0)
        return np.unique(at[on] * 2**17 + (own[on] if typed else 0) + 2**16)
    found = [np.zeros(0, np.int64)]
    for k, at in enumerate(taps):
        own = weight[pairs[pairs // len(rows) == k] % len(rows)]
        for value in values if typed else [0]:
            on = ((own == value) if typed else (own != 0)).any(axis=0) & (at >= 0)
            found.append(at[on] * 2**17 + value + 2**16)
    return np.unique(np.concatenate(found))


def _claim(true: bool, wrong: str) -> None:
    if not true:
        raise CheckError(f"the partition is wrong: {wrong}. This is a bug in spikebnn; please report it.")
