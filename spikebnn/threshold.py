"""`ThresholdNetwork`: the network after folding, integers only; every room behind it stands on the one law.

A neuron fires exactly when `sign * sum(weight * bit) >= threshold`, with bits in {0, 1}. Bits are numbered
through the whole network: first the input bits, then the neurons of each layer, in layer order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from spikebnn.arrays import F32, F64, I8, I16, I32, Array, door
from spikebnn.network import Network

NO_TAP = -1  # a tap that is not connected: padding
FEW, CHUNK = 4, 1 << 22  # neurons of a patch that are summed one by one; cells looked at at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Synapses:
    """Shared-weight wiring: neuron n sums weight[row[n], t] * bit[taps[patch[n], t]] over its taps t.

    A dense layer has one patch; a convolution has one patch per group and position.
    """

    weight: I16  # (rows, taps); -1, 0, +1, times a level's multiplicity
    taps: I32  # (patches, taps); bit numbers, NO_TAP where there is no synapse
    row: I32  # (neurons,)
    patch: I32  # (neurons,)

    @property
    def neurons(self) -> int:
        return len(self.row)

    def of(self, neuron: int) -> tuple[I32, I16]:
        """The sources (bit numbers) and non-zero weights of one neuron."""
        taps, weight = self.taps[self.patch[neuron]], self.weight[self.row[neuron]]
        used = (taps != NO_TAP) & (weight != 0)
        return taps[used], weight[used]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Witness:
    """Where the original network shows this layer's bits: bit n = value[element[n]] >= at least.

    `value` names a value of the `Network`; `element` indexes its flattened axes after the batch axis.
    """

    value: str
    element: I32  # (neurons,); -1 where the original shows no such element
    at_least: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """Neurons that fire when sign * sum >= threshold."""

    name: str  # module path in the original, unique; pools and level copies get a suffix
    kind: str  # "dense", "conv", "pool", "gate"
    synapses: Synapses
    sign: I8  # (neurons,); -1 flips all synapses of the neuron
    threshold: I32  # (neurons,)
    first: int  # bit number of neuron 0
    shape: tuple[int, ...]  # arrangement of the neurons: (features,) or (channels, height, width)
    witness: Witness | None = None  # None where the original never shows this bit (inside a pool)

    @property
    def neurons(self) -> int:
        return self.synapses.neurons


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readout:
    """Integer sums, one per score, and the float function that turns them into the network's output.

    scores = tail(float32(alpha * (unit * sum + offset)) + bias), the product in float64, the rest in `dtype`;
    `tail` is run by spikebnn.evaluate on an array of `shape` per frame.
    `witness` names the value in the original that equals the scores before the tail.
    """

    name: str
    synapses: Synapses
    alpha: F64  # (sums,)
    unit: float
    offset: F64  # (sums,)
    bias: F32 | F64 | None  # (sums,); of type `dtype`
    shape: tuple[int, ...]  # shape of one frame's sums
    tail: Network | None
    witness: str
    dtype: str = "float32"
    tolerance: float = 0.0  # largest rounding difference the original may show at `witness`; 0: equal bits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoder:
    """How a frame of the network's own input becomes input bits.

    kind "values": bit = (x == high), where x holds only low and high; "host": `graph` is run and
    bit = (its output >= high); "planes": bit k of an unsigned integer; "thermometer": x > k;
    "burst": x ticks of one spike each, spread over `ticks` ticks.
    """

    kind: str
    shape: tuple[int, ...]  # of one frame of x
    dtype: str  # of x
    low: float = 0.0
    high: float = 1.0
    levels: int = 1  # bits per element: 8 for planes of uint8
    ticks: int = 1
    graph: Network | None = None  # one output per value in `parts`
    cuts: tuple[tuple[float, ...], ...] = ()  # per graph output: the values at which a further bit is set
    allowed: tuple[tuple[float, ...], ...] = ()  # per graph output: the only values it may take; others are refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing the report must say about a layer: "constant", "falling", "fragile", "tie", "host"."""

    layer: str
    kind: str
    count: int
    of: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ThresholdNetwork:
    """Input bits, threshold layers in topological order, and a readout."""

    inputs: int  # input bits
    encoder: Encoder
    layers: tuple[Layer, ...]
    readout: Readout
    findings: tuple[Finding, ...] = ()
    digest: str = ""  # of the network file
    meta: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def bits(self) -> int:
        """All bits: inputs and neurons."""
        return self.inputs + sum(layer.neurons for layer in self.layers)


def plain_readout(count: int) -> Readout:
    """A readout whose `count` scores are the sums themselves, for programs that no network stands behind."""
    none = np.zeros(0, np.int32)
    return Readout(
        name="readout",
        synapses=Synapses(weight=np.zeros((0, 0), np.int16), taps=np.zeros((0, 0), np.int32), row=none, patch=none),
        alpha=door(np.ones(count), np.float64, count),
        unit=1.0,
        offset=door(np.zeros(count), np.float64, count),
        bias=None,
        shape=(count,),
        tail=None,
        witness="",
    )


def sums(synapses: Synapses, bits: Array) -> I32:
    """The integer sums (frames, neurons) for bits (frames, all bits), without the neurons' signs."""
    padded = np.concatenate([bits, np.zeros((len(bits), 1), bits.dtype)], axis=1).astype(np.float32)
    out = np.zeros((len(bits), synapses.neurons), np.int32)
    order = np.argsort(synapses.patch, kind="stable")
    first = np.flatnonzero(np.diff(synapses.patch[order], prepend=-1))
    if FEW * len(first) > synapses.neurons:  # few neurons a patch: neuron by neuron, many at once
        step = max(1, CHUNK // max(1, len(bits) * synapses.taps.shape[1]))
        for k in range(0, synapses.neurons, step):
            mine = order[k : k + step]
            weight = synapses.weight[synapses.row[mine]].astype(np.float32)
            read = padded[:, synapses.taps[synapses.patch[mine]]]
            out[:, mine] = np.rint(np.matmul(read.transpose(1, 0, 2), weight[:, :, None])[:, :, 0].T)
        return out
    for mine in np.split(order, first[1:]):
        weight = synapses.weight[synapses.row[mine]].astype(np.float32)
        out[:, mine] = np.rint(padded[:, synapses.taps[synapses.patch[mine[0]]]] @ weight.T)
    return out


def execute(network: ThresholdNetwork, inputs: Array) -> tuple[Array, I32]:
    """All bits (frames, bits) and the readout's sums (frames, sums) for input bits (frames, inputs)."""
    bits = np.zeros((len(inputs), network.bits), np.uint8)
    bits[:, : network.inputs] = inputs
    for layer in network.layers:
        v = layer.sign * sums(layer.synapses, bits)
        bits[:, layer.first : layer.first + layer.neurons] = v >= layer.threshold
    return bits, sums(network.readout.synapses, bits)
