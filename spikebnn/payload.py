"""What a spike can carry: 1, or the V of a GRADED neuron; how large that can be, and which programs break that law."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, Array, unpack_bits
from spikebnn.errors import InputError
from spikebnn.program import GRADED, Core, Program

LARGEST = 2**31 - 1
EXACT = 2**53  # sums below it are exact wherever they are worked out


def payloads(program: Program) -> I64:
    """The largest number that a spike of each neuron can carry, (neurons,); 1 for neurons that are not GRADED.

    That is leak + all positive weights times what their axons carry at most. Raises InputError where a GRADED neuron
    breaks the law of `spikebnn.program`: threshold, axons, rings, and numbers beyond 31 bits or sums beyond 53.
    """
    first = np.array(program.first, np.int64)
    out = np.ones(int(first[-1]), np.int64)
    graded = np.concatenate([np.zeros(0, bool), *(core.reset == GRADED for core in program.cores)])
    if not graded.any():
        return out
    axons = np.cumsum([0, *(core.axons for core in program.cores)])
    routes, lines = program.routes.astype(np.int64), program.lines.astype(np.int64)
    source, goal = first[routes[:, 0]] + routes[:, 1], axons[routes[:, 2]] + routes[:, 3]
    _alone(program, graded[source], goal, axons[lines[:, 1]] + lines[:, 2])
    worth = np.ones(int(axons[-1]), np.int64)
    known = np.ones(int(axons[-1]), bool)
    known[goal[graded[source]]] = False
    todo = {number: np.flatnonzero(core.reset == GRADED) for number, core in enumerate(program.cores)}
    for number, some in todo.items():
        low = np.flatnonzero(program.cores[number].threshold[some] < 1)
        if len(low):
            raise InputError(
                f"neuron {some[low[0]]} of core {number} sends numbers and has the threshold "
                f"{program.cores[number].threshold[some[low[0]]]}; numbers begin at 1, so must the threshold"
            )
    todo = {number: some for number, some in todo.items() if len(some)}
    while todo:
        left = {}
        for number, some in todo.items():
            own = slice(int(axons[number]), int(axons[number + 1]))
            high, wait = _highest(program.cores[number], some, worth[own], known[own])
            if wait.any():
                left[number] = some[wait]
            if high.max(initial=0) > LARGEST:
                raise InputError(
                    f"neuron {some[high.argmax()]} of core {number} sends numbers up to {high.max()}, and "
                    f"{LARGEST} is the largest that a spike carries"
                )
            out[first[number] + some[~wait]] = np.maximum(high[~wait], 1)
            graded[first[number] + some[~wait]] = False  # no longer unknown
        if sum(map(len, left.values())) == sum(map(len, todo.values())):
            number = min(left)
            raise InputError(
                f"neuron {left[number][0]} of core {number} sends numbers and hears, perhaps through others that do, "
                "itself, so its numbers have no bound; neurons in a ring must send bits"
            )
        known = np.ones(len(known), bool)
        known[goal[graded[source]]] = False
        worth[goal] = out[source]
        todo = left
    for number, core in enumerate(program.cores):
        mine, most = worth[axons[number] : axons[number + 1]], 0
        for plane in core.planes:
            most += int(np.abs(plane.scale).max(initial=0)) * int(mine[plane.start : plane.stop].sum())
        if most >= EXACT:
            raise InputError(
                f"sums of core {number} may reach {most}, and numbers are exact up to {EXACT - 1}"
            )
    return out


def _alone(program: Program, graded: Array, goal: I64, fed: I64) -> None:
    """Raise where an axon that hears a GRADED neuron hears something else too."""
    heard = np.bincount(np.concatenate([goal, fed]), minlength=1)
    wrong = goal[graded & (heard[goal] > 1)]
    if len(wrong):
        edges = np.cumsum([core.axons for core in program.cores])
        core = int(np.searchsorted(edges, wrong[0], side="right"))
        raise InputError(
            f"axon {wrong[0] - edges[core] + program.cores[core].axons} of core {core} hears a neuron that sends "
            f"numbers, and {heard[wrong[0]]} arrivals end there; a number needs an axon of its own"
        )


def _highest(core: Core, some: Array, worth: I64, known: Array) -> tuple[I64, Array]:
    """The largest V of some neurons, and which of them hear an axon whose largest value is not known."""
    weight = np.zeros((len(some), core.axons), np.int64)
    for plane in core.planes:
        bits = unpack_bits(plane.bits[some], plane.stop - plane.start)
        weight[:, plane.start : plane.stop] += bits * plane.scale[some, None].astype(np.int64)
    wait: Array = (weight[:, ~known] != 0).any(axis=1)
    high = core.leak[some].astype(np.float64) + np.maximum(weight, 0).astype(np.float64) @ worth.astype(
        np.float64
    )
    return np.where(wait, 0, np.minimum(high, 2.0**62)).astype(np.int64), wait
