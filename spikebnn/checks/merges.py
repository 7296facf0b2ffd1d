"""Merged axons, for the checkers: what several neurons on one axon say together, and which bits are the same."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.checks.forms import CHANGES, Form, claim, repeats, summed
from spikebnn.threshold import NO_TAP, ThresholdNetwork


class Merges:
    """The network's ORs: bits that are 1 exactly when at least one of a set of other bits is."""

    def __init__(self, network: ThresholdNetwork, state: Array, asked: bool) -> None:
        """`state` (bits,) is CHANGES, or the value that a bit always has; nothing is looked up unless `asked`."""
        self.plain = not asked
        self.same = np.arange(network.bits + 1, dtype=np.int64)  # the first bit that is equal to each; then NO_TAP's
        self.same[-1] = NO_TAP
        self._atoms: dict[int, tuple[int, ...]] = {}  # an OR's bits, none of which is an OR
        self._bit: dict[tuple[int, ...], int] = {}
        for layer in network.layers if asked else ():
            s, sign = layer.synapses, layer.sign.astype(np.int64)
            live = (s.taps != NO_TAP) & (np.append(state, 0)[s.taps] == CHANGES)
            up, down = (s.weight > 0).sum(axis=1)[s.row], (s.weight < 0).sum(axis=1)[s.row]
            least = np.where(sign > 0, down, up)  # synapses that may take away
            some = np.flatnonzero((least <= (~live).sum(axis=1)[s.patch]) | repeats(s))
            for n in some[state[layer.first + some] == CHANGES].tolist():
                taps, weight = s.taps[s.patch[n]], sign[n] * s.weight[s.row[n]].astype(np.int64)
                used = (taps != NO_TAP) & (weight != 0)
                taps, weight = summed(taps[used].astype(np.int64), weight[used])
                fixed = int(weight[state[taps] == 1].sum())
                mine = state[taps] == CHANGES
                theta = int(layer.threshold[n]) - fixed
                if len(taps[mine]) and theta >= 1 and bool((weight[mine] >= theta).all()):
                    self._learn(layer.first + n, taps[mine].tolist())

    def _learn(self, bit: int, bits: list[int]) -> None:
        atoms = self._all(bits)
        self._atoms[bit] = atoms
        self.same[bit] = atoms[0] if len(atoms) == 1 else self._bit.setdefault(atoms, bit)

    def _all(self, bits: list[int]) -> tuple[int, ...]:
        return tuple(sorted({atom for bit in bits for atom in self._atoms.get(bit, (bit,))}))

    def said(self, bits: I64, where: str) -> int:
        """The bit of the network that an axon carries which hears all of these."""
        atoms = self._all(bits.tolist())
        bit = atoms[0] if len(atoms) == 1 else self._bit.get(atoms)
        claim(bit is not None, f"{where} hears {len(bits)} neurons, and the network has no neuron that is the OR of them")
        return int(bit or 0)

    def named(self, form: Form) -> Form:
        """The form with equal bits under one name."""
        return summed(self.same[form[0]], form[1])


def merged(
    merges: Merges, axon: I64, bit: I64, tick: I64, count: int, where: str
) -> tuple[I64, I64, I64]:
    """Axons of a core that several neurons feed, the bit that each carries, and its tick.

    Route k ends on axon[k], with bit[k] in tick[k]; bits below 0 are no plain bits. Raises CheckError unless all that an
    axon hears are bits of one tick, which the network ORs too.
    """
    many = np.flatnonzero(np.bincount(axon, minlength=count) > 1)
    order = np.argsort(axon, kind="stable")
    edges = np.searchsorted(axon[order], np.stack([many, many + 1]))
    out = np.zeros((2, len(many)), np.int64)
    for k, (a, b) in enumerate(edges.T.tolist()):
        mine, at = order[a:b], f"axon {many[k]} of {where}"
        claim((bit[mine] >= 0).all(), f"{at} hears several neurons that do not say one bit each")
        claim((tick[mine] == tick[mine[0]]).all(), f"{at} hears several neurons in different ticks")
        out[:, k] = merges.said(bit[mine], at), tick[mine[0]]
    return many, out[0], out[1]
