"""`Program`: a network on the cores of one target. It is all a simulator sees.

One tick of a neuron, in this order (design law; every simulator implements this and nothing else):

1. integrate: V += sum over planes p of scale[p, j] * (the values of the axons in bits[p, j], added up)
2. leak:      V += leak
3. fire:      spike if V >= threshold
4. reset:     MEMORYLESS, GRADED: V = 0 after every tick. On a spike: ZERO: V = 0; SUBTRACT: V -= threshold; NONE: V stays
5. floor:     where V < floor: V = floor (SATURATE) or V = 0 (CLEAR)

A spike of tick t arrives on its axons in tick t + delay, delay >= 1. A line (an input from outside) that is
active in tick t arrives in tick t + delay, delay >= 0. The value of an axon is 1 in a tick in which something arrives,
else 0: two arrivals in one tick count once.

Spikes that carry numbers: the spike of a GRADED neuron gives its axons the value V, as it was after step 2. Its threshold
is 1 or more, so the number is; its axons hear nothing else, and hear it by one route; and GRADED neurons do not hear each
other in a ring, so every number has a bound, which must fit 31 bits (`spikebnn.payload`). All else is as for other
spikes: whatever it carries, it is one spike, one axon event, and one synaptic event for each synapse on the axon.

A frame f is presented from tick f * period on. A neuron's window for frame f is the `period` ticks from
f * period + start on; spikes and synaptic events are counted in windows, which is steady-state operation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from spikebnn.arrays import I32, U8
from spikebnn.threshold import Encoder, Readout

MEMORYLESS, ZERO, SUBTRACT, NONE, GRADED = range(5)
FORGETS = (MEMORYLESS, GRADED)  # resets after which V is 0, spike or not
SATURATE, CLEAR = range(2)
NO_FLOOR = -(2**31)
AUXILIARY = -1  # layer or unit of a neuron that is no neuron of the network (a partial sum, a relay)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """Binary synapses of the axons start..stop-1; each set bit adds `scale` of its neuron."""

    start: int
    stop: int
    scale: I32  # (neurons,)
    bits: U8  # (neurons, ceil((stop - start) / 8)), little bit order, padded with zeros


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Core:
    """One core: its place, its synapses as bit planes, and its neurons' parameters."""

    chip: int
    x: int
    y: int
    axons: int
    planes: tuple[Plane, ...]
    threshold: I32  # (neurons,)
    leak: I32  # (neurons,)
    reset: U8  # (neurons,); MEMORYLESS, ZERO, SUBTRACT, NONE, GRADED
    floor: I32  # (neurons,); NO_FLOOR or a value <= 0
    floor_mode: U8  # (neurons,); SATURATE or CLEAR
    start: I32  # (neurons,); first tick of frame 0's window
    layer: I32  # (neurons,); index into Program.layers
    unit: I32  # (neurons,); neuron of that layer, or AUXILIARY

    @property
    def neurons(self) -> int:
        return len(self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramLayer:
    """Name and role of a group of neurons, for reports: role "whole", "partial", "aggregate", "copy", "readout", "relay",
    or "merged": no neurons, its bits are axons that several neurons of the layer before feed."""

    name: str
    role: str
    neurons: int  # logical neurons, before copies


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """Cores, routes and lines; plus what is needed to feed it and to read its answer.

    Neurons are numbered through all cores in order: neuron n of core c is first[c] + n.
    sum[k] = base[k] + the values of its outputs rows: with readout "spikes" the spikes counted in the
    neuron's window, with "membrane" its V after step 2 of the window's first tick.
    Witness arrays (what the original shows) stay in the ThresholdNetwork.
    """

    cores: tuple[Core, ...]
    routes: I32  # (routes, 5): core, neuron, core, axon, delay
    lines: I32  # (rows, 4): line, core, axon, delay
    inputs: int  # lines 0..inputs-1 carry the input bits; later lines are controls
    controls: I32  # (rows, 2): line, tick within the frame period at which it is active
    period: int  # ticks from one frame to the next
    latency: int  # ticks from a frame's presentation until its sums are complete
    readout: str  # "spikes" or "membrane"
    outputs: I32  # (rows, 3): sum, core, neuron
    base: I32  # (sums,)
    encoder: Encoder
    decoder: Readout  # its `synapses` are empty here
    layers: tuple[ProgramLayer, ...]
    target: str
    header: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # digests, recipe, versions, costs

    @property
    def first(self) -> tuple[int, ...]:
        """Number of each core's first neuron; one more entry with the number of all neurons."""
        out = [0]
        for core in self.cores:
            out.append(out[-1] + core.neurons)
        return tuple(out)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program to one file, whole or not at all; see `spikebnn.sbnn.save`."""
        from spikebnn.sbnn import save

        save(self, path)
