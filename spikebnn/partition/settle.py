"""Settle a network before it is cut: fold signs into weights, add up repeated taps, take constants out.

A neuron whose threshold no sum reaches is never heard, one that every sum reaches always fires; their readers
get them as a change of threshold, and no synapse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import I16, I32, I64, Array, door
from spikebnn.partition.types import total, used
from spikebnn.threshold import NO_TAP, Synapses, ThresholdNetwork

NEVER, ALWAYS, LIVE = range(3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settled:
    """A layer (or the readout) ready to be cut: fires when the sum of its synapses reaches `threshold`."""

    name: str
    kind: str
    synapses: Synapses  # signs folded in; no tap on a constant neuron, no tap twice
    threshold: I64  # (neurons,); the readout: minus the sum that its constant sources add
    low: I64  # (neurons,); smallest and largest reachable sum
    high: I64
    live: Array  # (neurons,); False for a neuron that is constant
    first: int
    shape: tuple[int, ...]
    way: tuple[I64, I64] | None = None  # (neurons,) each; as low and high, if the axons of one source can come one by one

    @property
    def reach(self) -> tuple[I64, I64]:
        """The furthest that V goes down and up while its axons are added, in whatever order."""
        return (self.low, self.high) if self.way is None else self.way


def settle(network: ThresholdNetwork, most: int) -> tuple[tuple[Settled, ...], Settled]:
    """The layers and the readout without constants; `most` is the largest count of an input bit in a frame."""
    state = np.full(network.bits + 1, LIVE, np.int8)
    state[-1] = NEVER  # NO_TAP is -1
    count = np.ones(network.bits + 1, np.int64)
    count[: network.inputs] = most
    count[-1] = 0
    layers: list[Settled] = []
    for layer in network.layers:
        settled = _settle(layer.synapses, layer.sign < 0, layer.threshold.astype(np.int64), state, count)
        settled = replace(settled, name=layer.name, kind=layer.kind, first=layer.first, shape=layer.shape)
        state[layer.first : layer.first + layer.neurons] = np.where(
            settled.live, LIVE, np.where(settled.threshold <= settled.low, ALWAYS, NEVER)
        )
        layers.append(settled)
    none = np.zeros(network.readout.synapses.neurons, bool)
    scores = _settle(network.readout.synapses, none, np.zeros(len(none), np.int64), state, count)
    return tuple(layers), replace(scores, name=network.readout.name)


def _settle(synapses: Synapses, falling: Array, threshold: I64, state: Array, count: I64) -> Settled:
    weight, row = synapses.weight, synapses.row
    if falling.any():
        weight = np.concatenate([weight, -weight])
        row = np.where(falling, row + len(synapses.weight), row).astype(np.int32)
    synapses = used(Synapses(weight=weight, taps=synapses.taps, row=row, patch=synapses.patch))
    told = state[synapses.taps]
    if (told == ALWAYS).any():
        mark = (told == ALWAYS).astype(np.int64)
        threshold = threshold - total(synapses.weight, mark, synapses.row, synapses.patch)
    synapses = merged(
        Synapses(
            weight=synapses.weight,
            taps=np.where(told == LIVE, synapses.taps, NO_TAP).astype(np.int32),
            row=synapses.row,
            patch=synapses.patch,
        )
    )
    mark = count[synapses.taps]
    low = total(np.minimum(synapses.weight, 0), mark, synapses.row, synapses.patch)
    high = total(np.maximum(synapses.weight, 0), mark, synapses.row, synapses.patch)
    return Settled(
        name="",
        kind="readout",
        synapses=frozen(synapses),
        threshold=threshold,
        low=low,
        high=high,
        live=(threshold > low) & (threshold <= high),
        first=0,
        shape=(),
    )


def frozen(synapses: Synapses) -> Synapses:
    """The same synapses with read-only arrays."""
    return Synapses(
        weight=door(synapses.weight, np.int16, None, None),
        taps=door(synapses.taps, np.int32, None, None),
        row=door(synapses.row, np.int32, None),
        patch=door(synapses.patch, np.int32, None),
    )


def merged(synapses: Synapses) -> Synapses:
    """Add up the weights of a signal that a patch taps more than once; other patches stay shared."""
    taps = np.sort(synapses.taps, axis=1)
    twice = ((taps[:, 1:] == taps[:, :-1]) & (taps[:, 1:] != NO_TAP)).any(axis=1)
    hit = twice[synapses.patch]
    if not hit.any():
        return synapses
    pairs, pair = np.unique(np.stack([synapses.patch[hit], synapses.row[hit]]), axis=1, return_inverse=True)
    new_taps = synapses.taps.copy()
    weights: list[I16] = [synapses.weight]
    for patch in np.flatnonzero(twice):
        rows = pairs[1, pairs[0] == patch]
        new_taps[patch], summed = _merge_patch(synapses.taps[patch], synapses.weight[rows])
        weights.append(summed)
    row = synapses.row.copy()
    row[hit] = len(synapses.weight) + pair.reshape(-1)
    return used(Synapses(weight=np.concatenate(weights), taps=new_taps, row=row, patch=synapses.patch))


def _merge_patch(taps: I32, weight: I16) -> tuple[I32, I16]:
    sources, where = np.unique(taps, return_inverse=True)
    summed = np.zeros((len(sources), len(weight)), np.int16)
    np.add.at(summed, where.reshape(-1), weight.T)
    out_taps = np.full(len(taps), NO_TAP, np.int32)
    out_weight = np.zeros(weight.shape, np.int16)
    real: Sequence[int] = np.flatnonzero(sources != NO_TAP).tolist()
    out_taps[: len(real)] = sources[real]
    out_weight[:, : len(real)] = summed[real].T
    return out_taps, out_weight
