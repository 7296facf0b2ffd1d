"""Refusals: everything that stands in the way of a network at once, also what its first violations hide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikebnn.arrays import U8
from spikebnn.partition.attempt import attempt
from spikebnn.partition.ease import eased
from spikebnn.partition.limits import bank_violations, far_too_many
from spikebnn.partition.lower import lower
from spikebnn.partition.settle import settle
from spikebnn.partition.types import Violation
from spikebnn.recipe import Recipe
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork


def hopeless(
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
                for v in attempt(network, easier, recipe, cut_bundles)[1]:
                    named.setdefault((v.layer, v.what), v)
                if len(named) > before:
                    break
        if len(named) == before:
            return tuple(named.values())
