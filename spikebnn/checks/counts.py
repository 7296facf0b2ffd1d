"""The fast walk for partial sums: neurons that count bits which all come in one tick are read off as a matrix."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.checks.forms import Form, claim
from spikebnn.program import GRADED, SUBTRACT, Core


def counted_at_once(
    core: Core, number: int, some: Array, weights: Array, bit: I64, tick: I64, period: int
) -> tuple[Array, list[Form], I64]:
    """Which of the neurons `some` count plain bits of one tick, what each of these sums up, and its most spikes.

    Such a neuron adds weights that are not negative, all in the first tick of its window, and gives one spike for
    each: its threshold is 1, it subtracts it, and nothing drives it later, so it is done before the next frame if it has
    at most `period` spikes. `weights` (neurons, axons) are theirs; axon a carries bit[a], or a negative number where
    it carries something else, in tick[a]. Raises CheckError where one counts for longer.
    """
    start = int(core.start[some[0]])
    plain = (bit >= 0) & (tick == start)
    fine = (core.reset[some] == SUBTRACT) & (core.threshold[some] == 1) & (core.leak[some] == 0) & (core.floor[some] <= 0)
    fine &= ~(weights[:, ~plain] != 0).any(axis=1) & (weights >= 0).all(axis=1)
    mine = np.flatnonzero(fine)
    forms, _, most = _forms(weights[mine], np.flatnonzero(plain), bit)
    long = np.flatnonzero(most > period)
    where = f"neuron {some[mine[long[:1]]]} of core {number}"
    claim(not len(long), f"{where} counts for {most[long[:1]]} ticks of a period of {period}")
    return fine, forms, most


def sent_at_once(
    core: Core, number: int, some: Array, weights: Array, bit: I64, tick: I64, period: int
) -> tuple[Array, list[Form], I64, I64]:
    """Which of the neurons `some` send, as a number, a sum of plain bits of one tick: form + constant, and its largest.

    Such a neuron is GRADED with threshold 1, adds what comes in its tick to its leak, and is never below 0; what is 0 is
    not sent, which is as good. Between frames it is silent. Arguments as in `counted_at_once`.
    """
    plain = (bit >= 0) & (tick == int(core.start[some[0]]))
    fine = (core.reset[some] == GRADED) & ~(weights[:, ~plain] != 0).any(axis=1)
    mine = np.flatnonzero(fine)
    constant = core.leak[some[mine]].astype(np.int64)
    forms, low, high = _forms(weights[mine], np.flatnonzero(plain), bit)
    wrong = (low + constant < 0) | (core.threshold[some[mine]] != 1) | ((period > 1) & (constant > 0))
    where = f"neuron {some[mine[wrong][:1]]} of core {number}"
    claim(not wrong.any(), f"{where} sends another number than its sum, or one in an empty tick")
    return fine, forms, constant, high + constant


def _forms(weights: Array, axons: Array, bit: I64) -> tuple[list[Form], I64, I64]:
    """What rows of synapses add up over axons that carry bits, and the smallest and largest sum of each."""
    axons = axons[np.argsort(bit[axons], kind="stable")]
    own, bits = weights[:, axons], bit[axons]
    fresh = np.flatnonzero(np.diff(bits, prepend=-2))
    if len(fresh) < len(bits):  # a bit comes on several axons
        own, bits = np.add.reduceat(own, fresh, axis=1), bits[fresh]
    row, at = np.nonzero(own)
    values, edges = own[row, at].astype(np.int64), np.searchsorted(row, np.arange(len(own) + 1)).tolist()
    read = bits[at]
    forms = [(read[a:b], values[a:b]) for a, b in pairwise(edges)]
    low, high = (cut(own, 0).sum(axis=1, dtype=np.int64) for cut in (np.minimum, np.maximum))
    return forms, low, high
