"""One stream of frames, time step by time step, as our own simulator runs it: what SANA-FE must count as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, U8, Array
from spikebnn.encode import encode
from spikebnn.exchange.limits import check_representable
from spikebnn.exchange.slots import Slots, read_out, synapses
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.simulate import registry
from spikebnn.simulate.layout import arrivals, feed
from spikebnn.simulate.protocol import Trace as Told
from spikebnn.simulate.wiring import Wiring, last_tick, line_count, wire
from spikebnn.targets.target import Target, hops


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """What happens in each time step; all arrays are (steps,). Neurons only; what inputs add stands in the last three."""

    fired: I64
    updated: I64  # as SANA-FE counts it, see `_updated`
    packets: I64  # sent; one per spike and core that hears it
    hops_x: I64
    hops_y: I64
    crossings: I64
    events: I64  # synapses that spikes sent in this step will reach, inputs included
    inputs_fired: I64
    inputs_packets: I64
    input_events: I64

    @property
    def hops(self) -> I64:
        return np.asarray(self.hops_x + self.hops_y)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """A stream of frames from rest: step k is tick k - 1, so that the first step is an empty one; see `limits`."""

    frames: int
    drive: U8  # (ticks, lines)
    spikes: U8  # (steps, neurons)
    watched: tuple[int, ...]  # neurons
    membranes: I64  # (steps, watched); V after step 2 of the tick law
    steps: Steps
    counts: Counts  # rows of `period` steps in place of frames
    mute: int  # messages over routes to axons without synapses, for which SANA-FE has no place


def stream(program: Program, target: Target, places: Slots, x: Array, simulator: str = "bitwise") -> Trace:
    """Run frames `x` one behind the other in a single stream, and count every time step."""
    bits = encode(program.encoder, np.asarray(x))
    ticks = last_tick(program, len(bits))
    ticks += -(ticks + 1) % program.period  # whole periods, with the empty step
    at = feed(program, bits[None])
    lines = [at(tick)[0] for tick in range(ticks)]
    drive = np.stack(lines) if lines else np.zeros((0, line_count(program)), np.uint8)
    return follow(program, target, places, drive, len(bits), simulator)


def follow(
    program: Program, target: Target, places: Slots, drive: U8, frames: int, simulator: str = "bitwise"
) -> Trace:
    """Run a drive (ticks, lines) from rest, and count every time step."""
    check_representable(program)
    led = np.concatenate([np.zeros((1, drive.shape[1]), np.uint8), drive])
    watch = np.array(read_out(program), np.int64)
    told = registry.simulator(simulator).load(program).ticks(led[None], watch)
    spikes = told.spikes[0]
    wiring = wire(program)
    sent = _sent(program, wiring)
    steps, by_core = _count(
        program, target, places, wiring, sent, led, spikes, _updated(program, wiring, led, told, watch)
    )
    return Trace(
        frames=frames,
        drive=drive,
        spikes=spikes,
        watched=tuple(watch.tolist()),
        membranes=told.membranes[0],
        steps=steps,
        counts=_rows(program, spikes, by_core, wiring),
        mute=int(spikes.sum(axis=0, dtype=np.int64)[wiring.routes[~sent, 0]].sum()),
    )


def _sent(program: Program, wiring: Wiring) -> Array:
    """Which routes end on an axon with a synapse."""
    return np.asarray(wiring.fanout[wiring.routes[:, 1]] > 0)


def _count(
    program: Program,
    target: Target,
    places: Slots,
    wiring: Wiring,
    sent: Array,
    led: U8,
    spikes: U8,
    updated: I64,
) -> tuple[Steps, tuple[I64, I64]]:
    """The steps, and axon and synaptic events (steps, cores) counted when they are sent."""
    cores = program.cores
    where = [(core.chip, core.x, core.y) for core in cores]
    pairs = {
        (a, b): hops(target.topology, where[a], where[b])
        for a, b in np.unique(program.routes[:, [0, 2]], axis=0).tolist()
    }
    far = np.array([pairs[a, b] for a, b in program.routes[:, [0, 2]].tolist()], np.int64).reshape(-1, 3)
    neuron, axon = wiring.routes[:, 0], wiring.routes[:, 1]
    neurons, steps = wiring.neurons, len(spikes)

    def each(weight: Array) -> I64:
        """Per step, the sum of a route's weight over the spikes that take it."""
        per = np.bincount(neuron, weights=np.where(sent, weight, 0), minlength=neurons)
        return np.asarray(np.rint(spikes @ per), np.int64)

    fan = wiring.fanout
    axons, events = np.zeros((2, steps, len(cores)), np.int64)
    fired_line = np.zeros((steps, len(wiring.feeds)), np.int64)
    for delay in np.unique(wiring.feeds[:, 2]).tolist():
        some = np.flatnonzero(wiring.feeds[:, 2] == delay)
        early = led[1:, wiring.feeds[some, 0]]  # sent in its own tick's step, heard in the next
        fired_line[delay : delay + steps - 1, some] = early[: max(0, steps - delay)]
    home = program.lines[:, 1]
    for number in range(len(cores)):
        mine = np.flatnonzero(home == number)
        axons[:, number] = fired_line[:, mine].sum(axis=1)
        events[:, number] = fired_line[:, mine] @ fan[wiring.feeds[mine, 1]]
    from_inputs = events.sum(axis=1)
    for number in range(len(cores)):
        mine = np.flatnonzero((program.routes[:, 2] == number) & sent)
        axons[:, number] += spikes[:, neuron[mine]].sum(axis=1, dtype=np.int64)
        events[:, number] += spikes[:, neuron[mine]].astype(np.int64) @ fan[axon[mine]]
    inputs = np.zeros((steps, len(places.feeds)), np.int64)
    for n, (line, delay, _) in enumerate(places.feeds.tolist()):
        inputs[delay : delay + steps - 1, n] = led[1:, line][: max(0, steps - delay)]
    return Steps(
        fired=spikes.sum(axis=1, dtype=np.int64),
        updated=updated,
        packets=each(np.ones(len(neuron))),
        hops_x=each(far[:, 0]),
        hops_y=each(far[:, 1]),
        crossings=each(far[:, 2]),
        events=events.sum(axis=1),
        inputs_fired=inputs.sum(axis=1),
        inputs_packets=inputs @ places.packets,
        input_events=from_inputs,
    ), (axons, events)


def _updated(program: Program, wiring: Wiring, led: U8, told: Told, watch: Array) -> I64:
    """Neurons that an active axon reaches, that have a leak or fire, or whose read membrane is left from the step before."""
    active = arrivals(wiring, led[None], told.spikes)[0]
    out = np.zeros(len(led), np.int64)
    for number, core in enumerate(program.cores):
        _, there = synapses(core)
        mine = active[:, wiring.axon_first[number] : wiring.axon_first[number + 1]]
        found = (mine.astype(np.float32) @ there.astype(np.float32) > 0) | (core.leak != 0)
        first, last = program.first[number : number + 2]
        read = np.flatnonzero((watch >= first) & (watch < last))
        found |= told.spikes[0][:, first:last] != 0
        found[1:, watch[read] - first] |= told.membranes[0][:-1, read] != 0
        out += found.sum(axis=1)
    return out


def _rows(program: Program, spikes: U8, by_core: tuple[I64, I64], wiring: Wiring) -> Counts:
    """Counts as `spikebnn.energy` takes them, with `period` steps in place of a frame; the last row may be padded."""
    period = program.period
    many = -(-len(spikes) // period)

    def grouped(counts: Array) -> I64:
        full = np.zeros((many * period, counts.shape[1]), np.int64)
        full[: len(counts)] = counts
        return np.asarray(full.reshape(many, period, -1).sum(axis=1))

    first = wiring.neuron_first
    mine = np.zeros((len(spikes), len(program.cores)), np.int64)
    for c in range(len(program.cores)):
        mine[:, c] = spikes[:, first[c] : first[c + 1]].sum(axis=1, dtype=np.int64)
    return Counts(
        spikes=grouped(mine),
        axon_events=grouped(by_core[0]),
        synaptic_events=grouped(by_core[1]),
        neuron_spikes=spikes.sum(axis=0, dtype=np.int64),
    )
