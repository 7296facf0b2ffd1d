"""Room: what one core offers to the neurons of a bank, and what their lists cost there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64
from spikebnn.partition.memory import index_bits, run_bits, weight_bits
from spikebnn.partition.types import Bank
from spikebnn.program import SUBTRACT
from spikebnn.targets.target import SynapseRule, Target


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Room:
    """What one core offers to the neurons of a bank, and the prices."""

    typed: bool  # crossbar: an axon has the weight of its type
    columns: int
    axons: int
    edges: int | None
    bits: int | None
    dense: I64  # (2, n); bits of a run of n synapses, without and with their delay
    sparse: I64 | None  # (2, n); bits of a list of n synapses with an index
    control: I64  # bits of all control lists of n neurons


def room_of(bank: Bank, target: Target) -> Room:
    """The room that a core of `target` has for neurons of `bank`."""
    per_neuron = target.core.neurons_per_subtract if bank.reset == SUBTRACT else 1
    columns, rule = target.core.neurons // per_neuron, target.synapse
    wide = weight_bits(rule, int(np.abs(bank.synapses.weight).max(initial=1)))
    index = index_bits(rule, target.core.neurons)
    control = np.zeros(columns + 1, np.int64)
    for pulse in bank.pulses:
        largest = int(np.abs(pulse.scale).max(initial=1))
        control += pulse.axons * run_bits(rule, weight_bits(rule, largest), columns)
    lists = rule.format == "list" and target.core.synapse_bits is not None
    return Room(
        typed=rule.format == "crossbar", columns=columns, axons=target.core.axons - bank.controls,
        edges=target.core.output_edges, bits=target.core.synapse_bits if lists else None, dense=_both(rule, wide, columns),
        sparse=_both(rule, wide + index, columns) if index is not None else None, control=control,
    )


def _both(rule: SynapseRule, each: int, columns: int) -> I64:
    return np.stack([run_bits(rule, each, columns), run_bits(rule, each + rule.delay_bits, columns)])
