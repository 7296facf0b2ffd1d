"""What is known of a value while the network is read: a constant, a host value, bits, or a pending sum."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spikebnn.arrays import F64, I16, I32, I64, Array
from spikebnn.threshold import NO_TAP


@dataclass(frozen=True, slots=True)
class Const:
    """A value that does not depend on the input."""

    array: Array


@dataclass(frozen=True, slots=True)
class Real:
    """A value that the host computes in floats; `late` if it already depends on bits of the cores."""

    late: bool
    frontier: frozenset[str] = frozenset()  # names of the bits or sums it is computed from, when late


@dataclass(frozen=True, slots=True, eq=False)
class Bits:
    """element = base + unit * sum over levels of multiplicity * bit, or a fixed number where there is no bit.

    `index` (levels, *shape) holds bit numbers, NO_TAP where `fixed` (1, *shape) is not NaN.
    """

    index: I64
    fixed: F64
    multiplicity: tuple[int, ...]
    base: float
    unit: float
    most: int = 1  # largest number of spikes a bit stands for: 255 in a burst code
    nested: bool = True  # a level's bit is only set where all lower levels' bits are; not so for binary digits

    @property
    def shape(self) -> tuple[int, ...]:
        return self.index.shape[1:]

    def same_code(self, other: Bits) -> bool:
        return (self.multiplicity, self.base, self.unit) == (other.multiplicity, other.base, other.unit)


@dataclass(frozen=True, slots=True, eq=False)
class Root:
    """A contraction: float value of neuron n = alpha * (unit * sum + offset) + bias, sums as in `Synapses`."""

    name: str  # of the graph value
    where: str
    kind: str
    weight: I16  # (rows, taps), multiplicities included
    taps: I32  # (patches, taps)
    row: I32  # (neurons,)
    patch: I32  # (neurons,)
    alpha: F64  # (neurons,)
    bias: F64 | None  # (neurons,)
    unit: float
    offset: F64  # (neurons,)
    low: I64  # (neurons,); smallest reachable sum
    high: I64  # (neurons,)
    amplitude: float  # largest |activation| that enters
    shape: tuple[int, ...]
    dtype: str
    bits: Bits | None = None  # set for the identity root of a bit value

    @property
    def neurons(self) -> int:
        return len(self.row)

    def value(self, v: Array) -> Array:
        """Exact float64 value of the neurons for sums v (..., neurons), before rounding and bias."""
        return np.asarray(self.alpha * (self.unit * v + self.offset))

    def rounding(self) -> float:
        """Bound on |float value - exact value| for any order of summation; 0 where float sums are exact.

        Sums of 0 and ±1 are exact in float32 below 2**24; otherwise the bound is
        (K + 2) * eps / 2 * (alpha * K * amplitude + |bias|) for fan-in K.
        """
        clean = (
            self.bias is None
            and bool(np.all(self.alpha == 1))
            and float(self.amplitude).is_integer()
            and float(self.unit).is_integer()
        )
        if clean:
            return 0.0
        fan_in = int((self.weight != 0).sum(1).max(initial=0))
        eps = float(np.finfo(np.dtype(self.dtype)).eps) / 2
        bias = 0.0 if self.bias is None else float(np.abs(self.bias).max(initial=0))
        return (fan_in + 2) * eps * (float(self.alpha.max(initial=0)) * fan_in * self.amplitude + bias)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """A max pool that waits until the threshold behind it is known."""

    inner: str  # graph name of the pooled value
    out: str  # graph name of the result
    members: I64  # (outputs, members): element of the pooled value, NO_TAP outside
    spatial: bool = True  # channels stay apart


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A pointwise function of one contraction's sums, still pending; `root` names the contraction."""

    root: str
    pool: Pool | None = field(default=None)


Value = Const | Real | Bits | Sum


def variable(index: I64, multiplicity: tuple[int, ...], base: float, unit: float) -> Bits:
    """Bits without fixed elements."""
    return Bits(index, np.full((1, *index.shape[1:]), np.nan), multiplicity, base, unit)


def fixed(shape: tuple[int, ...], number: float) -> Bits:
    """A value that is the same number everywhere, for every input."""
    return Bits(np.full((0, *shape), NO_TAP, np.int64), np.full((1, *shape), number), (), number, 1.0)
