"""What moves between cores in a run: messages, hops from the placement, and how many neurons had input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64
from spikebnn.errors import CheckError
from spikebnn.formats import connected
from spikebnn.interval import Interval
from spikebnn.place.walk import walked
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.targets.target import Target, tile_shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traffic:
    """Messages over all frames; a spike sends one message, a packet of its own, along each of its neuron's routes.

    Nobody's routers copy packets on the way; `spikebnn.place.flow` says why, and places by the same count.
    """

    messages: int
    local: int  # messages that stay under one router
    hops_x: int
    hops_y: int
    crossings: int  # of chip borders
    input_messages: int  # axon events that no neuron caused; an estimate, see `traffic`
    sent: I64  # (cores,); messages that leave each core's neurons
    received: I64  # (cores,); messages for each core, from neurons
    core_hops: I64  # (cores,); hops of the messages that each core sends


def traffic(counts: Counts, program: Program, target: Target) -> Traffic:
    """Messages and hops of a run: neuron spikes times routes, from the positions of the cores.

    Hops are those of `spikebnn.targets.target.hops`, for all routes at once.

    Input messages are the axon events that routes do not explain. Two messages that meet on one axon in one tick are
    one axon event, so with such meetings the figure is too low.
    """
    cores, top = len(program.cores), target.topology
    first = np.asarray(program.first, dtype=np.int64)
    source, goal = program.routes[:, 0].astype(np.int64), program.routes[:, 2].astype(np.int64)
    messages = counts.neuron_spikes[first[source] + program.routes[:, 1]].astype(np.int64)
    chip, x, y = np.array([(c.chip, c.x, c.y) for c in program.cores], np.int64).reshape(-1, 3).T
    wide, high = tile_shape(top)
    column, row = chip * -(-top.width // wide) + x // wide, y // high  # no router serves two chips
    hop_x, hop_y = np.abs(column[source] - column[goal]), np.abs(row[source] - row[goal])
    steps = hop_x + hop_y
    sent = np.bincount(source, weights=messages, minlength=cores).astype(np.int64)
    received = np.bincount(goal, weights=messages, minlength=cores).astype(np.int64)
    core_hops = np.bincount(source, weights=messages * steps, minlength=cores).astype(np.int64)
    moved = int(messages.sum())
    return Traffic(
        messages=moved,
        local=int(messages[steps == 0].sum()),
        hops_x=int((messages * hop_x).sum()),
        hops_y=int((messages * hop_y).sum()),
        crossings=int((messages * np.abs(chip[source] - chip[goal])).sum()),
        input_messages=max(0, int(counts.axon_events.sum()) - moved),
        sent=sent,
        received=received,
        core_hops=core_hops,
    )


def check_traffic(moved: Traffic, counts: Counts, program: Program, target: Target) -> None:
    """Raise CheckError unless packets that walk every route from router to router make the hops and crossings counted."""
    places = np.array([(core.chip, core.x, core.y) for core in program.cores], np.int64).reshape(-1, 3)
    source, goal = program.routes[:, 0].astype(np.int64), program.routes[:, 2].astype(np.int64)
    first = np.array(program.first, np.int64)
    packets = counts.neuron_spikes[first[source] + program.routes[:, 1]]
    found = walked(target.topology, places, source, goal, packets)
    named = moved.hops_x, moved.hops_y, moved.crossings
    for name, said, seen in zip(("hops in x", "hops in y", "crossings"), named, found, strict=True):
        if abs(said - seen) > 1e-9 * seen:
            raise CheckError(f"the traffic is wrong: {said:,} {name} are counted, and the packets walk {seen:,.0f}. "
                             "This is a bug in spikebnn; please report it.")


def active_updates(counts: Counts, program: Program) -> Interval:
    """How many neuron updates cost as much as those with input, over all frames.

    Where the simulator counted them, they are at least that many. Elsewhere they are at least synaptic events / the
    most that one neuron can take in a tick, its synapses or the active axons, which is close to exact where all
    neurons of a core have as many synapses; and at most the synaptic events. Neurons with a leak may be updated in
    every tick, which some chips count as input; that is in the upper end and in the best guess.
    """
    lo = hi = 0
    for c, core in enumerate(program.cores):
        events = counts.synaptic_events[:, c].astype(np.int64)
        updates = core.neurons * program.period
        leaky = int((core.leak != 0).sum()) * program.period
        if counts.active_updates is not None:
            least = counts.active_updates[:, c].astype(np.int64)
            most = np.minimum(updates, least + leaky)
        else:
            most = np.minimum(updates, events + leaky)
            each = np.clip(counts.axon_events[:, c], 1, max(1, int(connected(core).sum(axis=1).max(initial=0))))
            least = np.minimum(most, -(-events // each))
        lo, hi = lo + int(least.sum()), hi + int(most.sum())
    return Interval(lo=float(lo), v=float(hi), hi=float(hi))
