"""The program's cores joined: neurons, axons and routes numbered through, with what counting needs to know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, Array, unpack_bits
from spikebnn.payload import payloads
from spikebnn.program import GRADED, Core, Program


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wiring:
    """Global numbers: neuron n of core c is neuron_first[c] + n, axon a of core c is axon_first[c] + a."""

    neuron_first: I64  # (cores + 1,)
    axon_first: I64  # (cores + 1,)
    lines: int  # inputs and controls
    routes: I64  # (routes, 3): neuron, axon, delay
    feeds: I64  # (rows, 3): line, axon, delay
    start: I64  # (neurons,)
    fanout: I64  # (axons,); neurons that the axon has a synapse on, in however many planes
    axon_start: I64  # (axons,); earliest start among those neurons, or of its core where there are none
    payload: I64  # (neurons,); the largest number that a spike carries, 1 for all but GRADED neurons
    numbers: bool  # whether there are GRADED neurons

    @property
    def neurons(self) -> int:
        return int(self.neuron_first[-1])

    @property
    def axons(self) -> int:
        return int(self.axon_first[-1])

    @property
    def worth(self) -> I64:
        """The largest value of each axon; (axons,)."""
        out = np.ones(self.axons, np.int64)
        out[self.routes[:, 1]] = self.payload[self.routes[:, 0]]
        return out


def wire(program: Program) -> Wiring:
    """Number everything through."""
    cores = program.cores
    neuron_first = np.array(program.first, np.int64)
    axon_first = np.concatenate([[0], np.cumsum([core.axons for core in cores], dtype=np.int64)]).astype(
        np.int64
    )
    routes, lines = program.routes.astype(np.int64), program.lines.astype(np.int64)
    reach = [_reach(core) for core in cores]
    none = np.zeros(0, np.int64)
    return Wiring(
        neuron_first=neuron_first,
        axon_first=axon_first,
        lines=line_count(program),
        routes=np.stack(
            [
                neuron_first[routes[:, 0]] + routes[:, 1],
                axon_first[routes[:, 2]] + routes[:, 3],
                routes[:, 4],
            ],
            axis=1,
        ),
        feeds=np.stack([lines[:, 0], axon_first[lines[:, 1]] + lines[:, 2], lines[:, 3]], axis=1),
        start=np.concatenate([none, *(core.start for core in cores)]),
        fanout=np.concatenate([none, *(fanout for fanout, _ in reach)]),
        axon_start=np.concatenate([none, *(start for _, start in reach)]),
        payload=payloads(program),
        numbers=any(bool((core.reset == GRADED).any()) for core in cores),
    )


def line_count(program: Program) -> int:
    """Lines of a program: the inputs, and as many controls as it names."""
    return max(
        program.inputs, *(int(rows[:, 0].max(initial=-1)) + 1 for rows in (program.lines, program.controls))
    )


def last_tick(program: Program, frames: int) -> int:
    """Ticks until the last window of `frames` frames has ended."""
    start = max((int(core.start.max(initial=0)) for core in program.cores), default=0)
    return start + program.period * frames if frames else 0


def _reach(core: Core) -> tuple[Array, Array]:
    joined = np.zeros((core.neurons, core.axons), bool)
    for plane in core.planes:
        joined[:, plane.start : plane.stop] |= unpack_bits(plane.bits, plane.stop - plane.start).astype(bool)
    never = np.iinfo(np.int64).max
    start = core.start.astype(np.int64)
    earliest = np.where(joined, start[:, None], never).min(axis=0, initial=never)
    unused = int(start.min()) if len(start) else 0
    return joined.sum(axis=0, dtype=np.int64), np.where(earliest == never, unused, earliest)
