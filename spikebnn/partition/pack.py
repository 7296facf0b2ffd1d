"""Packing: fill cores with bundles, neighbours first, so that they share axons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I32, I64, Array
from spikebnn.partition.bundle import Bundle, bundles
from spikebnn.partition.memory import index_bits, run_bits, weight_bits
from spikebnn.partition.pulse import values_of
from spikebnn.partition.types import Bank, Shard
from spikebnn.program import SUBTRACT
from spikebnn.target import SynapseRule, Target
from spikebnn.threshold import NO_TAP

TRY_ORDERS = 2048  # bundles up to which several orders are tried


class NoRoom(Exception):
    """A single neuron does not fit an empty core."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Room:
    """What one core offers to the neurons of a bank, and the prices."""

    typed: bool  # crossbar: an axon has the weight of its type
    columns: int
    axons: int
    edges: int | None
    bits: int | None
    dense: I64  # (2, n); bits of a run of n synapses, without and with their delay
    sparse: I64 | None  # (2, n); bits of a list of n synapses with an index
    control: I64  # bits of all control lists of n neurons


def room_of(bank: Bank, target: Target) -> Room:
    """The room that a core of `target` has for neurons of `bank`."""
    per_neuron = target.core.neurons_per_subtract if bank.reset == SUBTRACT else 1
    columns, rule = target.core.neurons // per_neuron, target.synapse
    wide = weight_bits(rule, int(np.abs(bank.synapses.weight).max(initial=1)))
    index = index_bits(rule, target.core.neurons)
    control = np.zeros(columns + 1, np.int64)
    for pulse in bank.pulses:
        largest = int(np.abs(pulse.scale).max(initial=1))
        control += pulse.axons * run_bits(rule, weight_bits(rule, largest), columns)
    lists = rule.format == "list" and target.core.synapse_bits is not None
    return Room(
        typed=rule.format == "crossbar", columns=columns, axons=target.core.axons - bank.controls,
        edges=target.core.output_edges, bits=target.core.synapse_bits if lists else None, dense=_both(rule, wide, columns),
        sparse=_both(rule, wide + index, columns) if index is not None else None, control=control,
    )


def _both(rule: SynapseRule, each: int, columns: int) -> I64:
    return np.stack([run_bits(rule, each, columns), run_bits(rule, each + rule.delay_bits, columns)])


def pack(bank: Bank, index: int, copies: I64, edges: I64, late: Array, target: Target) -> list[Shard]:
    """Shards that hold `copies` (neurons,) columns of each neuron; each column leaves over `edges` (neurons,).

    `late` (signals,) marks sources that need a delay of their own. Among several orders of the bundles the one
    with the fewest cores wins, then the fewest axons. Raises NoRoom where one neuron does not fit an empty core.
    """
    values = values_of(bank.synapses.weight) if target.synapse.format == "crossbar" else ()
    room = room_of(bank, target)
    signals = len(late)
    parts = list(bundles(bank, copies > 0, values, signals, room.axons))
    late = np.tile(late, max(len(values), 1)).astype(np.int64)
    best: list[_Filled] | None = None
    for order in _orders(bank, parts):
        cores = _fill(index, [parts[i] for i in order], copies, edges, late, room)
        if best is None or _cost(cores) < _cost(best):
            best = cores
    return [_shard(bank, index, core, values, signals) for core in best or []]


def _cost(cores: Sequence[_Filled]) -> tuple[int, int]:
    return len(cores), sum(len(core.key) for core in cores)


def _orders(bank: Bank, parts: Sequence[Bundle]) -> Iterator[list[int]]:
    """Orders of the bundles by tiles of several sizes; the channel comes first, for grouped layers."""
    if not parts:
        return
    spot = bank.spot[[part.neuron[0] for part in parts]]
    c, y, x = spot.T
    seen = set()
    for tile in (1, 2, 3, 4, 6, 8) if len(parts) <= TRY_ORDERS else (4,):
        for keys in ((x, y, x // tile, y // tile, c), (c, x, y, x // tile, y // tile)):
            order = np.lexsort(keys)
            if order.tobytes() not in seen:
                seen.add(order.tobytes())
                yield order.tolist()


@dataclass(frozen=True, slots=True, eq=False)
class _Filled:
    """A core's columns and axons; torn where a bundle came only in part."""

    neuron: I32
    key: I64
    torn: bool


def _fill(
    index: int, parts: Sequence[Bundle], copies: I64, edges: I64, late: I64, room: Room
) -> list[_Filled]:
    """Next fit: a bundle goes to the open core if it fits there whole, or if it would fit no core whole."""
    out: list[_Filled] = []
    core = _Core(room, late)
    for part in parts:
        columns = np.repeat(part.neuron, copies[part.neuron])
        whole = len(columns)
        while len(columns):
            fits = core.fits(part, columns, edges)
            if fits < len(columns) and core.columns and (fits == 0 or _alone(room, late, part, columns, edges)):
                out.append(core.closed())
                continue
            if fits == 0:
                raise NoRoom(f"neuron {columns[0]} of bank {index} does not fit an empty core")
            core.torn |= fits < whole and (room.typed or part.nnz is not None)
            core.add(part, columns[:fits], edges)
            columns = columns[fits:]
    if core.columns:
        out.append(core.closed())
    return out


def _shard(bank: Bank, index: int, core: _Filled, values: tuple[int, ...], signals: int) -> Shard:
    key = np.sort(core.key)
    if core.torn:  # some neurons of a bundle went elsewhere, and may be the only ones that read an axon
        key = np.intersect1d(key, _keys(bank, np.unique(core.neuron), values, signals))
    kind, source = np.divmod(key, signals)
    value = np.asarray(values, np.int16)[kind] if values else np.zeros(len(key), np.int16)
    return Shard(bank=index, neuron=core.neuron, source=source.astype(np.int32), value=value)


def _keys(bank: Bank, neuron: I32, values: tuple[int, ...], signals: int) -> I64:
    """The axons that some neurons read, as in `Bundle.key`."""
    s = bank.synapses
    taps, weight = s.taps[s.patch[neuron]].astype(np.int64), s.weight[s.row[neuron]]
    some = (taps != NO_TAP) & (weight != 0)
    kind = np.searchsorted(values, weight[some]) if values else 0
    return np.unique(taps[some] + signals * kind)


def _alone(room: Room, late: I64, part: Bundle, columns: I32, edges: I64) -> bool:
    """Whether all the columns fit an empty core."""
    n = len(columns)
    return (
        n <= room.columns
        and len(part.key) <= room.axons
        and (room.edges is None or int(edges[columns].sum()) <= room.edges)
        and (room.bits is None or int(room.dense[late[part.key], n].sum()) + int(room.control[n]) <= room.bits)
    )


class _Core:
    """The open core while it is filled."""

    def __init__(self, room: Room, late: I64) -> None:
        self.room, self.late, keys = room, late, len(late)
        self.count = np.zeros(keys, np.int64)  # synapses on each axon
        self.first = np.zeros(keys, np.int64)  # first column that it reaches
        self.last = np.zeros(keys, np.int64)  # one past the last column that it reaches
        self.keys: list[I64] = []
        self.taken: list[I32] = []
        self.columns = self.axons = self.edges = self.bits = 0
        self.torn = False

    def closed(self) -> _Filled:
        """What the core holds; the core is empty afterwards."""
        key = np.concatenate(self.keys)
        done = _Filled(np.concatenate(self.taken).astype(np.int32), key, self.torn)
        self.count[key] = 0
        self.keys, self.taken = [], []
        self.columns = self.axons = self.edges = self.bits = 0
        self.torn = False
        return done

    def fits(self, part: Bundle, columns: I32, edges: I64) -> int:
        """How many of the columns fit, from the first on."""
        room = self.room
        new = int((self.count[part.key] == 0).sum())
        if self.axons + new > room.axons:
            return 0
        most = min(len(columns), room.columns - self.columns)
        if room.edges is not None and most:
            most = int(np.searchsorted(np.cumsum(edges[columns[:most]]), room.edges - self.edges, "right"))
        if room.bits is None or most == 0 or self._after(part, most, len(columns)) <= room.bits:
            return most
        low, high = 0, most  # low fits, high does not
        while high - low > 1:
            middle = (low + high) // 2
            if self._after(part, middle, len(columns)) <= room.bits:
                low = middle
            else:
                high = middle
        return low

    def _cells(self, part: Bundle, n: int, of: int) -> Array:
        """Synapses that n columns add on each axon; an upper bound where only some of the bundle come."""
        if part.nnz is not None and n == of == len(part.neuron):
            return part.nnz
        return np.full(len(part.key), n, np.int64)

    def _after(self, part: Bundle, n: int, of: int) -> int:
        """Bits in use after n columns were added."""
        key, room, late = part.key, self.room, self.late[part.key]
        old = self.count[key] > 0
        first = np.where(old, self.first[key], self.columns)
        after = room.dense[late, self.columns + n - first]
        before = np.where(old, room.dense[late, self.last[key] - first], 0)
        if room.sparse is not None:
            after = np.minimum(after, room.sparse[late, self.count[key] + self._cells(part, n, of)])
            before = np.minimum(before, room.sparse[late, self.count[key]])
        control = int(room.control[self.columns + n] - room.control[self.columns])
        return self.bits + int(after.sum() - before.sum()) + control

    def add(self, part: Bundle, columns: I32, edges: I64) -> None:
        n = len(columns)
        if self.room.bits is not None:
            self.bits = self._after(part, n, n)
        new = part.key[self.count[part.key] == 0]
        self.axons += len(new)
        self.keys.append(new)
        self.first[new] = self.columns
        self.last[part.key] = self.columns + n
        self.count[part.key] += self._cells(part, n, n)
        self.taken.append(columns)
        self.columns += n
        self.edges += int(edges[columns].sum())
