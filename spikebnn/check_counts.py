"""The fast walk for partial sums: neurons that count bits which all come in one tick are read off as a matrix."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.check_forms import Form, claim
from spikebnn.program import SUBTRACT, Core


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
    axons = np.flatnonzero(plain)
    axons = axons[np.argsort(bit[axons], kind="stable")]
    own, bits = weights[np.ix_(mine, axons)], bit[axons]
    fresh = np.flatnonzero(np.diff(bits, prepend=-2))
    if len(fresh) < len(bits):  # a bit comes on several axons
        own, bits = np.add.reduceat(own, fresh, axis=1), bits[fresh]
    row, at = np.nonzero(own)
    values, edges = own[row, at].astype(np.int64), np.searchsorted(row, np.arange(len(mine) + 1)).tolist()
    read = bits[at]
    forms = [(read[a:b], values[a:b]) for a, b in pairwise(edges)]
    most = own.sum(axis=1, dtype=np.int64)
    long = np.flatnonzero(most > period)
    where = f"neuron {some[mine[long[:1]]]} of core {number}"
    claim(not len(long), f"{where} counts for {most[long[:1]]} ticks of a period of {period}")
    return fine, forms, most
