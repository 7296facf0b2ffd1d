"""The stranger that walks a program backward, wire by wire, and compares every neuron with the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, Array, unpack_bits
from spikebnn.checks.counts import counted_at_once, sent_at_once
from spikebnn.checks.forms import Digits, Form, changing, claim, constants, form_of, in_order, summed
from spikebnn.checks.merges import Merges, merged
from spikebnn.checks.one_tick import OneTick
from spikebnn.program import CLEAR, GRADED, MEMORYLESS, SATURATE, SUBTRACT, ZERO, Core, Program
from spikebnn.threshold import ThresholdNetwork


def check_equivalent(program: Program, network: ThresholdNetwork, *, approximate: bool = False) -> int:
    """Raise CheckError unless every neuron and every score of the program is that of the network.

    Weights are rebuilt from planes, routes and lines, through relays and partial sums, and compared exactly,
    with thresholds, arrival ticks and the pulses that compare and clear. An axon that several neurons feed must be an OR of
    the network, of bits that come in one tick. With `approximate`, partial counts may be cut off
    below 0 or by the pulse that empties them, as long as all else is right; returns the number of neurons that may.
    """
    state = constants(network)
    walk = _Walk(program, network, state)
    walk.approximate = approximate
    fast = OneTick(network, state, walk.merges.same)
    todo = [(k, np.flatnonzero(core.start == start)) for start, k in in_order(program) for core in [program.cores[k]]]
    while todo:  # neurons wait for what they hear
        left = []
        for number, some in todo:
            wait = _core(walk, fast, number, some, network, state)
            if len(wait):
                left.append((number, wait))
        stuck = sum(len(wait) for _, wait in left) == sum(len(some) for _, some in todo)
        claim(not stuck, f"core {left[0][0] if left else 0} hears neurons that hear it")
        todo = left
    _scores(walk, network, state)
    return walk.cut


_ONE = np.array([1])
NOT_PLAIN = -2


@dataclass(frozen=True, slots=True, eq=False)
class _Wire:
    """What a neuron or line says in one frame: its form as spikes, the first tick of frame 0 and how many ticks."""

    form: Form
    tick: int
    span: int
    most: int  # spikes, or, in one tick, the largest number that a spike carries
    shift: int = 0  # the number of spikes, or what one carries, is form + shift


@dataclass(frozen=True, slots=True, eq=False)
class _Neuron:
    """One neuron's integral over a frame: what its axons carry, and its control pulses by tick."""

    form: Form
    shift: int  # the sum is form + shift
    low: int  # smallest and largest sum of a frame
    high: int
    step: I64  # (axons,); the most that each axon can add in a frame, and its first and last arrival of frame 0
    firsts: I64
    lasts: I64
    pulses: dict[int, int]

    @property
    def down(self) -> int:
        """Furthest that V can go below 0 on the way, whatever comes first."""
        return int(self.step[self.step < 0].sum())

    @property
    def up(self) -> int:
        return int(self.step[self.step > 0].sum())

    @property
    def first(self) -> int | None:
        return int(self.firsts.min()) if len(self.firsts) else None

    @property
    def last(self) -> int:
        return int(self.lasts.max(initial=0))


class _Walk:
    """The program with what is known of each neuron so far."""

    def __init__(self, program: Program, network: ThresholdNetwork, state: Array) -> None:
        self.program, self.network, self.bits = program, network, network.bits
        self.spread = network.encoder.ticks if network.encoder.kind == "burst" else 1
        self.first = np.array(program.first, np.int64)
        self.bit = np.full(int(self.first[-1]), NOT_PLAIN, np.int64)  # of neurons that say one bit in one tick
        self.tick = np.zeros(int(self.first[-1]), np.int64)
        self.done = np.zeros(int(self.first[-1]), bool)
        self.wires: dict[tuple[int, int], _Wire] = {}  # of the others
        self.approximate, self.cut = False, 0  # whether counts may be cut off, and how many are
        self.digits = Digits(np.where(np.arange(network.bits) < network.inputs, self.spread, 1))
        self.seen: dict[tuple[int, int], _Neuron] = {}  # of neurons that the scores read
        self.read = {(core, neuron) for _, core, neuron in program.outputs.tolist()}
        self.routes = _by(program.routes, 2, len(program.cores))
        self.lines = _by(program.lines, 1, len(program.cores))
        fed = np.unique(program.routes[:, 2:4], axis=0)
        self.merges = Merges(network, state, len(fed) < len(program.routes))
        self.control: dict[int, list[int]] = {}
        for line, tick in program.controls.tolist():
            self.control.setdefault(line, []).append(tick)

    def said(self, number: int, n: int) -> _Wire | None:
        """What a neuron says, if that is known."""
        at = int(self.first[number]) + n
        if self.bit[at] != NOT_PLAIN:
            return _Wire((self.bit[at : at + 1], _ONE), int(self.tick[at]), 1, 1)
        return self.wires.get((number, n))

    def says(self, number: int, n: int, wire: _Wire) -> None:
        """Remember what a neuron says, also as one bit in one tick where it is that."""
        self.wires[number, n] = wire
        bits, weight = wire.form
        if len(bits) == 1 and weight[0] == wire.span == wire.most == 1 and wire.shift == 0 and bits[0] < self.bits:
            at = int(self.first[number]) + n
            self.bit[at], self.tick[at] = bits[0], wire.tick

    def axons(
        self, number: int, used: Array, several: tuple[I64, I64, I64]
    ) -> tuple[list[_Wire | None], dict[int, list[int]]]:
        """The wire on each used axon of a core (None: control, or not used), and the ticks of control axons."""
        wires: list[_Wire | None] = [None] * self.program.cores[number].axons
        ticks: dict[int, list[int]] = {}
        for line, _, axon, delay in self.lines[number].tolist():
            if line >= self.program.inputs:
                ticks.setdefault(axon, []).extend(tick + delay for tick in self.control[line])
            elif used[axon]:
                form = (np.array([line]), np.array([1]))
                wires[axon] = _Wire(form, delay, self.spread, self.spread)
        routes = self.routes[number]
        for axon, bit, at in zip(*(rows.tolist() for rows in several), strict=True):
            wires[axon] = _Wire((np.array([bit]), _ONE), at, 1, 1) if used[axon] else None
        for source, neuron, _, axon, delay in routes[used[routes[:, 3]]].tolist():
            if wires[axon] is not None:
                continue
            wire = self.said(source, neuron)
            claim(wire is not None, f"core {number} hears a neuron of core {source} that says nothing")
            assert wire is not None
            wires[axon] = _Wire(wire.form, wire.tick + delay, wire.span, wire.most, wire.shift)
        return wires, ticks

    def unknown(self, number: int) -> Array:
        """The axons of a core whose neurons have not been looked at yet."""
        out = np.zeros(self.program.cores[number].axons, bool)
        routes = self.routes[number].astype(np.int64)
        out[routes[~self.done[self.first[routes[:, 0]] + routes[:, 1]], 3]] = True
        return out

    def plain(self, number: int, several: tuple[I64, I64, I64]) -> tuple[I64, I64]:
        """Per axon of a core the one bit that it carries, or NOT_PLAIN, and the tick in which it does."""
        bit = np.full(self.program.cores[number].axons, NOT_PLAIN, np.int64)
        tick = np.zeros(len(bit), np.int64)
        lines, routes = self.lines[number].astype(np.int64), self.routes[number].astype(np.int64)
        if self.spread == 1:
            lines = lines[lines[:, 0] < self.program.inputs]
            bit[lines[:, 2]], tick[lines[:, 2]] = lines[:, 0], lines[:, 3]
        source = self.first[routes[:, 0]] + routes[:, 1]
        bit[routes[:, 3]], tick[routes[:, 3]] = self.bit[source], self.tick[source] + routes[:, 4]
        bit[several[0]], tick[several[0]] = several[1:]
        return bit, tick

    def merged(self, number: int) -> tuple[I64, I64, I64]:
        """The axons of a core that several neurons feed, all of them known, with the bit of each and its tick."""
        if self.merges.plain:
            return (np.zeros(0, np.int64),) * 3
        routes, count = self.routes[number].astype(np.int64), self.program.cores[number].axons
        source = self.first[routes[:, 0]] + routes[:, 1]
        there = self.done[source] & ~self.unknown(number)[routes[:, 3]]
        routes, source = routes[there], source[there]
        where = f"core {number}"
        return merged(self.merges, routes[:, 3], self.bit[source], self.tick[source] + routes[:, 4], count, where)


def _by(rows: Array, column: int, count: int) -> list[Array]:
    order = np.argsort(rows[:, column], kind="stable")
    edges = np.searchsorted(rows[order, column], np.arange(count + 1))
    return [rows[order[edges[k] : edges[k + 1]]] for k in range(count)]


def _weights(core: Core) -> Array:
    out = np.zeros((core.neurons, core.axons), np.int32)
    for plane in core.planes:
        bits = unpack_bits(plane.bits, plane.stop - plane.start)
        out[:, plane.start : plane.stop] += bits * plane.scale[:, None]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Axons:
    """The wires of one core's axons, end to end."""

    bits: I64  # the forms of all axons, one after the other
    values: I64
    start: I64  # (axons,); where an axon's form begins
    length: I64  # (axons,); 0 for control axons
    first: I64  # (axons,); first and last tick of frame 0 at which something arrives
    last: I64
    most: I64  # (axons,); spikes in a frame
    shift: I64  # (axons,)
    control: Array  # (axons,); whether it is one
    ticks: dict[int, list[int]]  # of control axons


def _axons(wires: list[_Wire | None], ticks: dict[int, list[int]]) -> _Axons:
    nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    forms = [nothing if wire is None else wire.form for wire in wires]
    length = np.array([len(form[0]) for form in forms], np.int64)
    return _Axons(
        bits=np.concatenate([nothing[0], *(form[0] for form in forms)]),
        values=np.concatenate([nothing[1], *(form[1] for form in forms)]),
        start=np.cumsum(length) - length,
        length=length,
        first=np.array([0 if wire is None else wire.tick for wire in wires], np.int64),
        last=np.array([0 if wire is None else wire.tick + wire.span - 1 for wire in wires], np.int64),
        most=np.array([0 if wire is None else wire.most for wire in wires], np.int64),
        shift=np.array([0 if wire is None else wire.shift for wire in wires], np.int64),
        control=np.isin(np.arange(len(wires)), list(ticks)),
        ticks=ticks,
    )


def _integral(weight: I64, axons: _Axons, digits: Digits) -> _Neuron:
    """What one row of synapses adds up in a frame."""
    at = np.flatnonzero(weight)
    pulses: dict[int, int] = {}
    for axon in [axon for axon in axons.ticks if weight[axon]]:
        for tick in axons.ticks[axon]:
            pulses[tick] = pulses.get(tick, 0) + int(weight[axon])
    at = at[~axons.control[at]] if axons.ticks else at
    length = axons.length[at]
    into = np.arange(int(length.sum())) + np.repeat(axons.start[at] - (np.cumsum(length) - length), length)
    form = summed(axons.bits[into], np.repeat(weight[at], length) * axons.values[into])
    shift = int(weight[at] @ axons.shift[at])
    step = weight[at] * axons.most[at]
    low, high = digits.bounds(form, shift)  # both this interval and that of the counts as they come hold the sum
    low, high = max(low, int(step[step < 0].sum())), min(high, int(step[step > 0].sum()))
    return _Neuron(form, shift, low, high, step, axons.first[at], axons.last[at], pulses)


def _core(
    walk: _Walk, fast: OneTick, number: int, some: Array, network: ThresholdNetwork, state: Array
) -> I64:
    """Compare the neurons `some` of a core, which share a start; returns those that hear what is not known yet."""
    core = walk.program.cores[number]
    weights = _weights(core)[some]
    unknown = walk.unknown(number)
    wait = (weights[:, unknown] != 0).any(axis=1)
    later: I64 = some[wait]
    if len(later):
        some, weights = some[~wait], weights[~wait]
    if not len(some):
        return later
    several = walk.merged(number)
    walk.done[walk.first[number] + some] = True
    used = (weights != 0).any(axis=0)
    bit, tick = walk.plain(number, several)
    echo = _echoes(walk, number, some, weights, bit, tick)
    some, weights = some[~echo], weights[~echo]
    if not len(some):
        return later
    sent, forms, constant, most = sent_at_once(core, number, some, weights, bit, tick, walk.program.period)
    for n, form, extra, top in zip(some[sent].tolist(), forms, constant.tolist(), most.tolist(), strict=True):
        walk.wires[number, n] = _Wire(form, int(core.start[n]), 1, top, extra)
    some, weights = some[~sent], weights[~sent]
    if not len(some):
        return later
    if fast.holds(core, number, some, weights, used, bit, tick, walk.program.period):
        mine = walk.first[number] + some
        first = np.array([layer.first for layer in network.layers], np.int64)
        walk.bit[mine], walk.tick[mine] = walk.merges.same[first[core.layer[some]] + core.unit[some]], core.start[some]
        return later
    counts, forms, most = counted_at_once(core, number, some, weights, bit, tick, walk.program.period)
    for n, form, count in zip(some[counts].tolist(), forms, most.tolist(), strict=True):
        walk.wires[number, n] = _Wire(form, int(core.start[n]), max(1, count), count)
    some, weights = some[~counts], weights[~counts]
    wires, ticks = walk.axons(number, (weights != 0).any(axis=0), several)
    axons = _axons(wires, ticks)
    twins: dict[int, _Neuron] = {}
    alike: dict[bytes, int] = {}  # copies: neurons with the same row and the same numbers, of which one is looked at
    numbers = (core.layer, core.unit, core.reset, core.start, core.threshold, core.leak, core.floor, core.floor_mode)
    told = np.concatenate([weights, np.stack(numbers, axis=1)[some].astype(np.int64)], axis=1)
    for k, n in enumerate(some.tolist()):
        same_as = alike.setdefault(told[k].tobytes(), n)
        if same_as < n:
            if (number, n) in walk.read:
                walk.seen[number, n] = twins[same_as]
            if (number, same_as) in walk.wires:
                walk.says(number, n, walk.wires[number, same_as])
            continue
        got = _integral(weights[k], axons, walk.digits)
        layer, unit, reset, start = (int(a[n]) for a in (core.layer, core.unit, core.reset, core.start))
        where = f"neuron {n} of core {number} ({walk.program.layers[layer].name})"
        if layer >= len(network.layers):  # a score may read it
            twins[n] = got
        if (number, n) in walk.read:
            walk.seen[number, n] = got
        claim(got.first is None or got.first >= start, f"{where} hears something before its window")
        wire: _Wire | None = None
        if reset == SUBTRACT:
            wire = _partial(core, n, got, where, walk)
        elif reset == GRADED:
            wire = _number(core, n, got, where, walk.program.period)
        elif layer < len(network.layers):
            bit_of = network.layers[layer].first + unit
            theta, fires = _compared(core, n, got, where, walk.program.period)
            sign = int(network.layers[layer].sign[unit])
            form, fixed = changing(form_of(network.layers[layer].synapses, unit, sign), state)
            form = walk.merges.named(form)
            same = np.array_equal(form[0], got.form[0]) and np.array_equal(form[1], got.form[1])
            claim(same, f"{where} has other synapses than neuron {unit} of the layer")
            wanted = int(network.layers[layer].threshold[unit]) - fixed
            claim(theta == wanted, f"{where} fires at {theta}, not at {wanted}")
            wire = _Wire((walk.merges.same[bit_of : bit_of + 1], _ONE), fires, 1, 1)
        elif layer > len(network.layers):
            wire = _relay(core, n, got, weights[k], wires, where)
        if wire is not None:
            walk.says(number, n, wire)
    return later


def _echoes(walk: _Walk, number: int, some: Array, weights: Array, bit: I64, tick: I64) -> Array:
    """Which of the neurons `some` fire exactly when their one axon is on, which carries their own bit; now known."""
    out, core = np.zeros(len(some), bool), walk.program.cores[number]
    layers = walk.network.layers
    mine = np.flatnonzero(((weights != 0).sum(axis=1) == 1) & (core.layer[some] < len(layers)) & (core.unit[some] >= 0))
    if walk.merges.plain or not len(mine):
        return out
    n, axon = some[mine], (weights[mine] != 0).argmax(axis=1)
    theta = core.threshold[n].astype(np.int64) - core.leak[n]
    own = np.array([layer.first for layer in layers])[core.layer[n]] + core.unit[n]
    same = (walk.merges.same[own] == bit[axon]) & (bit[axon] >= 0) & (tick[axon] == core.start[n])
    same &= (theta >= 1) & (weights[mine, axon] >= theta) & (core.reset[n] == MEMORYLESS)
    out[mine[same]] = True
    known = walk.first[number] + n[same]
    walk.bit[known], walk.tick[known] = bit[axon[same]], core.start[n[same]]
    return out


def _relay(core: Core, n: int, got: _Neuron, weight: I64, wires: list[_Wire | None], where: str) -> _Wire:
    at = np.flatnonzero(weight)
    wire = wires[int(at[0])] if len(at) == 1 else None
    plain = wire is not None and int(weight[at[0]]) == 1 and not got.pulses and wire.most <= wire.span
    plain = plain and int(core.threshold[n]) - int(core.leak[n]) == 1 and int(core.reset[n]) == MEMORYLESS
    claim(plain and wire is not None and wire.tick == int(core.start[n]), f"{where} does not repeat one wire")
    assert wire is not None
    return wire


def _partial(core: Core, n: int, got: _Neuron, where: str, walk: _Walk) -> _Wire:
    """A neuron that says, as spikes, how often its threshold goes into its sum and its offset.

    Pulses that push it down after its last arrival empty it; all others belong to the sum. No spike comes before
    the last arrival that takes away, because V stays below the threshold until then; from there on V only grows by
    arrivals, so the spikes are floor(sum / threshold), in a row after the last arrival at the latest.
    """
    start, radix, period = int(core.start[n]), int(core.threshold[n]), walk.program.period
    claim(radix >= 1 and int(core.leak[n]) == 0, f"{where} does not count")
    arrived = got.last if got.first is not None else start
    down = [tick for tick, by in got.pulses.items() if by < 0 and tick > arrived]
    clears = sorted(tick for tick in got.pulses if down and tick >= min(down))
    own = {tick: by for tick, by in got.pulses.items() if tick not in clears}
    claim(min(got.pulses, default=start) >= start, f"{where} is driven before its window")
    extra = sum(own.values())
    low, high = got.low + extra, got.high + extra
    last = max([arrived, *own])
    cut = walk.approximate and low < 0 and int(core.floor[n]) == 0 and got.first == got.last == last
    claim(low >= 0 or cut, f"{where} can have a negative count")
    takes = max([start, *got.lasts[got.step < 0].tolist(), *(tick for tick, by in own.items() if by < 0)])
    speaks = last  # the first tick in which it may fire
    comes = got.firsts.tolist()
    up, down_by = np.maximum(got.step, 0), np.minimum(got.step, 0)
    for tick in sorted({*comes, *own}):
        there, driven = got.firsts <= tick, sum(by for at, by in own.items() if at <= tick)
        before = int(up @ there) + driven
        speaks = min(speaks, tick) if before >= radix else speaks
        claim(speaks >= takes, f"{where} counts before all its inputs have come")
        under = int(down_by @ there) + driven
        all_there = tick >= last and got.first == got.last == tick
        claim(all_there or under >= int(core.floor[n]), f"{where} is cut off by its floor")
    most = high // radix
    end = last + max(1, most) - 1
    if walk.approximate and radix == 1 and clears and last < clears[0] <= end:
        cut, most, end = True, clears[0] - speaks, clears[0] - 1
    walk.cut += cut
    claim(end < start + period, f"{where} counts for {end - start + 1} ticks of a period of {period}")
    claim(not clears or (clears[0] > end and clears[-1] < start + period), f"{where} is emptied while it counts")
    v = np.arange(low, high + 1) if high < radix else np.arange(radix)
    v = v if radix > 1 else np.arange(high + 1) if cut else np.zeros(1, np.int64)
    for tick in clears:
        v = _after(core, n, v, got.pulses[tick], where)
    claim(not v.any(), f"{where} carries something into the next frame")
    span = end - speaks + 1
    if radix == 1:
        return _Wire(got.form, speaks, span, most, got.shift + extra)
    name = walk.digits.name(got.form, got.shift + extra, radix, most)
    return _Wire((np.array([name]), _ONE), speaks, span, most)


def _number(core: Core, n: int, got: _Neuron, where: str, period: int) -> _Wire:
    """A neuron that sends, as a number, the sum of all that comes in its tick; 0 is not sent, and is as good."""
    start, leak = int(core.start[n]), int(core.leak[n])
    extra = leak + sum(got.pulses.values())
    claim(got.first in (None, start) and got.last <= start, f"{where} hears its inputs in several ticks")
    claim(all(tick == start for tick in got.pulses), f"{where} gets its bias in the wrong tick")
    claim(period == 1 or leak <= 0, f"{where} sends numbers in empty ticks")
    claim(int(core.threshold[n]) == 1 and got.low + extra >= 0, f"{where} does not send every sum that it can have")
    return _Wire(got.form, start, 1, max(0, got.high + extra), got.shift + extra)


def _after(core: Core, n: int, v: I64, pulse: int, where: str) -> I64:
    """All that V can be after a pulse that empties the neuron."""
    v = v + pulse
    claim((v < int(core.threshold[n])).all(), f"{where} fires while it is cleared")
    claim(int(core.floor_mode[n]) in (CLEAR, SATURATE), f"{where} has no floor")
    floor = 0 if int(core.floor_mode[n]) == CLEAR else int(core.floor[n])
    return np.where(v < int(core.floor[n]), floor, v)


def _compared(core: Core, n: int, got: _Neuron, where: str, period: int) -> tuple[int, int]:
    """The sum from which on a neuron fires, and the tick in which it does."""
    threshold, leak, start = int(core.threshold[n]), int(core.leak[n]), int(core.start[n])
    if int(core.reset[n]) == MEMORYLESS:
        claim(got.first in (None, start) and got.last <= start, f"{where} hears its inputs in several ticks")
        claim(all(tick == start for tick in got.pulses), f"{where} gets its bias in the wrong tick")
        claim(period == 1 or threshold > leak, f"{where} fires on empty ticks")
        return threshold - leak - sum(got.pulses.values()) - got.shift, start
    claim(int(core.reset[n]) == ZERO and leak == 0 and bool(got.pulses), f"{where} neither forgets nor compares")
    go = min(got.pulses)
    claim(got.last <= go and max(got.pulses) < start + period, f"{where} compares too early or clears too late")
    claim(threshold > got.up and int(core.floor[n]) <= got.down, f"{where} does not wait for its comparison")
    v = np.append(np.arange(got.down + got.pulses[go], threshold), 0)  # all that can be left after the comparison
    for tick in sorted(got.pulses)[1:]:
        v = _after(core, n, v, got.pulses[tick], where)
    claim(not v.any(), f"{where} carries something into the next frame")
    return threshold - got.pulses[go] - got.shift, go


def _scores(walk: _Walk, network: ThresholdNetwork, state: Array) -> None:
    program, most = walk.program, np.where(np.arange(network.bits) < network.inputs, walk.spread, 1)
    rows = _by(program.outputs, 0, len(program.base))
    for k in range(network.readout.synapses.neurons):
        form, fixed = changing(form_of(network.readout.synapses, k), state)
        low, high = (int((cut(form[1], 0) * most[form[0]]).sum()) for cut in (np.minimum, np.maximum))
        form = walk.merges.named(form)
        base, levels = int(program.base[k]), []
        bits, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for _, number, n in rows[k].tolist():
            core, got, wire = program.cores[number], walk.seen.get((number, n)), walk.said(number, n)
            where = f"neuron {n} of core {number}, which sum {k} reads,"
            if wire is not None:  # a voter or a burst
                claim(wire.most <= wire.span, f"{where} sends numbers, of which a score counts the spikes")
                bits.append(wire.form[0])
                values.append(wire.form[1])
                base += wire.shift
                continue
            assert got is not None
            if program.readout == "membrane":
                still = int(core.reset[n]) == MEMORYLESS and got.last <= int(core.start[n]) and not got.pulses
                claim(still and int(core.threshold[n]) > got.high, f"{where} does not hold its sum when it is read")
                bits.append(got.form[0])
                values.append(got.form[1])
                base += int(core.leak[n])
            else:
                levels.append(_compared(core, n, got, where, program.period)[0])
                same = np.array_equal(form[0], got.form[0]) and np.array_equal(form[1], got.form[1])
                claim(same, f"{where} has other synapses than the score")
        if levels:
            all_there = len(bits) == 1 and sorted(levels) == list(range(low + 1, high + 1))
            claim(all_there, f"sum {k} has other levels than {low + 1} to {high}")
            claim(base == fixed + low, f"sum {k} starts at {base}, not at {fixed + low}")
            continue
        got_form = summed(np.concatenate(bits), np.concatenate(values))
        same = np.array_equal(form[0], got_form[0]) and np.array_equal(form[1], got_form[1])
        claim(same, f"sum {k} has other synapses")
        claim(base == fixed, f"sum {k} starts at {base}, not at {fixed}")
