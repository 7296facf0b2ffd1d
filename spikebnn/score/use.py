"""How much of the cores a program uses: neurons, axons, synapses, memory, bytes, and the network's own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.formats import connected, list_bits
from spikebnn.program import AUXILIARY, SUBTRACT, Program
from spikebnn.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much of a resource is used, of how much in the cores in use; None: no limit."""

    used: int
    available: int | None


def use_of(program: Program, target: Target) -> dict[str, Use]:
    """Each resource: used, and available in the cores in use (for cores: on all chips a mapping may take)."""
    top, limits, cores = target.topology, target.core, program.cores
    count = len(cores)
    subtracting = sum(int((core.reset == SUBTRACT).sum()) for core in cores)
    neurons = sum(core.neurons for core in cores) + subtracting * (limits.neurons_per_subtract - 1)
    crosspoints = count * limits.neurons * limits.axons if target.synapse.format == "crossbar" else None
    return {
        "cores": Use(used=count, available=top.chips * (top.width * top.height - len(top.dead_cores))),
        "neurons": Use(used=neurons, available=count * limits.neurons),
        "axons": Use(used=sum(core.axons for core in cores), available=count * limits.axons),
        "synapses": Use(used=sum(int(connected(core).sum()) for core in cores), available=crosspoints),
        **_memory(program, target),
    }


def _memory(program: Program, target: Target) -> dict[str, Use]:
    """Bits of synapse memory, where synapses are lists: per axon a dense run or an indexed list, whichever is shorter.

    Lists on axons with a longer delay take `delay_bits` more per synapse; that is left out here.
    """
    rule = target.synapse
    if rule.format != "list" or target.core.synapse_bits is None:
        return {}
    used = sum(int(list_bits(core, rule, connected(core))[0].sum()) for core in program.cores)
    return {"synapse bits": Use(used=used, available=len(program.cores) * target.core.synapse_bits)}


def macs(program: Program) -> int:
    """Synapses of the network itself: copies and thermometer rows of one unit count once, relays and sums not at all."""
    partial = np.array([layer.role == "partial" for layer in program.layers], bool)
    own = np.array([layer.role in ("whole", "readout") for layer in program.layers], bool)
    summed, keys, sizes = 0, [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for core in program.cores:
        synapses = connected(core).sum(axis=1, dtype=np.int64)
        layered = (core.layer >= 0) & (core.layer < len(program.layers))
        layer = np.where(layered, core.layer, 0)
        summed += int(synapses[layered & partial[layer]].sum())
        mine = layered & own[layer] & (core.unit != AUXILIARY)
        keys.append(core.layer[mine].astype(np.int64) << 32 | core.unit[mine].astype(np.int64))
        sizes.append(synapses[mine])
    units, index = np.unique(np.concatenate(keys), return_inverse=True)
    largest = np.zeros(len(units), np.int64)
    np.maximum.at(largest, index, np.concatenate(sizes))
    return summed + int(largest.sum())


def footprint(program: Program) -> int:
    """Bytes of synapse planes, weights, neuron parameters, routes and lines, as the program file holds them."""
    size = program.routes.nbytes + program.lines.nbytes
    for core in program.cores:
        size += sum(plane.bits.nbytes + plane.scale.nbytes for plane in core.planes)
        size += (
            core.threshold.nbytes
            + core.leak.nbytes
            + core.reset.nbytes
            + core.floor.nbytes
            + core.floor_mode.nbytes
        )
    return size
