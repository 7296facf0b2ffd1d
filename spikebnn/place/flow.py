"""How many packets per frame go from shard to shard.

A packet is one spike on one route: a neuron that feeds three axons sends three packets per spike, each on a way of
its own. That is how both kinds of chip work that the targets describe: where a neuron has one target axon there is
one packet (Merolla 2014, supplement S4), and where it has a list of destinations every entry is a message of its own
(Davies 2018, constraint 3: discrete axons). Nobody's routers copy a packet on the way. `spikebnn.energy.traffic` counts
the same packets in a run.
"""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import F64, I64, door
from spikebnn.partition.types import Partition
from spikebnn.place.types import Flow, Load

ASSUMED = "assumed: every neuron sends half of the most spikes that it can send in a frame"


def first_columns(partition: Partition) -> I64:
    """Number of each shard's first column; one more entry with the number of all columns."""
    return np.concatenate([[0], np.cumsum([shard.columns for shard in partition.shards])]).astype(np.int64)


def assumed(partition: Partition) -> Load:
    """The load without data: half a spike for a neuron that fires once at most, half a burst for a burst."""
    none = np.zeros(0)
    each = [np.full(len(p.neuron), partition.banks[p.bank].burst / 2) for s in partition.shards for p in s.parts]
    return Load(spikes=door(np.concatenate([none, *each]), np.float64, None), source=ASSUMED)


def measured(neuron_spikes: I64, frames: int) -> Load:
    """The load of a calibration run, from the spikes of each neuron over all its frames."""
    spikes = neuron_spikes / max(1, frames)
    return Load(spikes=door(spikes, np.float64, None), source=f"measured on {frames} frame{'s' * (frames != 1)}")


def packets_of(partition: Partition, load: Load) -> F64:
    """Packets per frame on each route; (routes,)."""
    routes = partition.routes
    return np.asarray(load.spikes[first_columns(partition)[routes[:, 0]] + routes[:, 1]])


def flow_of(partition: Partition, load: Load) -> Flow:
    """Packets per frame between the shards; a packet that stays on its core goes nowhere."""
    count = len(partition.shards)
    source, goal = partition.routes[:, 0].astype(np.int64), partition.routes[:, 2].astype(np.int64)
    away = source != goal
    pair = (np.minimum(source, goal) * count + np.maximum(source, goal))[away]
    key, of = np.unique(pair, return_inverse=True)
    packets = np.zeros(len(key))
    np.add.at(packets, of.reshape(-1), packets_of(partition, load)[away])
    a, b = np.divmod(key, max(1, count))
    return Flow(a=a, b=b, packets=packets)
