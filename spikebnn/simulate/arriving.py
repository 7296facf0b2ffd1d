"""What arrives on each axon and with which weights, and whether frames stream through a program, one a tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, Array, unpack_bits
from spikebnn.program import FORGETS, Core, Program
from spikebnn.simulate.wiring import Wiring


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fed:
    """Sources by axon: entry k of axon a stands at first[a] <= k < first[a + 1]; key tells equal source sets."""

    first: I64  # (axons + 1,)
    row: I64
    delay: I64
    key: I64  # (axons,); -1 where nothing arrives


def streaming(program: Program, wiring: Wiring) -> bool:
    """True where one frame a tick passes through and each neuron sees one frame at a time, so that ticks need not be run.

    That is: period 1, all neurons memoryless, and what arrives on an axon belongs to the frame whose window
    it falls into. Control lines are on in every tick and fit every frame.
    """
    memoryless = all(np.isin(core.reset, FORGETS).all() for core in program.cores)
    if program.period != 1 or not memoryless or program.encoder.ticks != 1:
        return False
    axon, row, delay = _arrivals(program, wiring)
    steady = np.isin(row - wiring.neurons, program.controls[:, 0])
    if (delay[steady] > wiring.axon_start[axon[steady]]).any():
        return False
    varying = ~np.isin(axon, axon[steady])
    lag = delay + np.where(row < wiring.neurons, wiring.start[np.minimum(row, wiring.neurons - 1)], 0)
    if (lag[varying] != wiring.axon_start[axon[varying]]).any():
        return False
    used = np.zeros(wiring.axons, bool)
    used[axon[varying]] = True
    for number, core in enumerate(program.cores):
        if len(np.unique(core.start)) > 1:
            some = slice(int(wiring.axon_first[number]), int(wiring.axon_first[number + 1]))
            late = core.start[:, None] != wiring.axon_start[some]
            if (late & used[some] & (joined(core))).any():
                return False
    return True


def _arrivals(program: Program, wiring: Wiring) -> tuple[I64, I64, I64]:
    """What arrives where: (axon, row in the ring, delay), lines behind neurons, lines that never pulse left out."""
    alive = (wiring.feeds[:, 0] < program.inputs) | np.isin(wiring.feeds[:, 0], program.controls[:, 0])
    feeds = wiring.feeds[alive] + np.array([wiring.neurons, 0, 0])
    rows = np.unique(np.concatenate([wiring.routes, feeds])[:, [1, 0, 2]], axis=0)
    return rows[:, 0], rows[:, 1], rows[:, 2]


def sources(program: Program, wiring: Wiring, collapsed: bool) -> Fed:
    """What arrives on each axon."""
    axon, row, delay = _arrivals(program, wiring)
    if collapsed:  # a control is on in every tick; what else arrives on its axon changes nothing
        steady = np.isin(axon, axon[np.isin(row - wiring.neurons, program.controls[:, 0])])
        row = np.where(steady, wiring.neurons + wiring.lines, row)
        axon, row = np.unique(np.stack([axon, row], axis=1), axis=0).T
        delay = np.zeros_like(row)
    first = np.searchsorted(axon, np.arange(wiring.axons + 1))
    number = np.diff(first)
    key = np.full(wiring.axons, -1, np.int64)
    code = row * (int(delay.max(initial=0)) + 1) + delay
    one = number == 1
    key[one] = code[first[:-1][one]]
    seen: dict[bytes, int] = {}
    top = int(code.max(initial=0)) + 1
    for a in np.flatnonzero(number > 1).tolist():
        key[a] = top + seen.setdefault(code[first[a] : first[a + 1]].tobytes(), len(seen))
    return Fed(first=first.astype(np.int64), row=row, delay=delay, key=key)


def weights(core: Core) -> I64:
    """Weights (neurons, axons): every set bit of a plane adds its neuron's scale."""
    total = np.zeros((core.neurons, core.axons), np.int64)
    for plane in core.planes:
        total[:, plane.start : plane.stop] += unpack_bits(plane.bits, plane.stop - plane.start) * plane.scale[
            :, None
        ].astype(np.int64)
    return total


def joined(core: Core) -> Array:
    """Where there is a synapse, in any plane: (neurons, axons)."""
    out = np.zeros((core.neurons, core.axons), bool)
    for plane in core.planes:
        out[:, plane.start : plane.stop] |= unpack_bits(plane.bits, plane.stop - plane.start) == 1
    return out


def heard(reached: Array, which: Array, inputs: int) -> Array:
    """Where neurons hear inputs, (neurons, inputs); axon a of `reached` (neurons, axons) is input which[a]."""
    out = np.zeros((len(reached), inputs), bool)
    neuron, axon = np.nonzero(reached)
    out[neuron, which[axon]] = True
    return out
