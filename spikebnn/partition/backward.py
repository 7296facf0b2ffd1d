"""Packing from the readout backward: only behind a neuron's readers is it known how many axons it has to reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.partition.copies import Demand, copies_of, no_demand, reach, through, with_readers
from spikebnn.partition.join import Bin, gaps_of, limits_of, load_of
from spikebnn.partition.limits import far_too_many
from spikebnn.partition.merge import ALONE, AXON, MERGE, SHARED
from spikebnn.partition.pack import NoRoom, Tried, pack
from spikebnn.partition.spare import SHARE
from spikebnn.partition.timing import NOTHING, Schedule, relay
from spikebnn.partition.types import INPUTS, Bank, Part, Violation
from spikebnn.targets.target import Target

SPARE = 2  # times the cores that may be taken, from which on packing is given up


@dataclass(frozen=True, slots=True)
class Change:
    """A bank whose readers should read relays, or one whose pools are best made in some way."""

    relays: str = ""
    pools: Mapping[str, str] = field(default_factory=lambda: NOTHING)


def pack_backward(
    plan: Schedule, heard: I64, splitters: frozenset[str], keeps: Mapping[str, str], inputs: int, target: Target,
    tried: Tried, room: int | None = None, spare: frozenset[int] = frozenset(),
) -> list[Bin] | Change | Violation:
    """The parts of each core, in the order of banks; or a bank whose readers should read something else.

    Where an axon costs no neuron elsewhere, a bank first fills what later banks have left of their cores. Banks whose
    numbers are in `spare` leave columns of each core to others.
    """
    demand = no_demand(plan.signals)
    fills = reach(target)[0] is None and target.synapse.format == "list"
    bins: list[list[Bin]] = []
    taken, cores = np.zeros(len(limits_of(target)), np.int64), dict[str, float]()
    for index in range(len(plan.banks) - 1, -1, -1):
        bank = plan.banks[index]
        if bank.role == MERGE:
            if bank.name not in keeps:
                best = _cheapest_pools(bank, plan, demand, heard, inputs, target, tried)
                return Change(pools={bank.name: best})
            demand = through(demand, bank)
            bins.append([])
            continue
        copies, edges = copies_of(bank, demand, heard, target)
        more = cores.get(bank.name, 0.0) + int(copies.sum()) / target.core.neurons
        cores = {bank.name: more} | cores | {bank.name: more}
        far = far_too_many(cores, int(sum(cores.values())), target, room)  # copies of copies can be very many
        if far is not None:
            return far
        open_bins = [held for group in reversed(bins) for held in group] if fills else []
        gaps = gaps_of(plan.banks, open_bins, target)
        price = _price_of_axon(bank, inputs, target)
        try:
            share = SHARE if index in spare else 1.0
            packed = pack(bank, index, copies, edges, _late(bank, plan, target), target, price, gaps, tried, share)
        except NoRoom:
            return _no_room(bank, target)
        parts = [part for part, _ in packed]
        if int(copies.max(initial=0)) > 1 and bank.name not in splitters and _relays_are_cheaper(
            bank, plan.banks, splitters, parts, demand, heard, inputs, target, tried
        ):
            return Change(relays=bank.name)
        for part, gap in packed:
            if gap is not None:
                open_bins[gap].append(part)
        bins.append([[part] for part, gap in packed if gap is None])
        taken += load_of(plan.banks, parts, target)
        least = int(np.ceil((taken / limits_of(target)).max()))
        if room is not None and not fills:
            least = max(least, sum(map(len, bins)) // SPARE)  # small layers may still share cores
        far = far_too_many(cores, least, target, room)
        if far is not None:
            return far
        demand = with_readers(demand, parts)
    return [held for group in reversed(bins) for held in group]


def _price_of_axon(bank: Bank, inputs: int, target: Target) -> float:
    """Cores that one axon asks of earlier banks, as a share of a core's columns; nothing where one column serves all."""
    per_axons, _ = reach(target)
    taps = bank.synapses.taps
    inner = (taps >= inputs).sum() / max(1, int((taps >= 0).sum()))
    return 0.0 if per_axons is None else float(inner) / per_axons / target.core.neurons


def _late(bank: Bank, plan: Schedule, target: Target) -> Array:
    """Signals that reach the bank with another delay than the shortest; the host's lines are timed by the host."""
    late = np.zeros(plan.signals, bool)
    for index, delay in bank.delays.items():
        if index != INPUTS and delay != target.neuron.delay_min:
            source = plan.banks[index]
            late[source.first : source.first + source.neurons] = True
    return late


def _relays_are_cheaper(
    bank: Bank, banks: Sequence[Bank], splitters: frozenset[str], parts: Sequence[Part], demand: Demand, heard: I64,
    inputs: int, target: Target, tried: Tried,
) -> bool:
    """Compare copies in place with a relay per neuron that is copied instead.

    Cost in cores: those of the bank and its relays, plus the columns that their axons ask of earlier banks. For a bank of
    relays, what they repeat is packed too: what its copies cost shows whether one more level pays.
    """
    behind = [bank]
    while behind[-1].role == "relay":
        behind += [banks[index] for index in behind[-1].delays]
    bridges = bank.role == "relay" and not any(f"{name}.relays" == bank.name for name in splitters)
    if bridges or behind[-1].role not in ("whole", "aggregate"):
        return False
    own = np.arange(bank.first, bank.first + bank.neurons, dtype=np.int32)
    copy = relay(bank, own, bank.first, bank.layer)
    try:
        before = _chain(behind, demand, heard, inputs, target, tried) if behind[1:] else _cores(parts, inputs, target)
        return _chain([copy, *behind], demand, heard, inputs, target, tried) < before
    except NoRoom:
        return False


def _chain(
    banks: Sequence[Bank], demand: Demand, heard: I64, inputs: int, target: Target, tried: Tried
) -> float:
    """Cores of banks that each read only the next one, and the columns that the axons of the last ask of earlier banks."""
    punctual, cores = np.zeros(len(heard), bool), 0.0
    for bank in banks:
        told = np.zeros_like(heard) if bank is banks[0] and len(banks) > 1 else heard
        copies, edges = copies_of(bank, demand, told, target)
        parts = [part for part, _ in pack(bank, 0, copies, edges, punctual, target, tried=tried)]
        demand = with_readers(no_demand(len(heard)), parts)
        cores += _cores(parts, inputs, target) if bank is banks[-1] else len(parts)
    return cores


def _cheapest_pools(
    merge: Bank, plan: Schedule, demand: Demand, heard: I64, inputs: int, target: Target, tried: Tried
) -> str:
    """Compare pools as axons, which every source needs copies for, with neurons that hear one shared axon or their inputs."""
    mine = slice(merge.first, merge.first + merge.neurons)
    if int(through(demand, merge).axons.max(initial=0)) < 2:
        return AXON
    feeder = int(merge.synapses.taps.max())
    source = next(bank for bank in plan.banks if bank.first <= feeder < bank.first + bank.neurons)
    punctual = np.zeros(plan.signals, bool)
    own = np.arange(merge.first, merge.first + merge.neurons, dtype=np.int32)
    cost: dict[str, float] = {}
    for way, pool in ((AXON, None), (SHARED, relay(merge, own, merge.first, merge.layer)), (ALONE, merge)):
        asked, pools = demand, []
        if way == ALONE and merge.joined:
            continue
        try:
            if pool is not None:
                wanted, edges = copies_of(pool, demand, heard, target)
                pools = [part for part, _ in pack(pool, 0, wanted, edges, punctual, target, tried=tried)]
                asked = Demand(axons=demand.axons.copy(), cores=demand.cores.copy())
                asked.axons[mine], asked.cores[mine] = 0, 0
                asked = with_readers(asked, pools)
            copies, edges = copies_of(source, through(asked, merge), heard, target)
            parts = [part for part, _ in pack(source, 0, copies, edges, punctual, target, tried=tried)]
        except NoRoom:
            continue
        cost[way] = _cores(parts, inputs, target) + len(pools)
    return min(cost, key=lambda way: cost[way], default=AXON)


def _cores(parts: Sequence[Part], inputs: int, target: Target) -> float:
    asked = sum(int((part.source >= inputs).sum()) for part in parts)
    return len(parts) + asked / target.core.neurons


def _no_room(bank: Bank, target: Target) -> Violation:
    remedy = "use fewer inputs per neuron or a target with larger cores"
    return Violation(
        layer=bank.name, what="core", found=1, limit=0, remedy=remedy,
        text=f'layer "{bank.name}": one neuron with its control lines does not fit a core of {target.name}; {remedy}',
    )
