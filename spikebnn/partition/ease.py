"""Ease: a target without the limits that a network is already known to break, to see what else stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spikebnn.partition.types import Violation
from spikebnn.targets.target import Target

PLENTY = 1 << 20


def eased(target: Target, violations: Sequence[Violation]) -> Target:
    """`target` with each violated kind of limit lifted; the same target where nothing is to be lifted."""
    kinds = {violation.what for violation in violations}
    widest = max((v.found for v in violations if v.what == "fan-in"), default=0)
    if "axon types" in kinds and target.synapse.axon_types is not None:
        target = replace(target, synapse=replace(target.synapse, axon_types=PLENTY))
    if kinds & {"fan-in", "core"}:
        axons = max(target.core.axons, 4 * widest + 64)
        core = replace(target.core, axons=axons, synapse_bits=None)
        target = replace(target, core=core, fan=replace(target.fan, fan_in=None))
    if kinds & {"reset", "readout"}:
        neuron = replace(
            target.neuron, resets=("memoryless", "zero", "subtract", "none"), floors=("saturate", "clear"),
            membrane_readout=target.neuron.membrane_readout or "readout" in kinds,
        )  # fmt: skip
        target = replace(target, neuron=neuron)
    if "delay" in kinds:
        target = replace(target, neuron=replace(target.neuron, delay_max=PLENTY))
    return target
