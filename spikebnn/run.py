"""`Run`: what a simulator answered for some frames, and the events it counted on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spikebnn.arrays import F64, I64, U8


class Counts(NamedTuple):
    """Events inside the neurons' windows (see `spikebnn.program`); all simulators count alike.

    A spike belongs to the frame in whose window of its neuron it falls. An axon event, with the synaptic
    events it causes, belongs to the frame in whose window it arrives, that of the earliest neuron the axon
    reaches. A synapse that stands in several planes is one synapse. An active update is a tick of a neuron's window in
    which one or more of its axons is active; simulators of other packages need not count them. A named tuple, as one frame
    takes hardly longer than to make a dataclass.
    """

    spikes: I64  # (frames, cores); emitted by the core's neurons
    axon_events: I64  # (frames, cores); active axons, controls included
    synaptic_events: I64  # (frames, cores); set synapses on active axons
    neuron_spikes: I64  # (neurons,); over all frames, all cores in order
    active_updates: I64 | None = None  # (frames, cores); None where the simulator did not count them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """Answers and counts for `frames` frames."""

    program: str  # digest
    target: str
    simulator: str
    version: str  # of the simulator
    frames: int
    sums: I64  # (frames, sums)
    scores: F64  # (frames, *shape of one output of the network)
    classes: I64  # (frames,); index of the largest score, the lowest on ties
    counts: Counts
    seconds: float  # wall time of the simulation, encoding left out
    raster: U8 | None = None  # (frames, neurons); spikes of each neuron in its window, 255 at most


def joined_updates(parts: Sequence[Counts]) -> I64 | None:
    """The active updates of consecutive blocks of frames; None where one of them did not count."""
    counted = [part.active_updates for part in parts if part.active_updates is not None]
    return np.concatenate(counted) if counted and len(counted) == len(parts) else None
