"""A program as Lava's own Dense, Sparse and LIFReset processes: what they must hold, or why they cannot.

A LIFReset that resets in every step is a memoryless neuron. It fires at u + bias > vth with one vth for all, so the
threshold goes into the bias: with weights of 2 w (mixed weights lose their lowest bit) and the odd bias
1 - 2 t, where t = threshold - leak, it fires exactly at sum >= t. In fixed point the weight exponent -1 and
the bias exponent 5 scale both alike, in floating point both are ignored, so either model is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.errors import InputError
from spikebnn.lava.feed import complete
from spikebnn.lava.ports import Ports, described
from spikebnn.program import FORGETS, Program
from spikebnn.program import GRADED as SENDS_NUMBERS
from spikebnn.simulate.arriving import weights
from spikebnn.simulate.wiring import Wiring, line_count, wire

WEIGHT = 127  # of 2 w in 8 bits and a sign
MANTISSA = -4096, 4095  # 13 bits and a sign, of the bias
SUM = 2**17 - 1  # 64 times the sum in the current's 23 bits and a sign
GRADED = 255  # weights of one sign, unscaled
WHOLE = "; the model of one process (PyMappedNetModel) takes any program"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Neurons that become one LIFReset."""

    name: str
    neurons: I64  # (neurons,); numbers through all cores
    bias: I64  # (neurons,); 1 - 2 t


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Link:
    """Synapses from the lines (source -1) or a group to a group, no pair of ends twice."""

    source: int
    goal: int
    rows: I64  # places in the goal group
    columns: I64  # places in the source group, or lines
    weight: I64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ordinary:
    """Groups; the last is what s_out shows. `read` links give the sums where the program reads membranes."""

    groups: tuple[Group, ...]
    links: tuple[Link, ...]
    read: tuple[Link, ...]  # goal -1: rows are sums
    constant: I64  # (sums,); to be added to what `read` gives


def check_ordinary(program: Program, batch: int = 1) -> None:
    """Raise InputError, with every reason, where the model made of Dense, Sparse and LIFReset cannot take a program."""
    ordinary(described(program, batch, None, "inside"))


def ordinary(ports: Ports) -> Ordinary:
    """What the processes hold, or InputError with every reason why not."""
    program, w = ports.program, wire(ports.program)
    reasons = _reasons(ports)
    always = _always(ports)
    source, more = _sources(ports, w, always)
    if reasons + more:
        raise _refused(reasons + more)
    groups = _groups(ports)
    place = np.zeros(w.neurons + w.lines, np.int64)  # of a neuron in its group; a line's is its number
    owner = np.full(w.neurons + w.lines, -1, np.int64)
    for number, (_, neurons) in enumerate(groups):
        place[neurons], owner[neurons] = np.arange(len(neurons)), number
    place[w.neurons :] = np.arange(w.lines)
    goal, start, weight, steady = _synapses(program, w, source)
    high = np.bincount(goal, np.maximum(weight, 0), w.neurons).astype(np.int64)
    low = np.bincount(goal, np.minimum(weight, 0), w.neurons).astype(np.int64)
    threshold = (
        np.concatenate([core.threshold.astype(np.int64) - core.leak for core in program.cores]) - steady
    )
    bias = 1 - 2 * np.clip(threshold, low, high + 1)  # what no sum reaches needs no larger bias
    reasons = []
    worst = int(np.abs(weight).max(initial=0))
    if worst > WEIGHT:
        reasons.append(f"a weight of {worst} where {WEIGHT} is the largest that its 8 bits hold when doubled")
    for name, value, (least, most) in (
        ("a bias mantissa", bias, MANTISSA),
        ("a sum", np.concatenate([low, high]), (-SUM, SUM)),
    ):
        wrong = value[(value < least) | (value > most)]
        if len(wrong):
            reasons.append(f"{name} of {wrong[np.abs(wrong).argmax()]} where {least} to {most} is held")
    if reasons:
        raise _refused(reasons)
    read, constant = _read(ports, w, (goal, start, weight), owner, place, steady)
    return Ordinary(
        groups=tuple(Group(name=name, neurons=some, bias=bias[some]) for name, some in groups),
        links=_links(goal, start, weight, owner, place, len(groups)),
        read=read,
        constant=constant,
    )


def _refused(reasons: list[str]) -> InputError:
    return InputError(
        f"this program cannot be made of Dense, Sparse and LIFReset: {'; '.join(reasons)}{WHOLE}"
    )


def _reasons(ports: Ports) -> list[str]:
    """What can be said before anything is computed."""
    program, out = ports.program, []
    if ports.batch > 1:
        out.append(f"batch is {ports.batch}, and Dense takes one copy")
    keeping = sum(int((~np.isin(core.reset, FORGETS)).sum()) for core in program.cores)
    if graded := sum(int((core.reset == SENDS_NUMBERS).sum()) for core in program.cores):
        out.append(f"{graded} of {program.first[-1]} neurons send numbers, and LIFReset sends bits")
    if keeping:
        out.append(
            f"{keeping} of {program.first[-1]} neurons keep their membrane, and LIFReset forgets it in every step"
        )
    if not len(ports.outputs):
        out.append("no neuron is an output")
    late = program.routes[program.routes[:, 4] != 1]
    if len(late):
        out.append(f"{len(late)} routes have delays up to {late[:, 4].max()}, and Dense delays by 1")
    late = program.lines[(program.lines[:, 3] != 0) & (program.lines[:, 0] < ports.inputs)]
    if len(late):
        out.append(
            f"{len(late)} rows of lines have delays up to {late[:, 3].max()}, and a line into a Dense has none"
        )
    return out


def _always(ports: Ports) -> Array:
    """Which lines are on in every tick without being fed; others that pulse inside are refused in `_sources`."""
    program = ports.program
    out = np.zeros(line_count(program), bool)
    if ports.inside:
        pulses = np.unique(
            np.stack([program.controls[:, 0], program.controls[:, 1] % program.period]), axis=1
        )
        number = np.bincount(pulses[0], minlength=len(out))
        out[: len(number)] = number == program.period
    return out


def _sources(ports: Ports, w: Wiring, always: Array) -> tuple[Array, list[str]]:
    """The one source of each axon (a neuron, neurons + a line, -1 for none, -2 where it is on in every tick)."""
    program, reasons = ports.program, []
    live = np.zeros(w.lines, bool)
    live[: ports.inputs] = True
    if ports.inside:
        pulsing = np.unique(program.controls[:, 0])
        now_and_then = [line for line in pulsing.tolist() if not always[line]]
        late = (w.feeds[:, 2] > 0) & always[w.feeds[:, 0]]
        if now_and_then:
            reasons.append(
                f"{len(now_and_then)} control lines pulse in some ticks only, and nothing in Lava would pulse them"
            )
        if late.any():
            reasons.append("a control line that is always on has a delay, so the first ticks differ")
    rows = np.concatenate([w.routes[:, :2], (w.feeds[:, :2] + np.array([w.neurons, 0]))[live[w.feeds[:, 0]]]])
    rows = np.unique(rows[:, ::-1], axis=0)  # axon, source
    out = np.full(w.axons, -1, np.int64)
    out[rows[:, 0]] = rows[:, 1]
    steady = w.feeds[always[w.feeds[:, 0]], 1]
    several = np.flatnonzero(np.bincount(rows[:, 0], minlength=w.axons) > 1)
    several = np.setdiff1d(several, steady)
    if len(several):
        reasons.append(f"{len(several)} axons hear several sources as one bit, and Dense would add them")
    out[steady] = -2
    return out, reasons


def _groups(ports: Ports) -> list[tuple[str, Array]]:
    """One group for each layer, without the output neurons, which come last in their own order."""
    program = ports.program
    layer = np.concatenate([core.layer for core in program.cores])
    layer[ports.outputs] = -1
    inner = [
        (program.layers[k].name, np.flatnonzero(layer == k)) for k in np.unique(layer[layer >= 0]).tolist()
    ]
    return [*inner, ("out", ports.outputs)]


def _synapses(program: Program, w: Wiring, source: Array) -> tuple[Array, Array, Array, Array]:
    """(goal neuron, source, weight) of each pair once, and what axons that are always on add to each neuron."""
    parts, steady = [np.zeros((3, 0), np.int64)], np.zeros(w.neurons, np.int64)
    for number, core in enumerate(program.cores):
        some = slice(int(w.axon_first[number]), int(w.axon_first[number + 1]))
        matrix, own = weights(core), source[some]
        first = int(w.neuron_first[number])
        steady[first : first + core.neurons] = matrix[:, own == -2].sum(axis=1)
        row, axon = np.nonzero(matrix[:, own >= 0])
        heard = np.flatnonzero(own >= 0)[axon]
        parts.append(np.stack([first + row, own[heard], matrix[row, heard]]))
    goal, start, weight = np.concatenate(parts, axis=1)
    pair, inverse = np.unique(goal * (w.neurons + w.lines) + start, return_inverse=True)
    total = np.bincount(inverse.ravel(), weight, len(pair)).astype(np.int64)
    return pair // (w.neurons + w.lines), pair % (w.neurons + w.lines), total, steady


def _links(
    goal: Array, start: Array, weight: Array, owner: Array, place: Array, groups: int
) -> tuple[Link, ...]:
    out = []
    kind = owner[goal] * (groups + 1) + owner[start] + 1
    for value in np.unique(kind).tolist():
        here = kind == value
        to, by = divmod(value, groups + 1)
        rows, columns = place[goal[here]], place[start[here]]
        out.append(Link(source=by - 1, goal=to, rows=rows, columns=columns, weight=weight[here]))
    return tuple(out)


def _read(
    ports: Ports, w: Wiring, synapses: tuple[Array, Array, Array], owner: Array, place: Array, steady: Array
) -> tuple[tuple[Link, ...], Array]:
    """The sums of a program that reads membranes: base + leak + weights @ spikes, linear, so links of their own."""
    program = ports.program
    constant = program.base.astype(np.int64).copy()
    if program.readout != "membrane" or program.period != 1:
        return (), constant
    goal, start, weight = synapses
    rows = program.outputs.astype(np.int64)
    neuron = np.array(program.first, np.int64)[rows[:, 1]] + rows[:, 2]
    leak = np.concatenate([core.leak for core in program.cores]).astype(np.int64) + steady
    np.add.at(constant, rows[:, 0], leak[neuron])
    order = np.argsort(goal, kind="stable")
    first, last = np.searchsorted(goal[order], neuron), np.searchsorted(goal[order], neuron, side="right")
    picked = np.concatenate(
        [np.zeros(0, np.int64), *(order[a:b] for a, b in zip(first.tolist(), last.tolist()))]
    )
    sums = np.repeat(rows[:, 0], last - first)
    key, inverse = np.unique(sums * (w.neurons + w.lines) + start[picked], return_inverse=True)
    total = np.bincount(inverse.ravel(), weight[picked], len(key)).astype(np.int64)
    of, by = key // (w.neurons + w.lines), key % (w.neurons + w.lines)
    links = []
    for group in np.unique(owner[by]).tolist():
        here = owner[by] == group
        links.append(Link(source=group, goal=-1, rows=of[here], columns=place[by[here]], weight=total[here]))
    starts = {int(program.cores[core].start[n]) for core, n in rows[:, 1:].tolist()}
    single = len(starts) == 1 and complete(program) == min(starts) + 1
    return tuple(links) if single else (), constant
