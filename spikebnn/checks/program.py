"""The strangers that check a program: every limit of the target, recomputed from planes and routes alone."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, Array, unpack_bits
from spikebnn.checks.equivalent import check_equivalent
from spikebnn.checks.forms import in_order
from spikebnn.errors import CheckError
from spikebnn.program import (
    CLEAR,
    FORGETS,
    GRADED,
    MEMORYLESS,
    NO_FLOOR,
    NONE,
    SATURATE,
    SUBTRACT,
    ZERO,
    Core,
    Program,
)
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork

__all__ = ["check_emit", "check_equivalent", "check_program"]

_RESETS = {MEMORYLESS: "memoryless", ZERO: "zero", SUBTRACT: "subtract", NONE: "none", GRADED: "memoryless"}
_FLOORS = {SATURATE: "saturate", CLEAR: "clear"}


def check_emit(program: Program, network: ThresholdNetwork, target: Target, *, approximate: bool = False) -> None:
    """Raise CheckError where the program breaks a limit or is not the network; see `check_equivalent`."""
    check_program(program, target)
    check_equivalent(program, network, approximate=approximate)


def check_program(program: Program, target: Target) -> None:
    """Raise CheckError where the program breaks any limit of the target; shares no code with its makers."""
    _grid(program, target)
    _wiring(program, target)
    late = _late(program, target)
    membranes = np.array([], np.int64)
    first = np.array(program.first, np.int64)
    if program.readout == "membrane":
        membranes = np.unique(first[program.outputs[:, 1]] + program.outputs[:, 2])
    tables: dict[int, I64] = {}
    for number, core in enumerate(program.cores):
        where, weight = f"core {number}", _weights(core)
        _size(core, weight, where, target)
        if target.synapse.format == "crossbar":
            _types(core, where, target)
        elif target.core.synapse_bits is not None:
            bits = _memory(core, weight, late[number], target, tables)
            _claim(bits <= target.core.synapse_bits, f"{where} takes {bits} synapse bits of {target.core.synapse_bits}")
        _numbers(core, where, np.isin(first[number] + np.arange(core.neurons), membranes), target)
    _membranes(program, target)


def _claim(true: bool | np.bool_, wrong: str) -> None:
    if not true:
        raise CheckError(f"the program is wrong: {wrong}. This is a bug in spikebnn; please report it.")


def _weights(core: Core) -> Array:
    """Summed synapses (neurons, axons)."""
    out = np.zeros((core.neurons, core.axons), np.int32)
    for plane in core.planes:
        _claim(0 <= plane.start < plane.stop <= core.axons, f"a plane covers axons {plane.start} to {plane.stop}")
        bits = unpack_bits(plane.bits, plane.stop - plane.start)
        out[:, plane.start : plane.stop] += bits * plane.scale[:, None]
    return out


def _grid(program: Program, target: Target) -> None:
    t = target.topology
    seen = {(core.chip, core.x, core.y) for core in program.cores}
    _claim(len(seen) == len(program.cores), "two cores share a place")
    for chip, x, y in seen:
        inside = 0 <= chip < t.chips and 0 <= x < t.width and 0 <= y < t.height and (x, y) not in t.dead_cores
        _claim(inside, f"core ({x}, {y}) of chip {chip} is not usable")
    if t.reach is None or not len(program.routes):
        return
    at = np.array([(core.chip * t.width + core.x, core.y) for core in program.cores])
    hop = np.abs(at[program.routes[:, 0]] - at[program.routes[:, 2]]).max(axis=0)
    _claim((hop <= t.reach).all(), f"a packet goes {hop.tolist()} cores and reaches {t.reach}")


def _wiring(program: Program, target: Target) -> None:
    """Routes and lines end on axons that exist, which have one source, or neurons that they merge; fan-out limits hold."""
    axons = np.array([core.axons for core in program.cores], np.int64)
    neurons = np.array([core.neurons for core in program.cores], np.int64)
    source, neuron, reader, axon, delay = program.routes.astype(np.int64).T
    count = len(axons)
    inside = (source >= 0) & (source < count) & (reader >= 0) & (reader < count)
    _claim(inside.all(), "a route names a core that is not")
    _claim((neuron < neurons[source]).all() and (axon < axons[reader]).all(), "a route names a neuron or axon that is not")
    low, high = target.neuron.delay_min, target.neuron.delay_max
    _claim(((low <= delay) & (delay <= high)).all(), f"a delay is outside {low} to {high}")
    line, core, at, wait = program.lines.astype(np.int64).T
    _claim((core < count).all() and (at < axons[core]).all() and (wait >= 0).all(), "a line ends on no axon")
    known = np.concatenate([np.arange(program.inputs), program.controls[:, 0]])
    _claim(np.isin(line, known).all(), "a line is neither an input nor a control")
    base = np.concatenate([[0], np.cumsum(axons)])
    routed, outside = base[reader] + axon, (base[core] + at)[line < program.inputs]
    control = np.unique((base[core] + at)[line >= program.inputs])
    fed = np.bincount(np.concatenate([outside, control]).astype(np.int64), minlength=int(base[-1]))
    heard = np.bincount(routed, minlength=int(base[-1]))
    _claim((fed <= 1).all() and ((fed == 1) != (heard > 0)).all(), "an axon has no source, or neurons and another one")
    if not target.core.axon_merges:
        most = heard.max(initial=0)
        _claim(most <= 1, f"an axon hears {most} neurons, but each counts for itself on {target.name}")
    column = np.concatenate([[0], np.cumsum(neurons)])[source] + neuron
    if target.fan.axons_per_neuron is not None:
        most = np.bincount(column).max(initial=0)
        _claim(most <= target.fan.axons_per_neuron, f"a neuron feeds {most} axons")
    edges = np.unique(np.stack([column, reader]), axis=1)
    if target.fan.cores_per_neuron is not None:
        most = np.bincount(edges[0]).max(initial=0)
        _claim(most <= target.fan.cores_per_neuron, f"a neuron reaches {most} cores")
    if target.core.output_edges is not None:
        owner = np.repeat(np.arange(count), neurons)[edges[0]]
        most = np.bincount(owner).max(initial=0)
        _claim(most <= target.core.output_edges, f"a core has {most} outgoing edges")
    for k, c, n in program.outputs.tolist():
        _claim(0 <= k < len(program.base) and 0 <= c < count and 0 <= n < neurons[c], "an output names no neuron")


def _late(program: Program, target: Target) -> list[Array]:
    """Per core, whether the delay of an axon is not the shortest."""
    late = [np.zeros(core.axons, bool) for core in program.cores]
    odd = program.routes[program.routes[:, 4] != target.neuron.delay_min]
    for number in np.unique(odd[:, 2]).tolist():
        late[number][odd[odd[:, 2] == number, 3]] = True
    return late


def _size(core: Core, weight: Array, where: str, target: Target) -> None:
    cells = int(np.where(core.reset == SUBTRACT, target.core.neurons_per_subtract, 1).sum())
    _claim(cells <= target.core.neurons, f"{where} holds {cells} neurons of {target.core.neurons}")
    _claim(core.axons <= target.core.axons, f"{where} has {core.axons} axons of {target.core.axons}")
    if target.fan.fan_in is not None:
        most = int((weight != 0).sum(axis=1).max(initial=0))
        _claim(most <= target.fan.fan_in, f"{where} has a neuron with {most} synapses of {target.fan.fan_in}")
    least, most = target.synapse.weight_min, target.synapse.weight_max
    _claim(weight.min(initial=0) >= least and weight.max(initial=0) <= most, f"{where} has weights outside {least} to {most}")


def _types(core: Core, where: str, target: Target) -> None:
    """Every axon has one type; a type is one weight per neuron."""
    kinds: dict[bytes, int] = {}
    owner = np.full(core.axons, -1)
    for plane in core.planes:
        kind = kinds.setdefault(plane.scale.tobytes(), len(kinds))
        span = owner[plane.start : plane.stop]
        _claim(((span == -1) | (span == kind)).all(), f"{where} has an axon of two types")
        span[:] = kind
    most = target.synapse.axon_types or 0
    _claim(len(kinds) <= most, f"{where} has {len(kinds)} axon types of {most}")


def _memory(core: Core, weight: Array, late: Array, target: Target, tables: dict[int, I64]) -> int:
    """Bits of all lists: per axon the shorter of one dense run, first to last neuron, and an indexed list."""
    rule = target.synapse
    on = weight != 0
    count = on.sum(axis=0)
    most = target.core.neurons
    run = np.where(count, core.neurons - on[::-1].argmax(axis=0) - on.argmax(axis=0), 0)
    magnitude = np.abs(weight).max(axis=0, initial=0)
    extra = np.where(magnitude > 1, np.floor(np.log2(np.maximum(magnitude, 1))), 0).astype(int)
    each = rule.weight_bits + extra + np.where(late, rule.delay_bits, 0)
    index = [b for b in rule.index_bits if b and 2**b >= target.core.neurons]
    bits = 0
    for size in np.unique(each).tolist():
        mine = each == size
        sizes = [size, size + min(index)] if index else [size]
        for wide in sizes:
            if wide not in tables:
                tables[wide] = _blocks(wide, most, target)
        dense = tables[size][run[mine]]
        bits += int((np.minimum(dense, tables[sizes[1]][count[mine]]) if index else dense).sum())
    return bits


def _blocks(each: int, most: int, target: Target) -> I64:
    """Fewest bits for 0..most synapses of `each` bits in blocks of whole words."""
    rule = target.synapse
    out = [0]
    for n in range(1, most + 1):
        ways = []
        for size in range(1, min(n, rule.block) + 1):
            words = -(-(size * each + rule.block_overhead_bits) // rule.word_bits)
            ways.append(out[n - size] + words * rule.word_bits)
        out.append(min(ways))
    return np.array(out)


def _numbers(core: Core, where: str, membrane: Array, target: Target) -> None:
    """Resets, thresholds, biases and floors; `membrane` (neurons,) marks neurons whose V is read."""
    rule, leak, threshold = target.neuron, core.leak, core.threshold
    for reset in np.unique(core.reset).tolist():
        _claim(_RESETS[reset] in rule.resets, f"{where} has the reset {_RESETS[reset]}")
    forgets = np.isin(core.reset, FORGETS) & ~membrane
    _each(~forgets | (threshold == 1), threshold, where, "is memoryless and has the threshold")
    _each(~forgets | ((rule.bias_min <= leak) & (leak <= rule.bias_max)), leak, where, "has the bias")
    _each(forgets | (leak == 0), leak, where, "has a leak of")
    inside = (rule.threshold_min <= threshold) & (threshold <= rule.threshold_max)
    _each(forgets | inside, threshold, where, "has the threshold")
    for mode in np.unique(core.floor_mode[core.floor != NO_FLOOR]).tolist():
        _claim(_FLOORS[mode] in rule.floors, f"{where} has the floor {_FLOORS[mode]}")


def _each(fine: Array, value: Array, where: str, what: str) -> None:
    n = int(fine.argmin()) if len(fine) else 0
    _claim(fine.all(), f"neuron {n} of {where} {what} {value[n] if len(value) else 0}")


def _membranes(program: Program, target: Target) -> None:
    """V stays inside its bits for all counts and numbers that the sources can send in one frame, and so do the numbers."""
    first = np.cumsum([0, *(core.axons for core in program.cores)])
    neuron = np.array(program.first, np.int64)
    most = np.zeros(int(first[-1]), np.int64)
    ticks = program.encoder.ticks if program.encoder.kind == "burst" else 1
    line, core_of, axon, _ = program.lines.astype(np.int64).T
    np.add.at(most, first[core_of] + axon, np.where(line < program.inputs, ticks, 1))
    often = most > 1  # whether it may be active in several ticks, and not once with a number
    largest = 2 ** (target.neuron.graded_bits or 0) - 1
    source = neuron[program.routes[:, 0].astype(np.int64)] + program.routes[:, 1]
    into = first[program.routes[:, 2].astype(np.int64)] + program.routes[:, 3]
    order = np.argsort(source, kind="stable")
    source, into = source[order], into[order]
    bound = 2 ** (target.neuron.v_bits - 1)
    edges = np.searchsorted(source, neuron)
    awaited = np.bincount(into, minlength=len(most))
    known = awaited == 0
    todo = [(k, np.flatnonzero(core.start == start)) for start, k in in_order(program) for core in [program.cores[k]]]
    while todo:  # a neuron waits until the counts of all its axons are known
        left = []
        for k, some in todo:
            core, span = program.cores[k], slice(int(first[k]), int(first[k + 1]))
            wait = np.zeros(len(some), bool)
            if not known[span].all():
                wait = _hears(core, some, ~known[span])
            if wait.any():
                left.append((k, some[wait]))
                some = some[~wait]
            low, high = _reached(core, some, most[span])
            _claim((-bound <= low).all() and (high < bound).all(), f"V of core {k} can leave {target.neuron.v_bits} bits")
            spikes = np.where(core.reset[some] == SUBTRACT, high // np.maximum(core.threshold[some], 1), 1)
            if often[span].any():  # a memoryless neuron repeats a burst
                spikes = np.where(core.reset[some] == MEMORYLESS, high, spikes)
            graded = core.reset[some] == GRADED
            _claim(not (high[graded] > largest).any(), f"a spike of core {k} can carry more than {largest}")
            said, again = np.full(core.neurons, -1, np.int64), np.zeros(core.neurons, bool)
            said[some], again[some] = np.where(graded, high, spikes), spikes > 1
            rows = slice(int(edges[k]), int(edges[k + 1]))
            now = said[source[rows] - neuron[k]]
            goal = into[rows][now >= 0]
            np.maximum.at(most, goal, now[now >= 0])  # merged axons hear all in one tick: check_equivalent claims it
            often[goal] |= again[source[rows] - neuron[k]][now >= 0]
            np.subtract.at(awaited, goal, 1)
            known[goal] = awaited[goal] == 0
        stuck = sum(len(wait) for _, wait in left) == sum(len(some) for _, some in todo)
        _claim(not stuck, f"core {left[0][0] if left else 0} hears neurons that hear it")
        todo = left


def _hears(core: Core, some: Array, axons: Array) -> Array:
    """Which of the neurons `some` have a synapse on one of the axons (axons,)."""
    out = np.zeros(len(some), bool)
    for plane in core.planes:
        at = np.flatnonzero(axons[plane.start : plane.stop])
        if len(at):
            hit = unpack_bits(plane.bits[some], plane.stop - plane.start)[:, at].any(axis=1)
            out |= hit & (plane.scale[some] != 0)
    return out


def _reached(core: Core, mine: Array, most: I64) -> tuple[I64, I64]:
    """The smallest and largest V of the neurons `mine` in a frame whose axons are active `most` (axons,) times at most."""
    low, high = np.minimum(core.leak[mine], 0).astype(np.int64), np.maximum(core.leak[mine], 0).astype(np.int64)
    for plane in core.planes:
        bits = unpack_bits(plane.bits[mine], plane.stop - plane.start)
        times = (bits.astype(np.float64) @ most[plane.start : plane.stop].astype(np.float64))
        low += np.minimum(plane.scale[mine], 0) * np.rint(times).astype(np.int64)
        high += np.maximum(plane.scale[mine], 0) * np.rint(times).astype(np.int64)
    return low, high
