"""The fast walk: neurons whose axons each carry one bit in their one tick are compared as a matrix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.checks.forms import CHANGES, claim, repeats
from spikebnn.program import MEMORYLESS, Core
from spikebnn.threshold import NO_TAP, ThresholdNetwork

FEW = 8  # patches that are looked at one by one


class OneTick:
    """The network, ready to be compared with neurons that act at once."""

    def __init__(self, network: ThresholdNetwork, state: Array, same: I64) -> None:
        """`same` (bits + 1,) names bits that are equal alike."""
        self.network, self.state, self.same = network, state, same
        wired = [replace(layer.synapses, taps=same[layer.synapses.taps].astype(np.int32)) for layer in network.layers]
        self.simple = [not repeats(synapses) for synapses in wired]
        self.column = np.full(network.bits + 1, -1, np.int64)  # scratch: the column that carries a bit

    def holds(
        self, core: Core, number: int, some: Array, weights: Array, used: Array, bit: I64, tick: I64, period: int
    ) -> bool:
        """Compare the neurons `some` of a core with the network; False where this walk cannot tell.

        `weights` (neurons, axons) are theirs, `used` (axons,) is where they are not all zero; axon a carries bit[a] in
        tick[a]. Raises CheckError where they differ.
        """
        start = int(core.start[some[0]])
        if not (used <= ((bit >= 0) & (tick == start))).all() or not (core.reset[some] == MEMORYLESS).all():
            return False
        layers = np.unique(core.layer[some])
        if layers[-1] >= len(self.network.layers) or not all(self.simple[k] for k in layers) or core.unit[some].min() < 0:
            return False
        if period > 1 and not (core.threshold[some] > core.leak[some]).all():
            return False
        axons = np.flatnonzero(used)
        bits, column = np.unique(bit[axons], return_inverse=True)
        have = weights[:, axons]
        if len(bits) < len(axons):  # a bit comes on several axons
            order = np.argsort(column.reshape(-1), kind="stable")
            have = np.add.reduceat(have[:, order], np.searchsorted(column.reshape(-1)[order], np.arange(len(bits))), axis=1)
        else:
            have = have[:, np.argsort(column.reshape(-1))]
        self.column[bits] = np.arange(len(bits))
        try:
            for layer in layers.tolist():
                self._layer(core, number, some, have, layer)
        finally:
            self.column[bits] = -1
        return True

    def _layer(self, core: Core, number: int, some: Array, have: Array, index: int) -> None:
        layer = self.network.layers[index]
        mine = np.flatnonzero(core.layer[some] == index)
        units, copy = np.unique(core.unit[some[mine]], return_inverse=True)
        copy = copy.reshape(-1)
        s = layer.synapses
        patches, patch = np.unique(s.patch[units], return_inverse=True)
        patch = patch.reshape(-1)
        taps = s.taps[patches]
        told = np.where(taps == NO_TAP, 0, self.state[taps])
        where = self.column[self.same[taps]]
        weight = s.weight[s.row[units]].astype(np.int32) * layer.sign[units].astype(np.int32)[:, None]
        want = np.zeros((len(units), have.shape[1]), np.int32)
        fixed = np.zeros(len(units), np.int64)
        lost = False
        for k in range(len(patches)) if len(patches) <= FEW else ():
            rows, live = np.flatnonzero(patch == k), np.flatnonzero(told[k] == CHANGES)
            own = weight[rows]
            read = live[where[k, live] >= 0]
            lost |= len(read) < len(live) and bool(own[:, live[where[k, live] < 0]].any())
            want[np.ix_(rows, where[k, read])] = own[:, read]
            if (told[k] == 1).any():
                fixed[rows] = own[:, told[k] == 1].sum(axis=1)
        if len(patches) > FEW:
            told, where = told[patch], where[patch]
            row, tap = np.nonzero((told == CHANGES) & (weight != 0))
            lost = bool((where[row, tap] < 0).any())
            want[row, where[row, tap]] = weight[row, tap]
            fixed = (weight * (told == 1)).sum(axis=1)
        claim(not lost, f"core {number} has no axon for a bit that its neurons read: it has other synapses than the layer")
        differs = (want[copy] != have[mine]).any(axis=1)
        first = some[mine[int(differs.argmax())]]
        claim(not differs.any(), f"neuron {first} of core {number} ({layer.name}) has other synapses than the layer")
        theta = core.threshold[some[mine]].astype(np.int64) - core.leak[some[mine]]
        differs = theta != (layer.threshold[units] - fixed)[copy]
        first = some[mine[int(differs.argmax())]]
        claim(not differs.any(), f"neuron {first} of core {number} ({layer.name}) fires at another sum than the layer")
