"""Numbers of a bank against the numbers of a target: resets, biases, thresholds, membrane width, weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from spikebnn.arrays import Array
from spikebnn.partition.types import Bank, Shard, Violation
from spikebnn.program import FORGETS, GRADED, MEMORYLESS, SUBTRACT, ZERO, ProgramLayer
from spikebnn.targets.target import Target

FAR = 4  # times the cores that there are, from which on a network is refused by its bound alone
_RESETS = {MEMORYLESS: "memoryless", GRADED: "memoryless", ZERO: "zero", SUBTRACT: "subtract"}


def bank_violations(bank: Bank, reads_membrane: bool, target: Target) -> Iterator[Violation]:
    """Everything that a bank's neurons ask of a target and do not get."""
    rule, name = target.neuron, bank.name
    if not bank.neurons:
        return
    reset = _RESETS[bank.reset]
    if reset not in rule.resets:
        yield _violation(
            name, "reset", 0, 0, f'needs the reset "{reset}", but {target.name} has {", ".join(rule.resets)}',
            "use another target",
        )
    if bank.reset in FORGETS and not reads_membrane:
        what, numbers, low, high = "bias", bank.leak, rule.bias_min, rule.bias_max
    else:
        what, numbers, low, high = "threshold", bank.threshold, rule.threshold_min, rule.threshold_max
    yield from _outside(name, what, numbers, low, high, target, "use fewer inputs per neuron or a target with wider numbers")
    widest = 2 ** (rule.v_bits - 1)
    seen = np.concatenate([bank.low, bank.high])
    yield from _outside(name, "membrane", seen, -widest, widest - 1, target, "use fewer inputs per neuron")
    if bank.reset == GRADED:
        yield from _outside(
            name, "number on a spike", bank.high, 0, 2 ** (rule.graded_bits or 0) - 1, target, "use another --split"
        )
    weights = np.concatenate([bank.synapses.weight.ravel(), *(pulse.scale for pulse in bank.pulses)])
    yield from _outside(
        name, "weight", weights, target.synapse.weight_min, target.synapse.weight_max, target,
        "use an encoding with smaller weights",
    )


def cores_there(target: Target) -> int:
    """All live cores of all chips."""
    t = target.topology
    return (t.width * t.height - len(t.dead_cores)) * t.chips


def core_violations(
    banks: Sequence[Bank], shards: Sequence[Shard], layers: Sequence[ProgramLayer], target: Target
) -> Iterator[Violation]:
    """The violation of a network that needs more cores than there are, layer by layer."""
    t, there = target.topology, cores_there(target)
    if len(shards) <= there:
        return
    cores: dict[str, int] = {}
    for shard in shards:
        name = layers[banks[shard.parts[0].bank].layer].name
        cores[name] = cores.get(name, 0) + 1
    worst = max(cores, key=lambda name: cores[name])
    each = ", ".join(f"{name} {count}" for name, count in cores.items())
    chips = -(-len(shards) // max(1, t.width * t.height - len(t.dead_cores)))
    remedy = f"try a target with {chips} chips or more, a narrower network, or another readout or split"
    yield Violation(
        layer=worst, what="cores", found=len(shards), limit=there, remedy=remedy,
        text=f'layer "{worst}": needs {cores[worst]} cores, {target.name} has {there} and the network takes {len(shards)} '
        f"in all ({each}); {remedy}",
    )


def far_too_many(
    neurons: Mapping[str, float], least: int, target: Target, room: int | None = None
) -> Violation | None:
    """The violation of a network that needs many times the cores that there are, or more than `room`; it is not packed.

    `neurons` are the cores that the neurons of each layer fill, `least` is a lower bound on all cores.
    """
    t = target.topology
    each = max(0, t.width * t.height - len(t.dead_cores))
    if least <= (FAR * each * t.chips if room is None else room):
        return None
    worst = max(neurons, key=lambda name: neurons[name])
    shares = ", ".join(f"{name} {int(np.ceil(share))}" for name, share in neurons.items() if share)
    remedy = f"try a target with {-(-least // max(1, each))} chips or more, a narrower network, or another readout or split"
    return Violation(
        layer=worst, what="cores", found=least, limit=each * t.chips, remedy=remedy,
        text=f'layer "{worst}": needs {int(np.ceil(neurons[worst]))} cores or more, {target.name} has {each * t.chips} and '
        f"the network takes at least {least} in all (for neurons alone: {shares}); {remedy}",
    )


def _outside(
    name: str, what: str, numbers: Array, low: int, high: int, target: Target, remedy: str
) -> Iterator[Violation]:
    least, most = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    if len(numbers) and not (low <= int(numbers.min()) and int(numbers.max()) <= high):
        far = least if low - least > most - high else most
        yield _violation(
            name, what, far, low if far == least else high,
            f"needs a {what} of {far}, but {target.name} has {low} to {high}", remedy,
        )


def _violation(name: str, what: str, found: int, limit: int, text: str, remedy: str) -> Violation:
    return Violation(
        layer=name, what=what, found=found, limit=limit, remedy=remedy, text=f'layer "{name}": {text}; {remedy}'
    )
