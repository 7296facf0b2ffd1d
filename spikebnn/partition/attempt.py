"""One attempt: lower, schedule and pack in one way, with as many changes of relays and pools as pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, U8, Array
from spikebnn.partition.backward import Change, pack_backward
from spikebnn.partition.bound import Bound, lower_bound
from spikebnn.partition.finish import finished
from spikebnn.partition.join import Bin, join
from spikebnn.partition.limits import bank_violations, core_violations, cores_there, far_too_many
from spikebnn.partition.lower import Lowered, lower
from spikebnn.partition.merge import ALONE, AXON, MERGE, SHARED
from spikebnn.partition.mix import mixed
from spikebnn.partition.pack import Tried
from spikebnn.partition.readout import ReadoutBanks
from spikebnn.partition.settle import settle
from spikebnn.partition.spare import crowded
from spikebnn.partition.timing import Schedule, schedule
from spikebnn.partition.types import Partition, Shard, Violation
from spikebnn.recipe import Recipe
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork

SMALL = 64  # cores up to which all ways to make pools are tried
Attempt = tuple[Partition | None, tuple[Violation, ...]]


def attempt(
    network: ThresholdNetwork, target: Target, recipe: Recipe, cut_bundles: bool, seen: U8 | None = None,
    room: int | None = None,
) -> Attempt:
    """The plan of one recipe, or what stands in its way; `cut_bundles` as in `lower`, given up above `room` cores."""
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
    return finished(network, lowered, read, got.plan, got.shards, got.bound, target), ()


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
        packed = pack_backward(plan, heard, splitters, keeps, network.inputs, target, tried, room)
        if isinstance(packed, Violation):
            return (*torn, packed)
        if isinstance(packed, Change):
            splitters |= {packed.relays} - {""}
            keeps = {**keeps, **packed.pools}
            continue
        shards = join(plan.banks, packed, target)
        if torn and len(shards) <= cores_there(target):  # refused already, whatever a better packing would take
            return _Way(plan, shards, bound, keeps)
        shards = _fewest(plan, packed, shards, network.inputs, target)
        spare = crowded(plan.banks, packed, len(shards), network.inputs, target)
        other = pack_backward(plan, heard, splitters, keeps, network.inputs, target, tried, room, spare) if spare else None
        if isinstance(other, list):
            shards = _fewest(plan, other, shards, network.inputs, target)
        return _Way(plan, shards, bound, keeps)


def _fewest(plan: Schedule, packed: Sequence[Bin], shards: list[Shard], inputs: int, target: Target) -> list[Shard]:
    """`shards`, or the parts on fewer cores than these."""
    for bins in (packed, *mixed(plan.banks, packed, plan.signals, inputs, target)):
        joined = join(plan.banks, bins, target)
        shards = joined if len(joined) < len(shards) else shards
    return shards


def _other_pools(got: _Way | tuple[Violation, ...]) -> Iterator[Mapping[str, str]]:
    """Other choices for the pools of a way that are worth packing all banks once more."""
    if isinstance(got, _Way):
        merges = {bank.name for bank in got.plan.banks if bank.role == MERGE}
        if any(got.plan.fused.get(name) and got.keeps.get(name) == AXON for name in merges):
            yield {name: SHARED if got.keeps.get(name) == AXON else choice for name, choice in got.keeps.items()}
        if merges and len(got.shards) <= SMALL:
            yield dict.fromkeys(merges - {bank.name for bank in got.plan.banks if bank.joined}, ALONE)


def _by_layer(plan: Schedule, bound: Bound) -> dict[str, float]:
    """Cores that the neurons of each layer fill."""
    cores: dict[str, float] = {}
    for bank, share in zip(plan.banks, bound.banks, strict=True):
        name = plan.layers[bank.layer].name
        cores[name] = cores.get(name, 0.0) + share
    return cores


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
