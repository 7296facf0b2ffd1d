"""How many bits a synapse list takes in a core's memory, and how many axons a crossbar."""

from __future__ import annotations

from functools import cache

import numpy as np

from spikebnn.arrays import I64
from spikebnn.targets.target import SynapseRule


def weight_bits(rule: SynapseRule, largest: int) -> int:
    """Bits of one stored weight when the largest magnitude is `largest`; the rule's own for -1, 0, +1."""
    return rule.weight_bits + max(largest, 1).bit_length() - 1


@cache
def run_bits(rule: SynapseRule, each: int, longest: int) -> I64:
    """Bits of a list of n synapses of `each` bits for n in 0..longest, cut into blocks in the cheapest way.

    A block holds 1 to `rule.block` synapses and an overhead, in whole words
    (nengo-loihi's bits_per_axon; hardware notes 2.1).
    """
    size = np.arange(1, rule.block + 1)
    bits = size * each + rule.block_overhead_bits
    bits = -(-bits // rule.word_bits) * rule.word_bits
    best = np.zeros(longest + 1, np.int64)
    for n in range(1, longest + 1):
        fit = min(n, rule.block)
        best[n] = (best[n - size[:fit]] + bits[:fit]).min()
    best.flags.writeable = False
    return best


def index_bits(rule: SynapseRule, neurons: int) -> int | None:
    """The narrowest index that numbers a core's neurons; None where the target has only dense runs."""
    wide = [b for b in rule.index_bits if b > 0 and 1 << b >= neurons]
    return min(wide) if wide else None
