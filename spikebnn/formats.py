"""In which format synapses are stored: a crossbar's bits, dense runs, or lists with an index per synapse."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import Array, unpack_bits
from spikebnn.interval import Interval
from spikebnn.partition.memory import index_bits, run_bits, weight_bits
from spikebnn.program import Core, Program
from spikebnn.run import Counts
from spikebnn.targets.target import SynapseRule, Target


def connected(core: Core) -> Array:
    """Which neuron has a synapse on which axon, (neurons, axons), in however many planes."""
    joined = np.zeros((core.neurons, core.axons), bool)
    for plane in core.planes:
        joined[:, plane.start : plane.stop] |= unpack_bits(plane.bits, plane.stop - plane.start).astype(bool)
    return joined


def list_bits(core: Core, rule: SynapseRule, joined: Array) -> tuple[Array, Array]:
    """Bits of each axon's synapses, (axons,), and whether they are an indexed list; the shorter way is taken.

    A dense run stores a weight for every neuron from the first with a synapse to the last, an indexed list the
    synapses alone with a number each. Axons with a longer delay take `delay_bits` more per synapse, left out here.
    """
    count = joined.sum(axis=0)
    span = np.where(count, core.neurons - joined[::-1].argmax(axis=0) - joined.argmax(axis=0), 0)
    each = weight_bits(rule, _largest(core))
    dense = run_bits(rule, each, core.neurons)[span]
    index = index_bits(rule, core.neurons)
    if index is None:
        return dense, np.zeros(core.axons, bool)
    listed = run_bits(rule, each + index, core.neurons)[count]
    return np.minimum(dense, listed), listed < dense


def indexed_events(counts: Counts, program: Program, target: Target) -> Interval:
    """How many synaptic events came from indexed lists, over all frames.

    Simulators count events per core. Where a core stores both ways the figure lies between none and all of its
    events, and the best guess divides them as its synapses are divided.
    """
    lo = middle = hi = 0.0
    if target.synapse.format != "list":
        return Interval(lo=0.0, v=0.0, hi=0.0)
    for c, core in enumerate(program.cores):
        events = float(counts.synaptic_events[:, c].sum())
        joined = connected(core)
        _, listed = list_bits(core, target.synapse, joined)
        synapses, mine = int(joined.sum()), int(joined[:, listed].sum())
        if not events or not mine:
            continue
        middle, hi = middle + events * mine / synapses, hi + events
        lo += events if mine == synapses else 0.0
    return Interval(lo=lo, v=middle, hi=hi)


def _largest(core: Core) -> int:
    """Largest magnitude of a weight, at most: the planes of one sign over one axon added up."""
    size = np.zeros((2, core.axons), np.int64)
    for plane in core.planes:
        if plane.bits.any():
            size[0, plane.start : plane.stop] += int(plane.scale.max(initial=0))
            size[1, plane.start : plane.stop] -= int(plane.scale.min(initial=0))
    return int(size.max(initial=0))
