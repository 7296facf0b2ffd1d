"""SANA-FE's network file for a program and some frames: groups, inputs with their spike trains, synapses, mapping.

Written in the line format (`-n`, snn/README.md of SLAM-Lab/SANA-FE @8951ab0), which takes a line per synapse and so
does not need the whole network in memory as YAML does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikebnn.arrays import U8
from spikebnn.exchange.slots import Group, Slots, synapses
from spikebnn.program import CLEAR, MEMORYLESS, NO_FLOOR, NONE, SUBTRACT, Core, Program

LOWEST = -(2**40)  # a reverse threshold that nothing reaches
RESETS = {SUBTRACT: "soft", NONE: "none"}


def network(program: Program, places: Slots, drive: U8) -> Iterator[str]:
    """The lines of net.txt; drive (ticks, lines) is when the program's lines are active, from tick 0 on.

    Tick t is SANA-FE's step t + 2: an input of step s arrives in step s + 1.
    """
    names = neuron_names(program, places)
    for number, group in enumerate(places.groups):
        if group.core is None:
            yield from _input(number, group, places, drive)
        else:
            yield f"# group {number}: {_what(group, program)}\n"
            log = " log_v=1" if group.soma.startswith("read") else ""
            yield f"g {len(group.members)} soma_hw_name={group.soma} dendrite_hw_name={group.dendrite} log_spikes=1{log}\n"
            yield from _neurons(number, group, program)
    inputs = _input_names(places)
    delays = bool((program.routes[:, 4] > 1).any())
    for number, core in enumerate(program.cores):
        yield from _edges(number, core, program, places, names, inputs, delays)
    for number, group in enumerate(places.groups):
        yield from (f"& {number}.{n}@{group.tile}.{group.slot}\n" for n in range(len(group.members)))


def _what(group: Group, program: Program) -> str:
    assert group.core is not None
    core = program.cores[group.core]
    said = "its membranes are read, " if group.soma.startswith("read") else ""
    return f"core {group.core}, chip {core.chip} ({core.x}, {core.y}), {said}neurons from {group.members[0]}"


def neuron_names(program: Program, places: Slots) -> list[str]:
    """Group and offset of every neuron of the program, in its own numbering."""
    out = [""] * program.first[-1]
    for number, group in enumerate(places.groups):
        if group.core is not None:
            for n, member in enumerate(group.members):
                out[member] = f"{number}.{n}"
    return out


def _input_names(places: Slots) -> dict[tuple[int, int, int], str]:
    """Group and offset of the input that stands for (line, delay, tile)."""
    out = {}
    for number, group in enumerate(places.groups):
        if group.core is None:
            line, delay, tile = places.feeds[group.members[0]].tolist()
            out[line, delay, tile] = f"{number}.0"
    return out


def _input(number: int, group: Group, places: Slots, drive: U8) -> Iterator[str]:
    """An input has a unit of its own, which holds its spike train; lists are read in braces only, names outside only."""
    line, delay, _ = places.feeds[group.members[0]].tolist()
    train = ",".join(["0"] * delay + ["1" if bit else "0" for bit in drive[:, line].tolist()])
    yield f"g 1 soma_hw_name={group.soma} dendrite_hw_name={group.dendrite}\nn {number}.0 {{spikes: [{train}]}}\n"


def _neurons(number: int, group: Group, program: Program) -> Iterator[str]:
    assert group.core is not None
    core, first = program.cores[group.core], program.first[group.core]
    for n, member in enumerate(group.members):
        at = member - first
        threshold, bias = int(core.threshold[at]), int(core.leak[at])
        if group.soma.startswith("read"):  # fires above its threshold, not at it
            how = f"threshold={threshold - 0.5} bias={bias} leak_decay=0 input_decay=0 reset_mode=none"
        else:
            how = f"threshold={threshold} bias={bias} leak_towards_zero=0 {_resets(core, at)}"
        yield f"n {number}.{n} {how}\n"


def _resets(core: Core, at: int) -> str:
    """Steps 4 and 5 of the tick law. A memoryless neuron that does not fire is set back from below its threshold."""
    reset, floor, threshold = int(core.reset[at]), int(core.floor[at]), int(core.threshold[at])
    if reset == MEMORYLESS:
        low, mode = threshold - 1, "hard"
    elif floor == NO_FLOOR:
        low, mode = LOWEST, "none"
    elif int(core.floor_mode[at]) == CLEAR:
        low, mode = floor - 1, "hard"
    else:
        low, mode = floor, "saturate"
    return f"reset_mode={RESETS.get(reset, 'hard')} reverse_threshold={float(low)} reverse_reset_mode={mode}"


def _edges(
    number: int,
    core: Core,
    program: Program,
    places: Slots,
    names: list[str],
    inputs: dict[tuple[int, int, int], str],
    delays: bool,
) -> Iterator[str]:
    """A line for each synapse of a core, axon by axon."""
    sources: dict[int, tuple[str, int]] = {}
    routes = program.routes[program.routes[:, 2] == number]
    for home, neuron, _, axon, delay in routes.tolist():
        sources[axon] = names[program.first[home] + neuron], delay
    tile = next((group.tile for group in places.groups if group.core == number), 0)
    for line, _, axon, delay in program.lines[program.lines[:, 1] == number].tolist():
        if (line, delay, tile) in inputs:
            sources[axon] = inputs[line, delay, tile], 1
    weights, there = synapses(core)
    goals = names[program.first[number] : program.first[number] + core.neurons]
    tails = {
        weight: [f"{goal} w={weight}" for goal in goals] for weight in np.unique(weights[there]).tolist()
    }
    for axon, (source, delay) in sorted(sources.items()):
        at = np.flatnonzero(there[axon])
        end = f" d={delay - 1}\n" if delays else "\n"
        yield "".join(
            f"e {source}->{tails[weight][n]}{end}"
            for n, weight in zip(at.tolist(), weights[axon, at].tolist())
        )
