"""Merges: a max pool of bits made by axons, where packets for one axon and tick are one packet.

A neuron that fires when any of its sources does is an OR. Where a target's axons merge what arrives in one tick, an axon
that all those sources feed carries the same bit, a tick earlier, without a neuron. All sources are of one bank whose
neurons fire once a frame, in the same tick, so they arrive in the same tick too. A fused pool is a bank of the role
"merge", which takes no column: its signals are axons, its taps the neurons that feed them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spikebnn.arrays import I32, I64, Array
from spikebnn.partition.types import Bank
from spikebnn.program import MEMORYLESS
from spikebnn.threshold import NO_TAP, Synapses

MERGE = "merge"
AXON = "axon"  # a pool that is no neuron
SHARED, ALONE = "shared", "alone"  # pools that stay neurons: each hears one axon that its inputs share, or one for each
SOURCES = ("whole", "aggregate", "relay", MERGE)  # roles of banks whose neurons say one bit
CHUNK = 1 << 22


def ors(bank: Bank) -> Array:
    """Which neurons of a bank fire exactly when at least one of two or more sources does; (neurons,)."""
    if bank.role != "whole" or bank.reset != MEMORYLESS or bank.pulses:
        return np.zeros(bank.neurons, bool)
    s, theta = bank.synapses, bank.threshold.astype(np.int64) - bank.leak
    out = theta >= 1
    lifts = (s.weight > 0).sum(axis=1)[s.row] >= 2
    falls = (s.weight < 0).sum(axis=1)[s.row] <= (s.taps == NO_TAP).sum(axis=1)[s.patch]
    some = np.flatnonzero(out & lifts & falls)
    out[:] = False
    step = max(1, CHUNK // max(1, s.taps.shape[1]))
    for k in range(0, len(some), step):
        mine = some[k : k + step]
        weight = np.where(s.taps[s.patch[mine]] == NO_TAP, 0, s.weight[s.row[mine]])
        on = weight != 0
        enough = (np.where(on, weight, theta[mine][:, None]) >= theta[mine][:, None]).all(axis=1)
        out[mine] = (weight >= 0).all(axis=1) & enough & (on.sum(axis=1) >= 2)
    return out


def joined(bank: Bank, live: Array, sources: Sequence[tuple[int, int]]) -> Bank | None:
    """The bank as pools that are only axons, if all its `live` neurons (neurons,) are ORs of one of `sources` each.

    `sources` are ranges of signals whose neurons all say their one bit in one tick. A shared axon is on or off, so neither
    a core's axons nor the width of V bound such a pool.
    """
    s = bank.synapses
    if not ors(bank)[live].all():
        return None
    on = (s.weight[s.row[live]] != 0) & (s.taps[s.patch[live]] != NO_TAP)
    taps = s.taps[s.patch[live]]
    low, high = np.where(on, taps, 2**31 - 1).min(axis=1), np.where(on, taps, NO_TAP).max(axis=1)
    alone = np.zeros(len(low), bool)
    for first, stop in sources:
        alone |= (low >= first) & (high < stop)
    if not alone.all():
        return None
    one = replace(s, weight=(s.weight != 0).astype(np.int16))
    none = np.zeros(bank.neurons, np.int64)
    return replace(
        bank, synapses=one, threshold=np.ones(bank.neurons, np.int32), leak=none.astype(np.int32), low=none, high=none + 1,
        joined=True,
    )  # fmt: skip


def merges_of(bank: Bank, banks: Sequence[Bank], inputs: int, signals: int) -> list[tuple[I32, Bank]]:
    """For each source bank, the neurons of `bank` that axons can stand for, and these axons as a bank from `signals` on.

    Pools of pools hear the first ones' sources.
    """
    mine = np.flatnonzero(ors(bank))
    if not len(mine):
        return []
    s = bank.synapses
    taps = np.where(s.weight[s.row[mine]] != 0, s.taps[s.patch[mine]], NO_TAP)
    live = taps != NO_TAP
    low = np.where(live, taps, 2**31 - 1).min(axis=1)
    high = taps.max(axis=1)
    found: list[tuple[I32, Bank]] = []
    for other in banks:
        if other.role not in SOURCES or other.burst != 1 or other.span != 1:
            continue
        own = np.flatnonzero((low >= max(inputs, other.first)) & (high < other.first + other.neurons))
        if not len(own):
            continue
        members = np.where(live[own], taps[own], NO_TAP)
        if other.role == MERGE:
            inner = np.append(other.synapses.taps, np.full((1, other.synapses.taps.shape[1]), NO_TAP), axis=0)
            members = inner[np.where(members == NO_TAP, -1, members - other.first)].reshape(len(own), -1)
        found.append((mine[own].astype(np.int32), _merge(bank, other, mine[own], _once(members), signals)))
        signals += len(own)
    return found


def _once(members: Array) -> I32:
    """Each row's signals in rising order, every one once, behind as many NO_TAP as are left."""
    rows = np.sort(members, axis=1)
    rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = NO_TAP
    rows = np.sort(rows, axis=1)
    return np.asarray(rows[:, int((rows == NO_TAP).all(axis=0).sum()) :], np.int32)


def _merge(bank: Bank, source: Bank, neuron: Array, members: I32, first: int) -> Bank:
    n = len(neuron)
    return replace(
        bank, role=MERGE, unit=bank.unit[neuron], spot=bank.spot[neuron],
        synapses=Synapses(
            weight=np.ones((1, members.shape[1]), np.int16), taps=members, row=np.zeros(n, np.int32),
            patch=np.arange(n, dtype=np.int32),
        ),
        threshold=np.ones(n, np.int32), leak=np.zeros(n, np.int32), floor=bank.floor[neuron], first=first,
        low=np.zeros(n, np.int64), high=np.ones(n, np.int64), tick=source.tick, start=source.tick,
    )


def shared_inputs(bank: Bank, neuron: I32, merge: Bank, which: Array) -> Bank:
    """The bank where each of these neurons has one synapse, on the axon of `which` (axons of the merge,) that it is for."""
    s, n = bank.synapses, len(neuron)
    if not n:
        return bank
    taps = np.full((n, s.taps.shape[1]), NO_TAP, np.int32)
    taps[:, 0] = merge.first + np.flatnonzero(which)
    one = np.zeros((1, s.taps.shape[1]), np.int16)
    one[:, 0] = 1
    row, patch, leak = s.row.copy(), s.patch.copy(), bank.leak.copy()
    row[neuron], patch[neuron] = len(s.weight), len(s.taps) + np.arange(n)
    leak[neuron] = bank.threshold[neuron] - 1
    wired = Synapses(weight=np.concatenate([s.weight, one]), taps=np.concatenate([s.taps, taps]), row=row, patch=patch)
    return replace(bank, synapses=wired, leak=leak)


def members(banks: Sequence[Bank], signal: I64) -> tuple[I64, I64]:
    """The neurons that feed axons with these signals: positions in `signal`, rising, and one feeder each."""
    which, feeder = np.arange(len(signal)), signal.astype(np.int64)
    for bank in banks:
        if bank.role != MERGE:
            continue
        hit = (feeder >= bank.first) & (feeder < bank.first + bank.neurons)
        if not hit.any():
            continue
        taps = bank.synapses.taps[feeder[hit] - bank.first].astype(np.int64)
        row, at = np.nonzero(taps != NO_TAP)
        which = np.concatenate([which[~hit], which[hit][row]])
        feeder = np.concatenate([feeder[~hit], taps[row, at]])
    order = np.argsort(which, kind="stable")
    return which[order], feeder[order]
