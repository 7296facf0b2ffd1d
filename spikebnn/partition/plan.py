"""The whole cut: lower, schedule, pack backward, connect; tried in a few ways until one fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from spikebnn.arrays import I32, I64, U8, Array, door
from spikebnn.partition.bound import Bound, lower_bound
from spikebnn.partition.copies import (
    Demand,
    column_signals,
    connect,
    copies_of,
    no_demand,
    reach,
    through,
    with_readers,
)
from spikebnn.partition.ease import eased
from spikebnn.partition.join import Bin, gaps_of, join
from spikebnn.partition.limits import bank_violations, core_violations, far_too_many
from spikebnn.partition.lower import Lowered, lower
from spikebnn.partition.merge import ALONE, MERGE, SHARED
from spikebnn.partition.mix import mixed
from spikebnn.partition.pack import NoRoom, Tried, pack
from spikebnn.partition.price import price
from spikebnn.partition.readout import ReadoutBanks
from spikebnn.partition.settle import settle
from spikebnn.partition.timing import NOTHING, Schedule, latest, relay, schedule
from spikebnn.partition.types import INPUTS, Bank, Part, Partition, Shard, Violation, layout
from spikebnn.program import ProgramLayer
from spikebnn.recipe import Recipe
from spikebnn.split.kinds import lossless
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork

AXON = "axon"  # a pool that is no neuron; see SHARED and ALONE
SMALL = 64  # cores up to which all ways to make pools are tried
SPARE = 2  # times the cores that may be taken, from which on packing is given up
Attempt = tuple[Partition | None, tuple[Violation, ...]]


def make_plan(network: ThresholdNetwork, target: Target, recipe: Recipe, seen: U8 | None = None) -> Attempt:
    """The plan of the recipe, or what the way lacks that comes nearest, with all that it hides.

    "auto" takes the cheapest of the lossless kinds of split, by `cost_of`, where anything must be split at all; it never
    takes more chips than "exact" needs, if that fits. `seen` (frames, bits) are all bits of the network on calibration
    frames, which lossy kinds ask for.
    """
    hopeless = _hopeless(network, target, recipe, seen)
    if hopeless:
        return None, hopeless
    got = plan_as(network, target, recipe, "exact" if recipe.split == "auto" else recipe.split, seen)
    if recipe.split == "auto" and (got[0] is None or has_choice(got[0])):
        there = target.topology.chips * _chips(1, target)
        room = there if got[0] is None else min(there, _chips(len(got[0].shards), target))
        others = (plan_as(network, target, recipe, kind, seen, room) for kind in lossless(target) if kind != "exact")
        fits = [plan for plan, _ in (got, *others) if plan is not None]
        if fits:
            return min(fits, key=cost_of), ()
    return got if got[0] is not None else (None, all_violations(network, target, recipe, got[1]))


def _chips(cores: int, target: Target) -> int:
    """The cores of as many chips as so many cores take."""
    each = max(1, target.topology.width * target.topology.height - len(target.topology.dead_cores))
    return -(-cores // each) * each


def has_choice(plan: Partition) -> bool:
    """Whether another kind of split may be cheaper: a layer is split, or the scores come in bursts."""
    return bool(plan.price["method"] != "none" or plan.price["readout"] in ("burst", "digits"))


def cost_of(partition: Partition) -> float:
    """What ways to split are compared by: energy-delay where the target's constants give it, else ticks x cores."""
    known = partition.price["energy_delay"]
    return float(partition.price["ticks_cores"] if known is None else known)


def plan_as(
    network: ThresholdNetwork, target: Target, recipe: Recipe, kind: str, seen: U8 | None = None, room: int | None = None
) -> Attempt:
    """The way with this kind of split that fits, or what the way lacks that comes nearest; given up above `room` cores.

    With "auto" first only neurons are split that fit no core; if there are any, layers whose channels cannot share a
    core are split too, and the cheaper of both is taken. Each is tried with the readout of the recipe, then with a burst.
    """
    best: Attempt | None = None
    fits: dict[bool, Partition] = {}
    for cut_bundles, way in _ways(recipe):
        if cut_bundles in fits:
            continue
        got = _attempt(network, target, replace(way, split=kind), cut_bundles, seen, room)
        if got[0] is not None and not got[1]:
            if got[0].price["method"] == "none":
                return got
            fits[cut_bundles] = got[0]
        elif best is None or _misses(got) < _misses(best):
            best = got
        if room is not None and got[0] is None and any(v.what == "cores" for v in got[1]):
            break  # no other way to build it is so much smaller
    if fits:
        return min(fits.values(), key=cost_of), ()
    assert best is not None
    return None, best[1]


def all_violations(
    network: ThresholdNetwork, target: Target, recipe: Recipe, found: tuple[Violation, ...]
) -> tuple[Violation, ...]:
    """`found`, and what it hides: the plan is made again on a target without the limits that are already named."""
    named: dict[tuple[str, str], Violation] = {}
    for v in found:
        named.setdefault((v.layer, v.what), v)
    while True:
        easier = eased(target, tuple(named.values()))
        before = len(named)
        if easier != target:
            for cut_bundles in (False, True):
                for v in _attempt(network, easier, recipe, cut_bundles)[1]:
                    named.setdefault((v.layer, v.what), v)
                if len(named) > before:
                    break
        if len(named) == before:
            return tuple(named.values())


def _misses(attempt: Attempt) -> tuple[int, int]:
    """How far an attempt is from fitting: violations, then cores."""
    return len(attempt[1]), sum(v.found for v in attempt[1] if v.what == "cores")


def _ways(recipe: Recipe) -> Iterator[tuple[bool, Recipe]]:
    for cut_bundles in {"auto": (False, True), "none": (False,)}.get(recipe.split, (True,)):
        yield cut_bundles, recipe
        if recipe.readout == "auto":
            yield cut_bundles, replace(recipe, readout="burst")


def _attempt(
    network: ThresholdNetwork, target: Target, recipe: Recipe, cut_bundles: bool, seen: U8 | None = None,
    room: int | None = None,
) -> Attempt:
    spread = network.encoder.ticks if network.encoder.kind == "burst" else 1
    layers, readout = settle(network, spread)
    lowered = lower(layers, readout, network.inputs, spread, target, recipe, cut_bundles, seen)
    violations = list(lowered.violations)
    read = lowered.readout
    membrane = read is not None and read.kind == "membrane"
    for bank in lowered.banks:
        violations += bank_violations(bank, membrane and bank.role == "readout", target)
    told = np.zeros(lowered.signals, bool)
    if read is not None:
        told[read.rows[:, 1]] = True
    tried: Tried = {}
    def packed(keeps: Mapping[str, str]) -> _Way | tuple[Violation, ...]:
        return _packed(lowered, told, violations, spread, network, target, room, keeps, tried)

    got = packed({})
    for keeps in _other_pools(got):  # copies that seem to cost nothing may take the room of other neurons
        other = packed(keeps)
        if isinstance(other, _Way) and isinstance(got, _Way) and len(other.shards) < len(got.shards):
            got = other
    if not isinstance(got, _Way):
        return None, got
    violations += [*got.plan.violations, *core_violations(got.plan.banks, got.shards, got.plan.layers, target)]
    if violations:
        return None, tuple(violations)
    assert read is not None
    return _partition(network, lowered, read, got.plan, got.shards, got.bound, target), ()


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """Banks in time and the cores that hold them."""

    plan: Schedule
    shards: list[Shard]
    bound: Bound
    keeps: Mapping[str, str]


def _packed(
    lowered: Lowered, told: Array, violations: Sequence[Violation], spread: int, network: ThresholdNetwork, target: Target,
    room: int | None, keeps: Mapping[str, str], tried: Tried,
) -> _Way | tuple[Violation, ...]:
    """Cores for the banks, after as many changes of their relays and pools as pay; `keeps` are choices for pools."""
    splitters: frozenset[str] = frozenset()
    while True:
        plan = schedule(
            lowered.banks, lowered.layers, network.inputs, spread, lowered.signals, splitters, target, told, keeps
        )
        torn = (*violations, *plan.violations)
        heard = _heard(plan, lowered.readout, bool(torn))
        bound = lower_bound(plan.banks, heard, target)
        far = far_too_many(_by_layer(plan, bound), bound.cores, target, room)
        if far is not None:
            return (*torn, far)
        packed = _pack_backward(plan, heard, splitters, keeps, network.inputs, target, tried, room)
        if isinstance(packed, Violation):
            return (*torn, packed)
        if isinstance(packed, _Change):
            splitters |= {packed.relays} - {""}
            keeps = {**keeps, **packed.pools}
            continue
        shards = join(plan.banks, packed, target)
        for other in mixed(plan.banks, packed, plan.signals, network.inputs, target):
            joined = join(plan.banks, other, target)
            shards = joined if len(joined) < len(shards) else shards
        return _Way(plan, shards, bound, keeps)


def _other_pools(got: _Way | tuple[Violation, ...]) -> Iterator[Mapping[str, str]]:
    """Other choices for the pools of a way that are worth packing all banks once more."""
    if isinstance(got, _Way):
        merges = {bank.name for bank in got.plan.banks if bank.role == MERGE}
        if any(got.plan.fused.get(name) and got.keeps.get(name) == AXON for name in merges):
            yield {name: SHARED if got.keeps.get(name) == AXON else choice for name, choice in got.keeps.items()}
        if merges and len(got.shards) <= SMALL:
            yield dict.fromkeys(merges, ALONE)


def _by_layer(plan: Schedule, bound: Bound) -> dict[str, float]:
    """Cores that the neurons of each layer fill."""
    cores: dict[str, float] = {}
    for bank, share in zip(plan.banks, bound.banks, strict=True):
        name = plan.layers[bank.layer].name
        cores[name] = cores.get(name, 0.0) + share
    return cores


def _hopeless(
    network: ThresholdNetwork, target: Target, recipe: Recipe, seen: U8 | None
) -> tuple[Violation, ...]:
    """What a network lacks whose own neurons, unsplit and without copies, fill many times the cores that there are."""
    spread = network.encoder.ticks if network.encoder.kind == "burst" else 1
    layers, readout = settle(network, spread)
    told = np.zeros(network.bits + 1, bool)
    told[np.unique(readout.synapses.taps)] = True
    cores: dict[str, float] = {}
    for s in reversed(layers):
        mine = np.flatnonzero(s.live & told[s.first : s.first + len(s.live)])
        told[np.unique(s.synapses.taps[np.unique(s.synapses.patch[mine])])] = True
        cores[s.name] = len(mine) / target.core.neurons
    cores = dict(reversed(cores.items()))
    far = far_too_many(cores, int(np.ceil(sum(cores.values()))), target)
    if far is None:
        return ()
    kind = "exact" if recipe.split == "auto" else recipe.split
    lowered = lower(layers, readout, network.inputs, spread, target, replace(recipe, split=kind), False, seen)
    membrane = lowered.readout is not None and lowered.readout.kind == "membrane"
    others = [
        v for bank in lowered.banks for v in bank_violations(bank, membrane and bank.role == "readout", target)
    ]
    found: dict[tuple[str, str], Violation] = {}
    for v in (*lowered.violations, *others, far):
        found.setdefault((v.layer, v.what), v)
    return tuple(found.values())


def _heard(plan: Schedule, read: ReadoutBanks | None, torn: bool) -> I64:
    """1 for signals that the host reads; in a torn network also for neurons whose readers could not be built."""
    heard = np.zeros(plan.signals, np.int64)
    if torn:
        told = np.zeros(plan.signals + 1, bool)  # the last entry is NO_TAP
        for bank in plan.banks:
            told[np.unique(bank.synapses.taps)] = True
        for bank in plan.banks:
            mine = slice(bank.first, bank.first + bank.neurons)
            heard[mine] = not told[mine].any()
    if read is not None:
        heard[read.rows[:, 1]] = 1
    return heard


def _pack_backward(
    plan: Schedule, heard: I64, splitters: frozenset[str], keeps: Mapping[str, str], inputs: int, target: Target,
    tried: Tried, room: int | None = None,
) -> list[Bin] | _Change | Violation:
    """The parts of each core, in the order of banks; or a bank whose readers should read something else.

    Where an axon costs no neuron elsewhere, a bank first fills what later banks have left of their cores.
    """
    demand = no_demand(plan.signals)
    fills = reach(target)[0] is None and target.synapse.format == "list"
    bins: list[list[Bin]] = []
    for index in range(len(plan.banks) - 1, -1, -1):
        bank = plan.banks[index]
        if bank.role == MERGE:
            if bank.name not in keeps:
                best = _cheapest_pools(bank, plan, demand, heard, inputs, target, tried)
                return _Change(pools={bank.name: best})
            demand = through(demand, bank)
            bins.append([])
            continue
        copies, edges = copies_of(bank, demand, heard, target)
        open_bins = [held for group in reversed(bins) for held in group] if fills else []
        gaps = gaps_of(plan.banks, open_bins, target)
        price = _price_of_axon(bank, inputs, target)
        try:
            packed = pack(bank, index, copies, edges, _late(bank, plan, target), target, price, gaps, tried)
        except NoRoom:
            return _no_room(bank, target)
        parts = [part for part, _ in packed]
        copied = bank.role in ("whole", "aggregate") and int(copies.max(initial=0)) > 1
        if copied and bank.name not in splitters and _relays_are_cheaper(
            bank, parts, demand, heard, inputs, plan.signals, target, tried
        ):
            return _Change(relays=bank.name)
        for part, gap in packed:
            if gap is not None:
                open_bins[gap].append(part)
        bins.append([[part] for part, gap in packed if gap is None])
        if room is not None and not fills and sum(map(len, bins)) > SPARE * room:  # small layers may still share cores
            return far_too_many({bank.name: float(len(packed))}, sum(map(len, bins)), target, room) or _no_room(bank, target)
        demand = with_readers(demand, parts)
    return [held for group in reversed(bins) for held in group]


@dataclass(frozen=True, slots=True)
class _Change:
    """A bank whose readers should read relays, or one whose pools are best made in some way."""

    relays: str = ""
    pools: Mapping[str, str] = field(default_factory=lambda: NOTHING)


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
    bank: Bank, parts: Sequence[Part], demand: Demand, heard: I64, inputs: int, signals: int, target: Target,
    tried: Tried,
) -> bool:
    """Compare copies in place with a relay per neuron that is copied instead.

    Cost in cores: those of the bank and its relays, plus the columns that their axons ask of earlier banks.
    """
    own = np.arange(bank.first, bank.first + bank.neurons, dtype=np.int32)
    copy = relay(bank, own, bank.first, bank.layer)
    wanted, edges = copies_of(copy, demand, np.zeros(signals, np.int64), target)
    relays = [part for part, _ in pack(copy, 0, wanted, edges, np.zeros(signals, bool), target, tried=tried)]
    asked = with_readers(no_demand(signals), relays)
    thin, few = copies_of(bank, asked, heard, target)
    rest = [part for part, _ in pack(bank, 0, thin, few, np.zeros(signals, bool), target, tried=tried)]
    return _cores(rest, inputs, target) + len(relays) < _cores(parts, inputs, target)


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
        if pool is not None:
            wanted, edges = copies_of(pool, demand, heard, target)
            pools = [part for part, _ in pack(pool, 0, wanted, edges, punctual, target, tried=tried)]
            asked = Demand(axons=demand.axons.copy(), cores=demand.cores.copy())
            asked.axons[mine], asked.cores[mine] = 0, 0
            asked = with_readers(asked, pools)
        copies, edges = copies_of(source, through(asked, merge), heard, target)
        parts = [part for part, _ in pack(source, 0, copies, edges, punctual, target, tried=tried)]
        cost[way] = _cores(parts, inputs, target) + len(pools)
    return min(cost, key=lambda way: cost[way])


def _cores(parts: Sequence[Part], inputs: int, target: Target) -> float:
    asked = sum(int((part.source >= inputs).sum()) for part in parts)
    return len(parts) + asked / target.core.neurons


def _no_room(bank: Bank, target: Target) -> Violation:
    remedy = "use fewer inputs per neuron or a target with larger cores"
    return Violation(
        layer=bank.name, what="core", found=1, limit=0, remedy=remedy,
        text=f'layer "{bank.name}": one neuron with its control lines does not fit a core of {target.name}; {remedy}',
    )


def _partition(
    network: ThresholdNetwork, lowered: Lowered, read: ReadoutBanks, plan: Schedule, shards: list[Shard], bound: Bound,
    target: Target,
) -> Partition:
    """The finished partition, wired."""
    routes, says = connect(plan.banks, shards, network.inputs, target)
    first = np.append(0, np.cumsum(layout(plan.banks, shards).columns))
    by_signal = np.argsort(says, kind="stable")
    at = by_signal[np.searchsorted(says[by_signal], read.rows[:, 1])]
    shard = np.searchsorted(first, at, side="right") - 1
    outputs = np.stack([read.rows[:, 0], shard, at - first[shard]], axis=1).reshape(-1, 3)
    merged, shared = _pools(plan, shards)
    return Partition(
        banks=plan.banks, shards=tuple(shards), routes=door(routes, "int32", None, 5), layers=_layers(plan, shards, merged),
        inputs=network.inputs, period=plan.period, latency=latest(plan.banks, read.rows[:, 1].astype(np.int64)),
        readout="membrane" if read.kind == "membrane" else "spikes", outputs=door(outputs, "int32", None, 3),
        base=door(read.base, "int32", None), price=_price(network, lowered, plan, shards, routes, read.kind, target),
        notes=_notes(plan, shards, merged), lower_bound=bound.cores,
        bound=bound.shares, merged=merged, shared=shared,
    )


def _price(
    network: ThresholdNetwork, lowered: Lowered, plan: Schedule, shards: Sequence[Shard], routes: I32, readout: str,
    target: Target,
) -> MappingProxyType[str, Any]:
    """What the split, the relays and the copies cost."""
    columns: dict[str, int] = {}
    cores: dict[str, int] = {}
    single = len(np.unique(column_signals(plan.banks, shards)))
    for shard in shards:
        for part in shard.parts:
            role = plan.banks[part.bank].role
            columns[role] = columns.get(role, 0) + len(part.neuron)
            cores[role] = cores.get(role, 0) + (part is shard.parts[0])
    spread = network.encoder.ticks if network.encoder.kind == "burst" else 1
    expected = price(plan.banks, shards, routes, plan.signals, network.inputs, spread, plan.period, target)
    return MappingProxyType({
        "method": lowered.method, "layers": list(lowered.split), "period": plan.period,
        "readout": readout, "neurons": columns, "cores": cores, "copies": sum(columns.values()) - single,
        "lossless": lowered.clipping is None or lowered.clipping.inside, **expected,
        **({} if lowered.clipping is None else {"clipping": lowered.clipping.to_json()}),
    })


def _layers(plan: Schedule, shards: Sequence[Shard], merged: Mapping[str, int]) -> tuple[ProgramLayer, ...]:
    """The layers; the role "merged" is that of a layer whose neurons are all axons."""
    placed = {plan.banks[part.bank].layer for shard in shards for part in shard.parts}
    return tuple(
        replace(layer, role="merged") if layer.name in merged and index not in placed else layer
        for index, layer in enumerate(plan.layers)
    )


def _pools(plan: Schedule, shards: Sequence[Shard]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Pools whose axons stand for them, and pools that are neurons which hear such an axon; bank by bank."""
    merged: dict[str, int] = {}
    shared: dict[str, int] = {}
    for merge in plan.banks:
        if merge.role != MERGE:
            continue
        found = {True: [np.zeros(0, np.int32)], False: [np.zeros(0, np.int32)]}
        for shard in shards:
            for part in shard.parts:
                own = (part.source >= merge.first) & (part.source < merge.first + merge.neurons)
                if own.any():
                    found[plan.banks[part.bank].name == merge.name].append(part.source[own])
        for counts, which in ((shared, True), (merged, False)):
            if many := len(np.unique(np.concatenate(found[which]))):
                counts[merge.name] = counts.get(merge.name, 0) + many
    return MappingProxyType(merged), MappingProxyType(shared)


def _notes(plan: Schedule, shards: Sequence[Shard], merged: Mapping[str, int]) -> tuple[str, ...]:
    there = np.zeros(plan.signals, bool)
    there[column_signals(plan.banks, shards)] = True
    notes = []
    for bank in plan.banks:
        axons = merged.get(bank.name, 0) if bank.role == "whole" else 0
        if axons:
            how = "are axons that all of their inputs feed, and take no core"
            notes.append(f"{bank.name}: {axons} of {bank.neurons} neurons {how}")
        gone = bank.neurons - int(there[bank.first : bank.first + bank.neurons].sum()) - axons
        if gone > 0 and bank.role in ("whole", "aggregate"):
            notes.append(f"{bank.name}: {gone} of {bank.neurons} neurons are never read or never change, and take no core")
    return tuple(notes)
