"""The strangers that check a program: every limit of the target, recomputed from planes and routes alone."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, Array, unpack_bits
from spikebnn.check_equivalent import check_equivalent
from spikebnn.errors import CheckError
from spikebnn.program import CLEAR, MEMORYLESS, NO_FLOOR, NONE, SATURATE, SUBTRACT, ZERO, Core, Program
from spikebnn.target import Target
from spikebnn.threshold import ThresholdNetwork

__all__ = ["check_emit", "check_equivalent", "check_program"]

_RESETS = {MEMORYLESS: "memoryless", ZERO: "zero", SUBTRACT: "subtract", NONE: "none"}
_FLOORS = {SATURATE: "saturate", CLEAR: "clear"}


def check_emit(program: Program, network: ThresholdNetwork, target: Target) -> None:
    """Raise CheckError where the program breaks a limit or is not the network."""
    check_program(program, target)
    check_equivalent(program, network)


def check_program(program: Program, target: Target) -> None:
    """Raise CheckError where the program breaks any limit of the target; shares no code with its makers."""
    weights = [_weights(core) for core in program.cores]
    _grid(program, target)
    _wiring(program, target)
    late = _late(program, target)
    membranes = {(c, n) for _, c, n in program.outputs.tolist()} if program.readout == "membrane" else set()
    for number, (core, weight) in enumerate(zip(program.cores, weights, strict=True)):
        where = f"core {number}"
        _size(core, weight, where, target)
        if target.synapse.format == "crossbar":
            _types(core, where, target)
        elif target.core.synapse_bits is not None:
            bits = _memory(core, weight, late[number], target)
            _claim(bits <= target.core.synapse_bits, f"{where} takes {bits} synapse bits of {target.core.synapse_bits}")
        _numbers(core, number, membranes, target)
    _membranes(program, weights, target)


def _claim(true: bool | np.bool_, wrong: str) -> None:
    if not true:
        raise CheckError(f"the program is wrong: {wrong}. This is a bug in spikebnn; please report it.")


def _weights(core: Core) -> Array:
    """Summed synapses (neurons, axons)."""
    out = np.zeros((core.neurons, core.axons), np.int32)
    for plane in core.planes:
        _claim(0 <= plane.start < plane.stop <= core.axons, f"a plane covers axons {plane.start} to {plane.stop}")
        bits = unpack_bits(plane.bits, plane.stop - plane.start).astype(bool)
        out[:, plane.start : plane.stop] += np.where(bits, plane.scale[:, None], 0)
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
    """Routes and lines end on axons that exist, each axon has one source, and fan-out limits hold."""
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
    fed = np.bincount(np.concatenate([routed, outside, control]).astype(np.int64), minlength=int(base[-1]))
    _claim((fed == 1).all(), "an axon has no source or more than one")
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
    """Per core, the axons whose delay is not the shortest."""
    late = [np.zeros(core.axons, bool) for core in program.cores]
    for _, _, reader, axon, delay in program.routes[program.routes[:, 4] != target.neuron.delay_min].tolist():
        late[reader][axon] = delay != target.neuron.delay_min
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


def _memory(core: Core, weight: Array, late: Array, target: Target) -> int:
    """Bits of all lists: per axon the shorter of one dense run, first to last neuron, and an indexed list."""
    rule = target.synapse
    on = weight != 0
    count = on.sum(axis=0)
    run = np.where(count, core.neurons - on[::-1].argmax(axis=0) - on.argmax(axis=0), 0)
    magnitude = np.abs(weight).max(axis=0, initial=0)
    extra = np.where(magnitude > 1, np.floor(np.log2(np.maximum(magnitude, 1))), 0).astype(int)
    each = rule.weight_bits + extra + np.where(late, rule.delay_bits, 0)
    index = [b for b in rule.index_bits if b and 2**b >= target.core.neurons]
    bits = 0
    for size in np.unique(each).tolist():
        mine = each == size
        dense = _blocks(size, core.neurons, target)[run[mine]]
        if index:
            dense = np.minimum(dense, _blocks(size + min(index), core.neurons, target)[count[mine]])
        bits += int(dense.sum())
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


def _numbers(core: Core, number: int, membranes: set[tuple[int, int]], target: Target) -> None:
    rule = target.neuron
    for n in range(core.neurons):
        where = f"neuron {n} of core {number}"
        reset, threshold, leak = int(core.reset[n]), int(core.threshold[n]), int(core.leak[n])
        _claim(_RESETS[reset] in rule.resets, f"{where} has the reset {_RESETS[reset]}")
        if reset == MEMORYLESS and (number, n) not in membranes:
            _claim(threshold == 1, f"{where} is memoryless and has the threshold {threshold}")
            _claim(rule.bias_min <= leak <= rule.bias_max, f"{where} has the bias {leak}")
        else:
            _claim(leak == 0, f"{where} has a leak of {leak}")
            _claim(rule.threshold_min <= threshold <= rule.threshold_max, f"{where} has the threshold {threshold}")
        if int(core.floor[n]) != NO_FLOOR:
            floor = _FLOORS[int(core.floor_mode[n])]
            _claim(floor in rule.floors, f"{where} has the floor {floor}")


def _membranes(program: Program, weights: list[Array], target: Target) -> None:
    """V stays inside its bits for all counts that the sources can send in one frame."""
    most = [np.zeros(core.axons, np.int64) for core in program.cores]
    ticks = program.encoder.ticks if program.encoder.kind == "burst" else 1
    for line, core, axon, _ in program.lines.tolist():
        most[core][axon] += ticks if line < program.inputs else 1
    order = sorted(range(len(program.cores)), key=lambda k: int(program.cores[k].start.min(initial=0)))
    bound = 2 ** (target.neuron.v_bits - 1)
    by_source = np.argsort(program.routes[:, 0], kind="stable")
    edges = np.searchsorted(program.routes[by_source, 0], np.arange(len(program.cores) + 1))
    for k in order:
        core, weight = program.cores[k], weights[k].astype(np.int64)
        high = np.maximum(weight, 0) @ most[k] + np.maximum(core.leak, 0)
        low = np.minimum(weight, 0) @ most[k] + np.minimum(core.leak, 0)
        _claim((-bound <= low).all() and (high < bound).all(), f"V of core {k} can leave {target.neuron.v_bits} bits")
        spikes = np.where(core.reset == SUBTRACT, high // np.maximum(core.threshold, 1), 1)
        if most[k].max(initial=0) > 1:  # a memoryless neuron repeats a burst
            spikes = np.where(core.reset == MEMORYLESS, high, spikes)
        routes = program.routes[by_source[edges[k] : edges[k + 1]]]
        for c in np.unique(routes[:, 2]):
            mine = routes[routes[:, 2] == c]
            most[c][mine[:, 3]] = spikes[mine[:, 1]]
