"""Bundles: neurons that read the same sources, cut so that the axons of each bundle fit one core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I32, I64, Array
from spikebnn.partition.types import Bank
from spikebnn.threshold import NO_TAP


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Some neurons of one patch and the axons they need."""

    neuron: I32  # (neurons,); of the bank
    key: I64  # (axons,); signal + signals * index of the weight, or the signal for lists
    nnz: I64 | None  # (axons,) of neurons with a synapse there; None: all of them


def bundles(bank: Bank, wanted: Array, values: tuple[int, ...], signals: int, limit: int) -> Iterator[Bundle]:
    """Yield the bundles of the wanted neurons in the order of their patches; `values` is empty for synapse lists."""
    s = bank.synapses
    mine = np.flatnonzero(wanted)
    if not len(mine):
        return
    order = mine[np.lexsort((s.row[mine], s.patch[mine]))]
    edges = np.flatnonzero(np.diff(s.patch[order], prepend=-1))
    stops = np.append(edges[1:], len(order))
    cache: dict[tuple[bytes, bytes], list[tuple[Array, Array, Array, Array | None]]] = {}
    for a, b in zip(edges.tolist(), stops.tolist(), strict=True):
        neuron = order[a:b]
        rows, taps = s.row[neuron], s.taps[s.patch[neuron[0]]]
        plugged = taps != NO_TAP
        name = (rows.tobytes(), plugged.tobytes())
        if name not in cache:
            cache[name] = _cut(s.weight[rows], plugged, values, limit)
        for some, kind, tap, nnz in cache[name]:
            key = taps[tap].astype(np.int64) + signals * kind
            if values:  # digits of weights tap a signal in several places
                key = np.unique(key)
            yield Bundle(neuron[some].astype(np.int32), key, nnz)


def _cut(
    weight: Array, plugged: Array, values: tuple[int, ...], limit: int
) -> list[tuple[Array, Array, Array, Array | None]]:
    """Neurons, kinds of weight, taps and synapse counts of each piece."""
    need = np.stack([weight == v for v in values]) if values else (weight != 0)[None]
    need = need & plugged  # (kinds, neurons, taps)
    need = need.transpose(1, 0, 2).reshape(len(weight), -1)
    out = []
    for some in _covers(need, limit):
        where = np.flatnonzero(need[some].any(axis=0))
        kind, tap = np.divmod(where, len(plugged))
        full = need[some][:, where]
        out.append((some, kind, tap, None if values or full.all() else full.sum(axis=0)))
    return out


def _covers(need: Array, limit: int) -> Iterator[Array]:
    """Groups of neurons (rows of `need`) whose axons together stay within `limit`, grown by the least new axons."""
    if int(need.any(axis=0).sum()) <= limit:
        yield np.arange(len(need))
        return
    left = np.arange(len(need))
    while len(left):
        have = need[left[0]].copy()
        taken, rest = [0], np.arange(1, len(left))
        while len(rest):
            new = (need[left[rest]] & ~have).sum(axis=1)
            best = int(new.argmin())
            if int(have.sum()) + int(new[best]) > limit:
                break
            have |= need[left[rest[best]]]
            taken.append(int(rest[best]))
            rest = np.delete(rest, best)
        yield np.sort(left[taken])
        left = np.delete(left, taken)
