"""Linear forms over bits and digits, for the checkers: what a neuron adds up, and which bits never change."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.errors import CheckError
from spikebnn.program import Program
from spikebnn.threshold import NO_TAP, Layer, Synapses, ThresholdNetwork

Form = tuple[I64, I64]  # bits in rising order and their non-zero weights

CHANGES = -1
CHUNK = 1 << 22  # synapses looked at at once


def claim(true: bool | np.bool_, wrong: str) -> None:
    """Raise CheckError with the sentence unless it is true."""
    if not true:
        raise CheckError(f"the program is not the network: {wrong}. This is a bug in spikebnn; please report it.")


def in_order(program: Program) -> list[tuple[int, int]]:
    """Starts and cores, the earliest first; neurons mostly hear what started before."""
    return sorted((int(start), k) for k, core in enumerate(program.cores) for start in np.unique(core.start))


def form_of(synapses: Synapses, neuron: int, sign: int = 1) -> Form:
    """The summed weights of one neuron of the network."""
    source, weight = synapses.of(neuron)
    return summed(source.astype(np.int64), sign * weight.astype(np.int64))


def summed(bits: I64, weight: I64) -> Form:
    """Bits in rising order, the weights of equal ones added up, zeros left out."""
    order = np.argsort(bits, kind="stable")
    bits, weight = bits[order], weight[order]
    fresh = np.ones(len(bits), bool)
    np.not_equal(bits[1:], bits[:-1], out=fresh[1:])
    if not fresh.all():
        bits, weight = bits[fresh], np.add.reduceat(weight, np.flatnonzero(fresh))
    kept = weight != 0
    return (bits, weight) if kept.all() else (bits[kept], weight[kept])


def changing(form: Form, state: Array) -> tuple[Form, int]:
    """The form without constant bits, and what those add."""
    bits, weight = form
    live = state[bits] == CHANGES
    return (bits[live], weight[live]), int(weight[state[bits] == 1].sum())


def constants(network: ThresholdNetwork) -> Array:
    """Per bit: CHANGES, or the value it always has."""
    most = network.encoder.ticks if network.encoder.kind == "burst" else 1
    state = np.full(network.bits, CHANGES, np.int8)
    for layer in network.layers:
        low, high = _bounds(layer, state, network.inputs, most)
        mine = state[layer.first : layer.first + layer.neurons]
        mine[layer.threshold > high] = 0
        mine[layer.threshold <= low] = 1
    return state


def repeats(synapses: Synapses) -> bool:
    """Whether some patch taps a bit twice."""
    taps = np.sort(synapses.taps, axis=1)
    return bool(((taps[:, 1:] == taps[:, :-1]) & (taps[:, 1:] != NO_TAP)).any())


def chunks(neurons: int, taps: int) -> list[slice]:
    """Slices of the neurons whose synapses fit one look."""
    step = max(1, CHUNK // max(1, taps))
    return [slice(k, min(k + step, neurons)) for k in range(0, neurons, step)]


def _bounds(layer: Layer, state: Array, inputs: int, most: int) -> tuple[I64, I64]:
    """Smallest and largest sum of every neuron over all values of the bits that change."""
    s, sign = layer.synapses, layer.sign.astype(np.int64)
    low, high = np.zeros(layer.neurons, np.int64), np.zeros(layer.neurons, np.int64)
    if repeats(s):
        for n in range(layer.neurons):
            (bits, weight), fixed = changing(form_of(s, n, int(sign[n])), state)
            count = np.where(bits < inputs, most, 1)
            low[n] = fixed + (np.minimum(weight, 0) * count).sum()
            high[n] = fixed + (np.maximum(weight, 0) * count).sum()
        return low, high
    told = np.append(state, 0)[s.taps]
    count = np.where(told == CHANGES, np.where(s.taps < inputs, most, 1), 0).astype(np.int32)
    fixed_on = (told == 1).astype(np.int32)
    for some in chunks(layer.neurons, s.taps.shape[1]):
        weight = s.weight[s.row[some]].astype(np.int32)
        mark, on = count[s.patch[some]], fixed_on[s.patch[some]]
        down = (np.minimum(weight, 0) * mark).sum(axis=1)
        up = (np.maximum(weight, 0) * mark).sum(axis=1)
        fixed = (weight * on).sum(axis=1) * sign[some]
        falls = sign[some] < 0
        low[some] = fixed + np.where(falls, -up, down)
        high[some] = fixed + np.where(falls, -down, up)
    return low, high


class Digits:
    """Numbers beyond the bits that a form may hold: digit = floor((form + shift) / radix), each with a name of its own.

    A neuron that fires once per `radix` of its sum says such a number. Names go on from the bits; the same number said
    by another neuron has the same name, so that digits cancel where forms are added.
    """

    def __init__(self, most: I64) -> None:
        self.first = len(most)
        self.most = most.astype(np.int64)  # largest value of each bit and digit; the smallest is 0
        self._of: list[tuple[Form, int, int]] = []
        self._names: dict[tuple[bytes, bytes, int, int], int] = {}

    def name(self, form: Form, shift: int, radix: int, most: int) -> int:
        """The number of a digit, new or known."""
        key = (form[0].tobytes(), form[1].tobytes(), shift, radix)
        if key not in self._names:
            self._names[key] = self.first + len(self._of)
            self._of.append((form, shift, radix))
            if len(self.most) <= self._names[key]:
                self.most = np.concatenate([self.most, np.zeros(len(self.most), np.int64)])
            self.most[self._names[key]] = most
        return self._names[key]

    def bounds(self, form: Form, shift: int) -> tuple[int, int]:
        """Smallest and largest value of form + shift, an interval that holds it for every value of the bits.

        A digit that takes away what it counted leaves a rest: x - radix * floor(x / radix) lies in 0..radix-1.
        """
        bits, weight = form
        low = high = shift
        while len(bits) and bits[-1] >= self.first:
            inner, moved, radix = self._of[int(bits[-1]) - self.first]
            by = int(weight[-1])
            if by < 0 and by % radix == 0 and _inside(inner, (bits[:-1], weight[:-1]), -by // radix):
                times = -by // radix
                high += times * (radix - 1)
                low, high = low - times * moved, high - times * moved
                bits, weight = summed(
                    np.concatenate([bits[:-1], inner[0]]), np.concatenate([weight[:-1], -times * inner[1]])
                )
            else:
                most = int(self.most[bits[-1]])
                low, high = low + min(by, 0) * most, high + max(by, 0) * most
                bits, weight = bits[:-1], weight[:-1]
        ends = weight * self.most[bits]
        return low + int(ends[ends < 0].sum()), high + int(ends[ends > 0].sum())


def _inside(inner: Form, form: Form, times: int) -> bool:
    """Whether `form` holds `times` the inner form, so that taking it away makes it simpler."""
    at = np.searchsorted(form[0], inner[0])
    there = at < len(form[0])
    return bool(there.all() and (form[0][at] == inner[0]).all() and (form[1][at] == times * inner[1]).all())
