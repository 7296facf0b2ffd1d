"""Discrepancy: axons that columns of unlike signs take at least, because hardly any of them can share all their axons.

A core has one axon for each signal and weight that any of its columns reads, whatever the others do with it. Columns of
N cells a core, of which m on one core tap signal a, l of them through the weight v: let x = l / (p N), t = m / N.

    1 axon if l > 0, else 0  >=  x (1 + t - x)  for every p, since x (1 + t - x) <= (1 + t)^2 / 4 <= 1 where t <= 1.

With x = t + e this is t + e - t e - e^2. Where weights are +v and -v and u = l+ + l- columns read a, s = l+ - l-,

    axons of a  >=  2 u / N - (s / N)^2,   for two axons because u <= N, for one because then s = u and (1 - u / N)^2 >= 0.

Summed over signals and cores, u and x count synapses, which no packing changes. The squares are |E y|^2 for the 0/1 choice
y of a core's columns, so all of them together are at most (norm of E)^2 times the columns. This norm is small where signs
are like random ones: about sqrt(signals) + sqrt(neurons), against sqrt(signals * neurons) where columns are equal.
Of c copies of a neuron a core may hold all: y^T diag(1 / c) y is still at most the number of columns. Rows that are equal
or opposite go together: opposite ones cancel. Patches that share signals: a signal tapped by r patches has at most r times
the sum of their squares. t e summed over a column is a mean, over the patches q on its core, of the sum of E over what it
taps of q; the largest over all q is taken. All that is asked of a packing is that each neuron has its copies or more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import I32, I64, Array
from spikebnn.partition.types import Bank
from spikebnn.threshold import NO_TAP

MARGIN = 1e-6  # by which a computed eigenvalue is raised: more than n^3 roundings for n = 1024
WORK = 1 << 31  # multiplications that one norm, over all its kinds of patches, may take
CELLS = 1 << 24  # cells of a table
MOST = 64  # sets of readers that are looked at for one bank
EVEN = 0.05  # shares of synapses this near to a half count as a half, so that opposite rows cancel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """The columns of a bank as readers of signals that another neuron of the bank taps too."""

    weight: Array  # (rows, taps)
    taps: I32  # (patches, taps); NO_TAP where nobody else listens
    row: I64  # (neurons,)
    patch: I64  # (neurons,)
    times: I64  # (neurons,); columns of each
    low: int  # first and last signal that is tapped
    high: int
    values: frozenset[int]  # weights


def columns_of(bank: Bank, copies: I64, signals: int) -> Columns | None:
    """The columns of a bank with `copies` (neurons,) each; None where no signal has two listeners, or one listens twice."""
    s, mine = bank.synapses, np.flatnonzero(copies)
    own, patch = np.unique(s.patch[mine], return_inverse=True)
    patch = patch.reshape(-1)
    taps = s.taps[own]
    sorted_taps = np.sort(taps, axis=1)
    if ((sorted_taps[:, 1:] == sorted_taps[:, :-1]) & (sorted_taps[:, 1:] != NO_TAP)).any():
        return None
    crowd = np.bincount(patch, minlength=len(own))
    some = taps != NO_TAP
    heard = np.bincount(taps[some], np.broadcast_to(crowd[:, None], taps.shape)[some], signals)
    taps = np.where(some & (heard[taps] > 1), taps, np.int32(NO_TAP))
    found = _columns(s.weight, taps, s.row[mine].astype(np.int64), patch, copies[mine])
    return found if found.taps.size else None


def _columns(weight: Array, taps: Array, row: I64, patch: I64, times: I64) -> Columns:
    """Columns without taps that nobody uses, equal patches as one."""
    live = (taps != NO_TAP).any(axis=0)
    rows, row = np.unique(row, return_inverse=True)
    taps = taps[:, live]
    if (taps == taps[:1]).all():
        taps, same = taps[:1], np.zeros(len(taps), np.int64)
    else:
        taps, same = np.unique(taps, axis=0, return_inverse=True)
    return Columns(
        weight=weight[rows][:, live], taps=taps, row=row.reshape(-1), patch=same.reshape(-1)[patch], times=times,
        low=int(taps[taps != NO_TAP].min(initial=2**31 - 1)), high=int(taps.max(initial=NO_TAP)),
        values=frozenset(np.unique(weight[rows]).tolist()),
    )


def axons_of(readers: Sequence[Columns], first: int, last: int, counts: Mapping[int, I64], room: int) -> int:
    """Axons that any packing on cores of `room` columns spends on the signals first..last-1, all cores together.

    `counts` (signals,) for each weight are the columns that read a signal through it: each of these keys takes
    count / room axons by itself, rounded up; all keys that the same banks share take more if the discrepancy says so.
    """
    alone = {value: np.zeros(last - first, np.int64) for reader in readers for value in reader.values}
    alone |= {value: -(-count[first:last] // room) for value, count in counts.items()}
    total = sum(int(least.sum()) for least in alone.values())
    near = [c for c in readers if c.low < last and c.high >= first]
    for value in sorted({abs(v) for v in counts}):
        apart = both = 0
        for v in (value, -value):
            for c, heard in _shared([c for c in near if v in c.values], first, last):
                apart += _single(c, v, int(alone[v][heard].sum()), room)
        if any({value, -value} <= c.values for c in near):
            for c, heard in _shared([c for c in near if {value, -value} & c.values], first, last):
                both += _pair(c, value, int((alone[value] + alone[-value])[heard].sum()), room)
        total += max(apart, both)
    return total


def _shared(readers: Sequence[Columns], first: int, last: int) -> Iterator[tuple[Columns, Array]]:
    """Signals with the same readers: all columns that read them as one reader's, and which of first..last-1 they are."""
    if not readers:
        return
    heard = np.zeros((len(readers), last - first + 1), bool)
    for k, c in enumerate(readers):
        heard[k, np.where((c.taps >= first) & (c.taps < last), c.taps - first, last - first)] = True
    heard = heard[:, :-1]
    kinds, kind = np.unique(np.packbits(heard, axis=0), axis=1, return_inverse=True)
    kind = kind.reshape(-1)
    size = np.bincount(kind, minlength=kinds.shape[1])
    for k in np.argsort(-size, kind="stable")[:MOST].tolist():
        inside = kind == k
        some = [readers[n] for n in np.flatnonzero(heard[:, inside].any(axis=1))]
        if some:
            yield _joined([_only(c, inside, first) for c in some]), inside


def _only(c: Columns, inside: Array, first: int) -> Columns:
    """The columns as readers of some signals."""
    at = np.where((c.taps >= first) & (c.taps < first + len(inside)), c.taps - first, len(inside))
    keep = np.append(inside, False)[at]
    return c if (keep == (c.taps != NO_TAP)).all() else replace(c, taps=np.where(keep, c.taps, np.int32(NO_TAP)))


def _joined(some: Sequence[Columns]) -> Columns:
    """All columns of several readers as those of one."""
    if len(some) == 1 and (some[0].taps != NO_TAP).any(axis=0).all():
        return some[0]
    if len(some) == 1:
        return _columns(some[0].weight, some[0].taps, some[0].row, some[0].patch, some[0].times)
    wide = max(c.taps.shape[1] for c in some)
    weight = [np.pad(c.weight, ((0, 0), (0, wide - c.taps.shape[1]))) for c in some]
    taps = [np.pad(c.taps, ((0, 0), (0, wide - c.taps.shape[1])), constant_values=NO_TAP) for c in some]
    rows, patches = (np.cumsum([0, *(len(a) for a in arrays)]) for arrays in (weight, taps))
    return _columns(
        np.concatenate(weight), np.concatenate(taps), np.concatenate([c.row + n for c, n in zip(some, rows)]),
        np.concatenate([c.patch + n for c, n in zip(some, patches)]), np.concatenate([c.times for c in some]),
    )


def _pair(c: Columns, value: int, least: int, room: int) -> int:
    """Axons beyond the `least` that the keys of a weight and its negative take together."""
    free = 2 * _synapses(c, np.abs(c.weight) == value) / room
    if free <= least:
        return 0
    sign = np.where(np.abs(c.weight) == value, np.sign(c.weight), 0).astype(np.int8)
    return max(0, _up(free - _square(c, sign, None) / room**2) - least)


def _single(c: Columns, value: int, least: int, room: int) -> int:
    """Axons beyond the `least` that the keys of one weight take together."""
    on = c.weight == value
    filled = _synapses(c, on)
    share = filled / _synapses(c, np.ones_like(on))
    share = 0.5 if abs(share - 0.5) < EVEN else share
    if not filled or filled / share / room <= least:
        return 0
    leaning = _leaning(c, on / share - 1)
    if leaning is None or (free := filled / share / room - leaning / room) <= least:
        return 0
    square = _square(c, np.where(on, 1, -1), None) if share == 0.5 else _square(c, on, share)
    return max(0, _up(free - square / room**2) - least)


def _up(least: float) -> int:
    """The whole number that is not below `least`, which may be off by rounding; 0 where nothing is known."""
    return int(np.ceil(least * (1 - 1e-9) - 1e-6)) if least > 0 else 0


def _synapses(c: Columns, on: Array) -> int:
    """Synapses of all columns through marked weights (rows, taps)."""
    code, at = np.unique(c.row * len(c.taps) + c.patch, return_inverse=True)
    row, patch = np.divmod(code, len(c.taps))
    times = np.bincount(at.reshape(-1), c.times).astype(np.int64)
    plugged = c.taps != NO_TAP
    if plugged.all():
        return int((on.sum(axis=1, dtype=np.int64)[row] * times).sum())
    kinds, kind = np.unique(plugged, axis=0, return_inverse=True)
    table = on.astype(np.float64) @ kinds.T.astype(np.float64)
    return int((np.rint(table).astype(np.int64)[row, kind.reshape(-1)[patch]] * times).sum())


def _leaning(c: Columns, deviation: Array) -> float | None:
    """The most that deviations over what two patches share sum to, for all columns; None where that is too much work."""
    shared = _overlaps(c.taps)
    if shared is None or len(shared) * len(deviation) > CELLS:
        return None
    most = np.maximum((deviation @ shared.T.astype(np.float64)).max(axis=1, initial=0.0), 0.0)
    return float(most[c.row] @ c.times)


def _overlaps(taps: I32) -> Array | None:
    """Which of its taps a patch has in common with one, itself included, each set once; (sets, taps)."""
    p, at = np.nonzero(taps != NO_TAP)
    order = np.argsort(taps[p, at], kind="stable")
    p, at = p[order], at[order]
    signal = taps[p, at]
    begin, end = (np.searchsorted(signal, signal, side) for side in ("left", "right"))
    many = end - begin
    if int(many.sum()) > CELLS:
        return None
    mine = np.repeat(np.arange(len(p)), many)
    theirs = np.arange(len(mine)) + np.repeat(begin - (np.cumsum(many) - many), many)
    pair, where = np.unique(p[mine] * len(taps) + p[theirs], return_inverse=True)
    if len(pair) * taps.shape[1] > CELLS << 2:
        return None
    masks = np.zeros((len(pair), taps.shape[1]), bool)
    masks[where.reshape(-1), at[mine]] = True
    packed = np.unique(np.packbits(masks, axis=1), axis=0)
    return np.asarray(np.unpackbits(packed, axis=1, count=taps.shape[1]).astype(bool))


def _square(c: Columns, e: Array, share: float | None) -> float:
    """At least the sum over cores and signals of the squared deviations; infinite where finding it is too much work.

    Deviations (rows, taps) are `e`, with a share e / share - 1. Patches with the same rows are of one kind, with one norm.
    """
    patches, rows = len(c.taps), len(e)
    crowd = int(np.bincount(c.taps[c.taps != NO_TAP]).max())
    if patches * rows > CELLS:
        return np.inf
    times = np.bincount(c.patch * rows + c.row, c.times, patches * rows).reshape(patches, rows)
    kinds, kind = np.unique(np.packbits(times > 0, axis=1), axis=0, return_inverse=True)
    kind, total, work = kind.reshape(-1), 0.0, 0
    for k in range(len(kinds)):
        most = times[kind == k].max(axis=0)
        some = np.flatnonzero(most)
        work += len(some) * e.shape[1] * min(len(some), e.shape[1])
        if work > WORK:
            return np.inf
        total += crowd * _norm(e[some].astype(np.int8), share, most[some]) * float(times[kind == k].sum())
    return total


def _norm(e: Array, share: float | None, times: Array) -> float:
    """At least the largest eigenvalue of E^T diag(c) E, E as in `_square`, copies c; equal and opposite rows are one."""
    lead = np.take_along_axis(e, (e != 0).argmax(axis=1)[:, None], axis=1)[:, 0] < 0
    rows, which = np.unique(np.where(lead[:, None], -e, e), axis=0, return_inverse=True)
    side = np.zeros((2, len(rows)))
    np.add.at(side, (lead.astype(int), which.reshape(-1)), times)
    scaled = (rows if share is None else rows / share - 1) * np.sqrt(side.max(axis=0))[:, None]
    gram = scaled.T @ scaled if scaled.shape[1] <= len(scaled) else scaled @ scaled.T
    return float(np.linalg.eigvalsh(gram)[-1]) * (1 + MARGIN)
