"""Pieces: neurons of one patch that read the same sources, cut so that the axons of each piece fit one core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I32, I64, Array
from spikebnn.partition.types import Bank
from spikebnn.threshold import NO_TAP, Synapses

CHUNK = 1 << 23  # cells looked at at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """All pieces of a bank, end to end, in the order of their patches."""

    neuron: I32  # (neurons,); of the bank, piece by piece
    first: I64  # (pieces + 1,); where a piece's neurons begin
    key: I64  # (keys,); signal + signals * index of the weight, or the signal for lists; piece by piece
    start: I64  # (pieces + 1,); where a piece's keys begin
    nnz: I64  # (keys,); neurons of the piece with a synapse there


def pieces(bank: Bank, wanted: Array, values: tuple[int, ...], signals: int, limit: int) -> Pieces:
    """The pieces of the wanted neurons (neurons,); `values` is empty for synapse lists."""
    s = bank.synapses
    mine = np.flatnonzero(wanted)
    order = mine[np.lexsort((s.row[mine], s.patch[mine]))]
    begin = np.flatnonzero(np.diff(s.patch[order], prepend=-1))
    bounds = np.append(begin, len(order))
    kind = _kinds(s.row[order], bounds)
    twice = bool(values) and _taps_twice(s)
    neurons: list[Array] = []
    sizes: list[Array] = []
    keys: list[Array] = []
    counts: list[Array] = []
    filled: list[Array] = []
    for some in _chunks(bounds, kind, s.taps.shape[1] * max(1, len(values))):
        _, lead, shape = np.unique(kind[some], return_index=True, return_inverse=True)
        lead = some[lead]
        count = _counted(s, order, bounds, lead, values)  # (shapes, kinds * taps)
        taps = s.taps[s.patch[order[bounds[some]]]]
        plugged = np.tile(taps != NO_TAP, (1, max(1, len(values))))
        cells = count[shape.reshape(-1)] * plugged
        row, at = np.nonzero(cells)
        digit, tap = np.divmod(at, s.taps.shape[1])
        key, nnz = taps[row, tap].astype(np.int64) + signals * digit, cells[row, at].astype(np.int64)
        if twice:  # digits of weights tap a signal in several places
            code, where = np.unique(row * (signals * len(values)) + key, return_inverse=True)
            row, key = np.divmod(code, signals * len(values))
            nnz = np.bincount(where.reshape(-1), nnz).astype(np.int64)
        each = np.bincount(row, minlength=len(some))
        wide = each > limit
        size = np.diff(bounds)[some]
        if not wide.any():
            own = np.arange(int(size.sum())) + np.repeat(bounds[some] - (np.cumsum(size) - size), size)
            neurons.append(order[own])
            sizes.append(size)
            keys.append(key)
            counts.append(nnz)
            filled.append(each)
            continue
        edges = np.append(0, np.cumsum(each))
        for n, k in enumerate(some.tolist()):
            group = order[bounds[k] : bounds[k + 1]]
            for part, part_key, part_nnz in (
                _covered(s, group, values, signals, limit)
                if wide[n]
                else [(group, key[edges[n] : edges[n + 1]], nnz[edges[n] : edges[n + 1]])]
            ):
                neurons.append(part)
                sizes.append(np.array([len(part)]))
                keys.append(part_key)
                counts.append(part_nnz)
                filled.append(np.array([len(part_key)]))
    none = [np.zeros(0, np.int64)]
    return Pieces(
        neuron=np.concatenate(none + neurons).astype(np.int32), first=_bounds(sizes),
        key=np.concatenate(none + keys), start=_bounds(filled), nnz=np.concatenate(none + counts),
    )


def _bounds(sizes: list[Array]) -> I64:
    return np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *sizes]))]).astype(np.int64)


def _kinds(row: I32, bounds: I64) -> I64:
    """Equal numbers for groups with equal rows; (groups,). Found by a sum of random numbers, and then compared."""
    size, first = np.diff(bounds), bounds[:-1]
    if not len(size):
        return np.zeros(0, np.int64)
    rng = np.random.default_rng(0)
    name = rng.integers(0, 2**63, int(row.max()) + 1, np.uint64)
    told = np.add.reduceat(name[row], first) + rng.integers(0, 2**63, int(size.max()) + 1, np.uint64)[size]
    lead, kind = np.unique(told, return_index=True, return_inverse=True)[1:]
    kind = kind.reshape(-1).astype(np.int64)
    twin = np.arange(len(row)) + np.repeat(first[lead][kind] - first, size)
    alike = np.logical_and.reduceat(row[np.minimum(twin, len(row) - 1)] == row, first) & (size[lead][kind] == size)
    return np.where(alike, kind, len(lead) + np.arange(len(kind)))


def _chunks(bounds: I64, kind: I64, width: int) -> Iterator[I64]:
    """Numbers of groups, as many at once as memory allows."""
    fresh = np.zeros(len(kind), np.int64)
    fresh[np.unique(kind, return_index=True)[1]] = 1
    load = np.cumsum((np.diff(bounds) * fresh + 1) * max(1, width)) if len(kind) else np.zeros(0, np.int64)
    for k in np.unique(load // CHUNK):
        yield np.flatnonzero(load // CHUNK == k)


def _counted(s: Synapses, order: I64, bounds: I64, lead: I64, values: tuple[int, ...]) -> I32:
    """How many neurons of each leading group have a synapse of each kind on each tap; (groups, kinds * taps)."""
    taps = s.taps.shape[1]
    out = np.zeros((len(lead), max(1, len(values)), taps), np.int32)
    size = np.diff(bounds)[lead]
    step = max(1, CHUNK // max(1, taps))
    if len(lead) and int(size.max()) > step:
        for n, k in enumerate(lead.tolist()):
            for a in range(int(bounds[k]), int(bounds[k + 1]), step):
                weight = s.weight[s.row[order[a : min(a + step, int(bounds[k + 1]))]]]
                for v, on in enumerate(_on(weight, values)):
                    out[n, v] += on.sum(axis=0, dtype=np.int32)
        return out.reshape(len(lead), -1)
    ends = np.cumsum(size)
    for block in np.split(np.arange(len(lead)), np.flatnonzero(np.diff(ends // step)) + 1):
        if not len(block):
            continue
        each = size[block]
        own = np.arange(int(each.sum())) + np.repeat(bounds[lead[block]] - (np.cumsum(each) - each), each)
        weight = s.weight[s.row[order[own]]]
        for v, on in enumerate(_on(weight, values)):
            out[block, v] = np.add.reduceat(on, np.cumsum(each) - each, axis=0, dtype=np.int32)
    return out.reshape(len(lead), -1)


def _on(weight: Array, values: tuple[int, ...]) -> list[Array]:
    return [weight == v for v in values] if values else [weight != 0]


def _taps_twice(s: Synapses) -> bool:
    """Whether some patch taps a signal twice."""
    step = max(1, CHUNK // max(1, s.taps.shape[1]))
    for k in range(0, len(s.taps), step):
        taps = np.sort(s.taps[k : k + step], axis=1)
        if ((taps[:, 1:] == taps[:, :-1]) & (taps[:, 1:] != NO_TAP)).any():
            return True
    return False


def _covered(
    s: Synapses, group: I64, values: tuple[int, ...], signals: int, limit: int
) -> Iterator[tuple[I64, I64, I64]]:
    """A group with too many axons as pieces: neurons, keys and counts."""
    taps = s.taps[s.patch[group[0]]]
    plugged = taps != NO_TAP
    rows, row = np.unique(s.row[group], return_inverse=True)
    need = np.stack(_on(s.weight[rows], values)) & plugged  # (kinds, rows, taps)
    tap_key = taps.astype(np.int64) + signals * np.arange(len(need))[:, None]
    seen, where = np.unique(np.where(plugged, tap_key, -1), return_inverse=True)
    have = np.zeros((len(rows), len(seen)), bool)
    k, r, t = np.nonzero(need)
    have[r, where.reshape(tap_key.shape)[k, t]] = True
    for some in _covers(have, limit):
        members = np.flatnonzero(np.isin(row.reshape(-1), some))
        on = have[row.reshape(-1)[members]]
        used = np.flatnonzero(on.any(axis=0))
        yield group[members], seen[used], on[:, used].sum(axis=0)


def _covers(need: Array, limit: int) -> Iterator[Array]:
    """Groups of rows of `need` whose axons together stay within `limit`, grown by the least new axons."""
    left = np.arange(len(need))
    while len(left):
        mine = need[left]
        free = np.ones(len(left), bool)
        have, more, load = np.zeros(need.shape[1], bool), mine.sum(axis=1), 0
        best = 0
        while load + int(more[best]) <= limit:
            free[best] = False
            fresh = np.flatnonzero(mine[best] & ~have)
            have[fresh] = True
            load += len(fresh)
            if not free.any():
                break
            more = more - mine[:, fresh].sum(axis=1)
            best = int(np.where(free, more, len(have) + 1).argmin())
        if free.all():  # a row that is wider than a core
            free[0] = False
        yield left[~free]
        left = left[free]
