"""The stranger that checks a partition: limits of every shard, and that every axon is fed by the right neuron."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64
from spikebnn.errors import CheckError
from spikebnn.partition.types import Bank, Partition, Shard
from spikebnn.program import SUBTRACT
from spikebnn.target import Target
from spikebnn.threshold import ThresholdNetwork


def check_partition(partition: Partition, network: ThresholdNetwork, target: Target) -> None:
    """Raise CheckError where a shard breaks a limit, or an axon is not fed by exactly its source.

    Synapse memory and weights are left to the checkers of the program, which see them as bits.
    """
    banks, shards = partition.banks, partition.shards
    for number, shard in enumerate(shards):
        bank = banks[shard.bank]
        cells = len(shard.neuron) * (target.core.neurons_per_subtract if bank.reset == SUBTRACT else 1)
        _claim(0 < cells <= target.core.neurons, f"shard {number} of {bank.name} holds {cells} neurons")
        axons = len(shard.source) + sum(pulse.axons for pulse in bank.pulses)
        _claim(axons <= target.core.axons, f"shard {number} of {bank.name} has {axons} axons")
        wanted = _reads(bank, shard, target.synapse.format == "crossbar")
        have = np.stack([shard.source.astype(np.int64), shard.value], axis=1)
        same = len(wanted) == len(have) and (wanted == have[np.lexsort(have.T[::-1])]).all()
        _claim(same, f"shard {number} of {bank.name} has other axons than its neurons read")
    fed: dict[tuple[int, int], int] = {}
    served: dict[tuple[int, int], list[int]] = {}
    for sender, column, reader, axon, delay in partition.routes.tolist():
        bank = banks[shards[sender].bank]
        signal = bank.first + int(shards[sender].neuron[column])
        _claim(signal == int(shards[reader].source[axon]), f"axon {axon} of shard {reader} is fed by signal {signal}")
        _claim((reader, axon) not in fed, f"axon {axon} of shard {reader} is fed twice")
        _claim(target.neuron.delay_min <= delay <= target.neuron.delay_max, f"a route has a delay of {delay} ticks")
        fed[reader, axon] = signal
        served.setdefault((sender, column), []).append(reader)
    for number, shard in enumerate(shards):
        for axon, signal in enumerate(shard.source.tolist()):
            _claim((signal < partition.inputs) != ((number, axon) in fed), f"axon {axon} of shard {number} is not fed")
    for (sender, column), readers in served.items():
        most_axons, most_cores = target.fan.axons_per_neuron, target.fan.cores_per_neuron
        where, cores = f"column {column} of shard {sender}", len(set(readers))
        _claim(most_axons is None or len(readers) <= most_axons, f"{where} feeds {len(readers)} axons")
        _claim(most_cores is None or cores <= most_cores, f"{where} reaches {cores} cores")
    scores = network.readout.synapses.neurons
    _claim(len(partition.base) == scores, f"{len(partition.base)} sums where the network has {scores}")


def _reads(bank: Bank, shard: Shard, typed: bool) -> I64:
    """Rows (signal, weight), each once and in order, of what the neurons of a shard read; weight 0 for lists."""
    neuron = np.unique(shard.neuron)
    taps = bank.synapses.taps[bank.synapses.patch[neuron]].astype(np.int64)
    weight = bank.synapses.weight[bank.synapses.row[neuron]].astype(np.int64)
    on = (taps >= 0) & (weight != 0)
    code = np.unique(taps[on] * 2**17 + (weight[on] + 2**16 if typed else 2**16))
    return np.stack([code >> 17, (code & (2**17 - 1)) - 2**16], axis=1)


def _claim(true: bool, wrong: str) -> None:
    if not true:
        raise CheckError(f"the partition is wrong: {wrong}. This is a bug in spikebnn; please report it.")
