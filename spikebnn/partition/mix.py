"""Mix: neurons that need many axons share cores with neurons that need few, so that neither is left over.

An aggregator hears lines of its own, a copied neuron is many columns on few axons: cores full of the one kind have columns
left, cores full of the other axons. Banks whose pieces share no axon can be dealt out piece by piece without one axon more.
Banks that hear only the host can be cut anew too, since lines cost no neuron.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I32, I64
from spikebnn.partition.bundle import Pieces, pieces
from spikebnn.partition.join import Bin, gaps_of, load_of
from spikebnn.partition.pack import Gap, pack
from spikebnn.partition.pulse import values_of
from spikebnn.partition.types import Bank, Part
from spikebnn.program import SUBTRACT
from spikebnn.targets.target import Target

TIGHT = 1.02  # cores over what columns or axons fill by themselves, up to which nothing is mixed
SHARES = (0.9, 0.875, 0.85, 0.75, 0.6)  # of a core's columns, which a bank that hears only the host may be cut to


def mixed(banks: Sequence[Bank], bins: Sequence[Bin], signals: int, inputs: int, target: Target) -> Iterator[list[Bin]]:
    """The same neurons and copies on cores in other ways, which may be fewer; crossbars without a limit on edges only."""
    if target.synapse.format != "crossbar" or target.core.output_edges is not None or len(bins) < 2:
        return
    load = np.array([load_of(banks, held, target)[:2] for held in bins]).sum(axis=0)
    if len(bins) <= TIGHT * max(load[0] / target.core.neurons, load[1] / target.core.axons):
        return
    own: dict[int, list[Part]] = {}
    for held in bins:
        for part in held:
            own.setdefault(part.bank, []).append(part)
    loose = {index: found for index, parts in own.items()
             if (found := _units(banks[index], index, parts, signals, target)) is not None}  # fmt: skip
    if not loose:
        return
    fixed = [held for held in bins if held[0].bank not in loose]
    yield _dealt(banks, fixed, loose, target)
    free = [index for index, parts in own.items() if index not in loose and _hears_host(parts, inputs)
            and sum(len(part.neuron) for part in parts) > 2 * sum(len(part.source) for part in parts)]  # fmt: skip
    for share in SHARES if free else ():
        cut = [held for held in fixed if held[0].bank not in free]
        for index in free:
            cut += _cut(banks[index], index, own[index], int(share * target.core.neurons), signals, target)
        yield _dealt(banks, cut, loose, target)


def _hears_host(parts: Sequence[Part], inputs: int) -> bool:
    return all(bool((part.source < inputs).all()) for part in parts)


def _cut(bank: Bank, index: int, parts: Sequence[Part], cells: int, signals: int, target: Target) -> list[Bin]:
    """The bank on cores of which it takes `cells` neurons each."""
    copies = np.bincount(np.concatenate([part.neuron for part in parts]), minlength=bank.neurons).astype(np.int64)
    count = 2 + 2 * int(copies.sum()) // max(1, cells)
    gap = Gap(cells=cells, axons=target.core.axons, edges=0, bits=0)
    none = np.zeros(bank.neurons, np.int64)
    return [[part] for part, _ in pack(bank, index, copies, none, np.zeros(signals, bool), target, 0.0, [gap] * count)]


@dataclass(frozen=True, slots=True, eq=False)
class _Units:
    """Pieces of one bank that share no axon, in the order of their places."""

    bank: Bank
    index: int
    cut: Pieces
    copies: I64  # (neurons,)
    cells: I64  # (pieces,); neurons of a core, copies included
    axons: I64  # (pieces,)
    values: tuple[int, ...]
    signals: int

    def part(self, some: Sequence[int]) -> Part:
        """These pieces on one core."""
        neuron = np.concatenate([self.cut.neuron[self.cut.first[k] : self.cut.first[k + 1]] for k in some])
        key = np.sort(np.concatenate([self.cut.key[self.cut.start[k] : self.cut.start[k + 1]] for k in some]))
        kind, source = np.divmod(key, self.signals)
        columns: I32 = np.repeat(neuron, self.copies[neuron]).astype(np.int32)
        value = np.asarray(self.values, np.int16)[kind]
        return Part(bank=self.index, neuron=columns, source=source.astype(np.int32), value=value)


def _units(bank: Bank, index: int, parts: Sequence[Part], signals: int, target: Target) -> _Units | None:
    """The pieces of a bank; None where two share an axon, or one does not fit a core."""
    axons = sum(len(part.source) for part in parts)
    copies = np.bincount(np.concatenate([part.neuron for part in parts]), minlength=bank.neurons).astype(np.int64)
    values = values_of(bank.synapses.weight)
    room = target.core.axons - bank.controls
    cut = pieces(bank, copies > 0, values, signals, room)
    if len(cut.key) != axons or len(np.unique(cut.key)) != axons:
        return None
    each = target.core.neurons_per_subtract if bank.reset == SUBTRACT else 1
    cells = np.add.reduceat(copies[cut.neuron], cut.first[:-1]) * each
    wide = np.diff(cut.start)
    if int(cells.max()) > target.core.neurons or int(wide.max()) > room:
        return None
    return _Units(bank, index, cut, copies, cells, wide, values, signals)


class _Queue:
    """Units of one bank and kind that are still to be dealt."""

    def __init__(self, units: _Units, order: I64) -> None:
        self.units, self.order, self.at = units, order.tolist(), 0
        self.cells, self.axons = units.cells[order].tolist(), units.axons[order].tolist()
        self.controls = units.bank.controls


def _dealt(banks: Sequence[Bank], fixed: Sequence[Bin], loose: dict[int, _Units], target: Target) -> list[Bin]:
    """Fixed bins filled up with loose units, then bins of loose units alone.

    A unit is taken from the queue that leaves columns and axons of the core most even.
    """
    queues = [queue for units in loose.values() for queue in _queues(units, target)]
    gaps = gaps_of(banks, fixed, target)
    out = [list(held) for held in fixed]
    order = sorted(range(len(gaps)), key=lambda k: -min(gaps[k].cells, gaps[k].axons))
    for k in order:
        out[k] += _filled(queues, gaps[k].cells, gaps[k].axons)
    while any(queue.at < len(queue.order) for queue in queues):
        out.append(_filled(queues, target.core.neurons, target.core.axons))
    return out


def _queues(units: _Units, target: Target) -> list[_Queue]:
    """Units that take more of a core's columns than of its axons, and the others."""
    heavy = units.cells * target.core.axons > units.axons * target.core.neurons
    return [_Queue(units, some) for some in (np.flatnonzero(heavy), np.flatnonzero(~heavy)) if len(some)]


def _filled(queues: Sequence[_Queue], cells: int, axons: int) -> list[Part]:
    """The parts that a core with this room takes."""
    taken: dict[int, list[int]] = {}
    alive = [queue for queue in queues if queue.at < len(queue.order)]
    while alive:
        best, even = None, 0
        fits = []
        for queue in alive:
            index = queue.units.index
            more = 0 if index in taken else queue.controls
            c, a = cells - queue.cells[queue.at], axons - queue.axons[queue.at] - more
            if c < 0 or a < 0:
                continue
            fits.append(queue)
            if best is None or abs(c - a) < even:
                best, even = queue, abs(c - a)
        if best is None:
            break
        index = best.units.index
        axons -= best.axons[best.at] + (0 if index in taken else best.controls)
        cells -= best.cells[best.at]
        taken.setdefault(index, []).append(best.order[best.at])
        best.at += 1
        alive = [queue for queue in fits if queue.at < len(queue.order)]
    of = {queue.units.index: queue.units for queue in queues}
    return [of[index].part(sorted(some)) for index, some in taken.items()]
