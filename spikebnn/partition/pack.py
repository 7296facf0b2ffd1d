"""Packing: fill cores with pieces of a bank, neighbours first, so that they share axons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import I32, I64, Array
from spikebnn.partition.bundle import Pieces, pieces
from spikebnn.partition.pulse import values_of
from spikebnn.partition.room import Room, room_of
from spikebnn.partition.tile import Way, laid, sample, ways
from spikebnn.partition.types import Bank, Part
from spikebnn.program import SUBTRACT
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP

SAMPLE = 1 << 15  # keys that an order is tried on, for about so many pieces at least:
LEAST = 256
TRY_CORES = 16  # cores that an order is tried on
SMALL = 12  # pieces of a crossbar core that are not torn, so that `mixed` can deal them out anew
FINALS = 2  # orders that are tried in full
FEWEST = 32  # a gap is not filled with less than this part of a core's columns


class NoRoom(Exception):
    """A single neuron does not fit an empty core."""


Tried = dict[tuple[str, str, int, int, float], list[tuple[Way, bool]]]  # orders that were found for a bank


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What is left on a core that other banks have begun to fill."""

    cells: int  # neurons, as the target counts them
    axons: int
    edges: int
    bits: int


def pack(
    bank: Bank, index: int, copies: I64, edges: I64, late: Array, target: Target, price: float = 0.0,
    gaps: Sequence[Gap] = (), tried: Tried | None = None, share: float = 1.0,
) -> list[tuple[Part, int | None]]:
    """Parts that hold `copies` (neurons,) columns of each neuron, each with the gap that it fills, or None.

    Each column leaves over `edges` (neurons,); `late` (signals,) marks sources that need a delay of their own; `price`
    is what an axon costs in cores; `tried` remembers the orders of banks that are packed again; no more than a `share`
    of a core's columns is taken. Orders
    of the pieces by tiles of many shapes are tried on a box from the middle, each with pieces kept whole
    and torn; the cheapest ones are tried in full. Raises NoRoom where one neuron does not fit an empty core.
    """
    values = values_of(bank.synapses.weight) if target.synapse.format == "crossbar" else ()
    room, signals = room_of(bank, target), len(late)
    room = replace(room, columns=min(room.columns, max(1, int(share * room.columns))))
    cut = pieces(bank, copies > 0, values, signals, room.axons)
    if not len(cut.neuron):
        return []
    if room.columns < 1:
        raise NoRoom
    spot = bank.spot[cut.neuron[cut.first[:-1]]]
    name = (bank.name, bank.role, len(cut.first), len(cut.key), price)
    if tried is None or name not in tried:
        finals = _chosen(cut, spot, copies, edges, late, signals, room, price)
        if tried is not None:
            tried[name] = finals
    else:
        finals = tried[name]
    best: tuple[float, list[tuple[Part, int | None]]] | None = None
    for way, tear in finals:
        line = _line(cut, laid(spot, way), copies, edges, late, signals)
        cores = _fill(line, room, tear, None, [_narrowed(room, gap, bank, target) for gap in gaps])
        cost = _cost(cores, price)
        if best is None or cost < best[0]:
            best = cost, [(_part(bank, index, line, core, values, signals), core.gap) for core in cores]
    assert best is not None
    return best[1]


def _chosen(
    cut: Pieces, spot: Array, copies: I64, edges: I64, late: Array, signals: int, room: Room, price: float
) -> list[tuple[Way, bool]]:
    """The orders, with pieces torn or whole, that cost least on a sample."""
    if len(np.unique(cut.key)) == len(cut.key):  # nothing is shared, whatever the order
        whole = ((1, 1, 0), False)
        largest = int(np.add.reduceat(copies[cut.neuron], cut.first[:-1]).max())
        return [whole] if room.typed and largest * SMALL <= room.columns else [whole, ((1, 1, 0), True)]
    some = sample(spot, max(LEAST, SAMPLE * len(spot) // max(1, len(cut.key))))
    seen: set[bytes] = set()
    costs: list[tuple[float, Way, bool]] = []
    for way in ways(spot):
        order = laid(spot[some], way)
        if order.tobytes() in seen:
            continue
        seen.add(order.tobytes())
        line = _line(cut, some[order], copies, edges, late, signals)
        costs += [(_cost(_fill(line, room, tear, TRY_CORES), price), way, tear) for tear in (False, True)]
    return [(way, tear) for _, way, tear in sorted(costs, key=lambda cost: cost[0])[:FINALS]]


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """Pieces in one order, and when each of their keys comes the time before and after."""

    who: I32  # (columns,); neuron
    column: I64  # (pieces + 1,); first column of each piece
    sent: I64  # (columns + 1,); outgoing edges of the columns before
    start: I64  # (pieces + 1,); first key of each piece
    key: I64  # (keys,)
    slot: I64  # (keys,); equal for equal keys
    slots: int
    piece: I64  # (keys,)
    before: I64  # (keys,); the piece before that has the key, or -1
    after: I64  # (keys,); the piece after that has it, or the number of pieces
    cells: I64  # (keys,); synapses of the whole piece
    chain: I64  # (keys,); synapses of a key from its first piece to this one
    late: I64  # (keys,); 1 where the delay takes bits
    full: bool  # every neuron of a piece reads all of its keys


def _line(cut: Pieces, order: I64, copies: I64, edges: I64, late: Array, signals: int) -> _Line:
    members = _spread(cut.first, order)
    who = cut.neuron[members]
    each = copies[who]
    size = np.diff(cut.first)[order]
    column = np.append(0, np.cumsum(each))[np.append(0, np.cumsum(size))]
    keys, many = _spread(cut.start, order), np.diff(cut.start)[order]
    piece = np.repeat(np.arange(len(order)), many)
    key = cut.key[keys]
    found, slot = np.unique(key, return_inverse=True)
    slot = slot.reshape(-1)
    chained = np.argsort(slot, kind="stable")
    wide = np.diff(column)
    cells = np.where(wide[piece] == size[piece], cut.nnz[keys], wide[piece])
    before, after = np.full(len(key), -1), np.full(len(key), len(order))
    same = slot[chained][1:] == slot[chained][:-1]
    before[chained[1:][same]] = piece[chained[:-1][same]]
    after[chained[:-1][same]] = piece[chained[1:][same]]
    run = np.cumsum(cells[chained])
    chain = np.empty(len(key), np.int64)
    chain[chained] = run
    column_of = np.repeat(who, each)
    full = cut.nnz == np.repeat(np.diff(cut.first), np.diff(cut.start))
    return _Line(
        who=column_of, column=column, sent=np.append(0, np.cumsum(edges[column_of])), start=np.append(0, np.cumsum(many)),
        key=key, slot=slot, slots=len(found), piece=piece, before=before, after=after, cells=cells, chain=chain,
        late=late[key % signals].astype(np.int64), full=bool(full.all()),
    )


def _spread(bounds: I64, order: I64) -> I64:
    """The members of groups in an order; `bounds` (groups + 1,) says where each begins."""
    size = np.diff(bounds)[order]
    return np.asarray(np.arange(int(size.sum())) + np.repeat(bounds[:-1][order] - (np.cumsum(size) - size), size))


@dataclass(frozen=True, slots=True, eq=False)
class _Filled:
    """A core's columns of a line, its keys, and what it takes."""

    first: int
    last: int  # one past
    keys: I64  # positions in the line's keys, each key once
    torn: bool  # a piece is there only in part
    bits: int
    asked: int  # axons
    gap: int | None


def _narrowed(room: Room, gap: Gap, bank: Bank, target: Target) -> Room:
    """The room of a gap."""
    per_neuron = target.core.neurons_per_subtract if bank.reset == SUBTRACT else 1
    return replace(
        room, columns=min(room.columns, gap.cells // per_neuron), axons=min(room.axons, gap.axons - bank.controls),
        edges=None if room.edges is None else gap.edges, bits=None if room.bits is None else gap.bits,
    )


def _cost(cores: Sequence[_Filled], price: float) -> float:
    """Cores and the price of axons per column; a last core that is not full counts by its share."""
    columns = cores[-1].last - cores[0].first
    count = float(sum(core.gap is None for core in cores))
    if len(cores) == TRY_CORES:
        return (count + price * sum(core.asked for core in cores) + 1e-9 * sum(core.bits for core in cores)) / columns
    widest = max(core.last - core.first for core in cores)
    count += 1e-3 * ((cores[-1].last - cores[-1].first) / widest - 1)
    return (count + (price + 1e-7) * sum(core.asked for core in cores) + 1e-9 * sum(core.bits for core in cores)) / columns


def _fill(line: _Line, room: Room, tear: bool, most: int | None, gaps: Sequence[Room] = ()) -> list[_Filled]:
    """Next fit: a core takes columns up to its first limit; unless `tear`, it leaves out a piece that fits a core whole.

    Gaps come first; one that would take few columns is left.
    """
    out: list[_Filled] = []
    total, at, first, gap = len(line.who), 0, 0, 0
    alone = _alone(line, room)
    scratch = np.empty(line.slots, np.int64)
    while at < total and (most is None or len(out) < most):
        now = gaps[gap] if gap < len(gaps) else room
        stop = _reach(line, now, at, first, scratch)
        if gap < len(gaps):
            gap += 1
            if stop - at < min(total - at, 1 + room.columns // FEWEST):
                continue
        if stop <= at:
            raise NoRoom
        end = int(np.searchsorted(line.column, stop, "left"))
        if not tear and line.column[end] > stop and line.column[end - 1] > at and alone[end - 1]:
            end -= 1
            stop = int(line.column[end])
        span = slice(int(line.start[first]), int(line.start[end]))
        keys = span.start + np.flatnonzero(line.before[span] < first)
        bits = _bits(line, room, at, first, stop, scratch) if room.bits is not None else 0
        torn = at > line.column[first] or stop < line.column[end]
        out.append(_Filled(at, stop, keys, torn, bits, len(keys), gap - 1 if now is not room else None))
        at, first = stop, end if line.column[end] == stop else end - 1
    return out


def _reach(line: _Line, room: Room, at: int, first: int, scratch: I64) -> int:
    """One past the last column that a core takes when it begins with column `at` of piece `first`."""
    if room.columns < 1 or room.axons < 0:
        return at
    stop = min(len(line.who), at + room.columns)
    if room.edges is not None:
        stop = min(stop, int(np.searchsorted(line.sent, line.sent[at] + room.edges, "right")) - 1)
    if stop <= at:
        return at
    end = int(np.searchsorted(line.column, stop, "left"))  # one past the last piece in reach
    new = line.before[line.start[first] : line.start[end]] < first
    load = np.append(0, np.cumsum(new))[line.start[first + 1 : end + 1] - line.start[first]]
    fit = int(np.searchsorted(load, room.axons, "right"))
    stop = min(stop, int(line.column[first + fit]))
    return stop if room.bits is None or stop <= at else _within(line, room, at, first, stop, scratch)


def _alone(line: _Line, room: Room) -> Array:
    """Which pieces fit an empty core whole."""
    wide = np.diff(line.column)
    fine = wide <= room.columns
    if room.edges is not None:
        fine &= np.diff(line.sent[line.column]) <= room.edges
    if room.bits is not None:
        n = np.minimum(wide, room.columns)
        cost = np.append(0, np.cumsum(room.dense[line.late, n[line.piece]]))
        fine &= np.diff(cost[line.start]) + room.control[n] <= room.bits
    return fine


def _within(line: _Line, room: Room, at: int, first: int, stop: int, scratch: I64) -> int:
    """The last column up to `stop` with which the core's memory suffices."""
    assert room.bits is not None
    if _bits(line, room, at, first, stop, scratch) <= room.bits:
        return stop
    if _bits(line, room, at, first, at + 1, scratch) > room.bits:
        return at
    low, high = at + 1, stop  # low fits, high does not
    while high - low > 1:
        middle = (low + high) // 2
        end = int(np.searchsorted(line.column, middle, "right")) - 1
        if low < line.column[end] < high:  # whole pieces first
            middle = int(line.column[end])
        if _bits(line, room, at, first, middle, scratch) <= room.bits:
            low = middle
        else:
            high = middle
    return low


def _bits(line: _Line, room: Room, at: int, first: int, stop: int, scratch: I64) -> int:
    """Memory of the columns at..stop-1: on each axon a run from its first to its last column, or a list."""
    end = int(np.searchsorted(line.column, stop, "left"))
    span = slice(int(line.start[first]), int(line.start[end]))
    piece = line.piece[span]
    opens, closes = np.flatnonzero(line.before[span] < first), np.flatnonzero(line.after[span] >= end)
    slot = line.slot[span]
    scratch[slot[opens]] = opens
    opens = scratch[slot[closes]]
    begin = np.maximum(line.column[piece[opens]], at)
    until = np.minimum(line.column[piece[closes] + 1], stop)
    late = line.late[span][closes]
    cost = room.dense[late, until - begin]
    if room.sparse is not None and not line.full:
        inside = np.minimum(line.column[first + 1], stop) - at
        edge = stop - np.maximum(line.column[end - 1], at)
        cells, chain = line.cells[span], line.chain[span]
        lead = np.where(piece[opens] == first, np.minimum(cells[opens], inside), cells[opens])
        lead = np.where(piece[opens] == end - 1, np.minimum(lead, edge), lead)
        tail = np.where(piece[closes] == end - 1, np.minimum(cells[closes], edge), cells[closes])
        count = np.where(
            opens == closes, lead, chain[closes] - chain[opens] - cells[closes] + lead + tail
        )
        cost = np.minimum(cost, room.sparse[late, np.minimum(count, stop - at)])
    return int(cost.sum()) + int(room.control[stop - at])


def _part(bank: Bank, index: int, line: _Line, core: _Filled, values: tuple[int, ...], signals: int) -> Part:
    neuron = line.who[core.first : core.last]
    key = np.sort(line.key[core.keys])
    if core.torn:  # some neurons of a piece went elsewhere, and may be the only ones that read an axon
        key = _keys(bank, np.unique(neuron), values, signals)
    kind, source = np.divmod(key, signals)
    value = np.asarray(values, np.int16)[kind] if values else np.zeros(len(key), np.int16)
    edges = int(line.sent[core.last] - line.sent[core.first])
    return Part(bank=index, neuron=neuron, source=source.astype(np.int32), value=value, bits=core.bits, edges=edges)


def _keys(bank: Bank, neuron: I32, values: tuple[int, ...], signals: int) -> I64:
    """The axons that some neurons read, as in `Pieces.key`."""
    s = bank.synapses
    taps, weight = s.taps[s.patch[neuron]].astype(np.int64), s.weight[s.row[neuron]]
    some = (taps != NO_TAP) & (weight != 0)
    kind = np.searchsorted(values, weight[some]) if values else 0
    return np.unique(taps[some] + signals * kind)
