"""The front of the network: how its raw input becomes bits, on the host or straight from the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikebnn import ops
from spikebnn.arrays import F64, Array
from spikebnn.errors import ImportRefused
from spikebnn.fold.options import FoldOptions
from spikebnn.fold.tail import Tail, closure, references, run, wiring
from spikebnn.fold.values import Bits, variable
from spikebnn.network import Network, Node

PROBE_LEVELS = 17  # a host value with more values than this over the probe is real
BYTE_CODES = {"uint8-planes": 8, "uint8-thermometer": 255, "uint8-burst": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """Bits that come from outside: `kind` "values" or a byte code for raw data, "host" for a computed value."""

    kind: str
    source: str  # graph value that is encoded
    bits: Bits
    first: int
    size: int
    low: float = 0.0
    high: float = 1.0
    values: tuple[float, ...] = ()  # host: the values it takes, rising


def front_bits(
    network: Network,
    producer: Mapping[str, Node],
    constants: Mapping[str, Array],
    name: str,
    options: FoldOptions,
    first: int,
) -> Front | None:
    """The bits that host value `name` consists of, numbered from `first`; None when it is real-valued."""
    raw = network.inputs[0]
    start = name
    while start != raw and start in producer:
        node = producer[start]
        inputs = [n for n in references(node) if (n in producer and n not in constants) or n == raw]
        plain = node.op in ops.POINTWISE or node.op in ops.REWIRE or node.op in ops.COPY
        if not plain or len(set(inputs)) != 1:
            break
        start = inputs[0]
    tail = closure(network, producer, constants, start, name)
    shape = tuple(int(n or 1) for n in network.shapes[start][1:])
    if start == raw:
        return _raw(network, tail, name, shape, options, first) or _host(network, tail, name, shape, first, options)
    return _host(network, tail, name, shape, first, options)


def input_values(network: Network, options: FoldOptions) -> tuple[float, float] | None:
    """The two values that the input holds, as the user or the file says; None when unknown."""
    if options.input == "signs":
        return -1.0, 1.0
    if options.input == "bits":
        return 0.0, 1.0
    known = network.example.get("values")
    if options.input == "auto" and known is not None and len(known) == 2:
        return float(known[0]), float(known[1])
    return None


def _raw(network: Network, tail: Tail, name: str, shape: tuple[int, ...], options: FoldOptions, first: int) -> Front | None:
    """The raw input, possibly rewired and scaled, taken as bits."""
    size = int(np.prod(shape))
    dtype = np.dtype(str(network.example.get("dtype", "float32")))
    pair = input_values(network, options)
    byte = options.input in BYTE_CODES
    if pair is None and not byte:
        return None
    domain = np.arange(256) if byte else np.array(pair)
    answers = _on(tail, domain.astype(dtype), shape)
    lowest = answers.reshape(len(domain), -1)
    if answers.shape[1:] == () or np.ptp(lowest, axis=1).max(initial=0.0) != 0:
        return None
    a = lowest[:, 0]
    line = a[0] + np.arange(len(a)) * (a[-1] - a[0]) / (len(a) - 1)
    if a[0] == a[-1] or np.abs(line - a).max() > 1e-5 * max(1.0, float(np.abs(a).max())):
        return None
    place = wiring(tail, np.arange(size).reshape(shape), network.shapes)
    base, unit = float(a[0]), float((a[-1] - a[0]) / (len(a) - 1))
    if not byte:
        assert pair is not None
        bits = variable(first + place[None], (1,), base, unit)
        return Front("values", tail.start, bits, first, size, pair[0], pair[1])
    code, levels = options.input.removeprefix("uint8-"), BYTE_CODES[options.input]
    weights = tuple(1 << k for k in range(8)) if code == "planes" else (1,) * levels
    index = first + np.arange(levels).reshape(-1, *(1,) * place.ndim) * size + place[None]
    front = variable(index, weights, base, unit)
    most = 255 if code == "burst" else 1
    bits = Bits(front.index, front.fixed, weights, base, unit, most, nested=code == "thermometer")
    return Front(code, tail.start, bits, first, size * levels, 0.0, 255.0)


def _on(tail: Tail, numbers: Array, shape: tuple[int, ...]) -> Array:
    spread = np.broadcast_to(numbers.reshape(-1, *(1,) * len(shape)), (len(numbers), *shape))
    return np.asarray(run(tail, np.ascontiguousarray(spread)))


def _probe(dtype: np.dtype[np.generic]) -> Array:
    if dtype.kind in "ui":
        return np.arange(256).astype(dtype)
    powers = [s * 2.0**e for e in range(-20, 20) for s in (-1, 1)]
    return np.array(sorted({*powers, *np.linspace(-4, 4, 402), *np.linspace(0.5, 255.5, 86)}), dtype)


def _host(network: Network, tail: Tail, name: str, shape: tuple[int, ...], first: int, options: FoldOptions) -> Front | None:
    """A value that the host computes; binary (or of few levels) by construction, as a ramp through its tail shows."""
    if not tail.nodes:
        return None
    raw = tail.start in network.inputs
    dtype = np.dtype(str(network.example.get("dtype", "float32"))) if raw else np.dtype(np.float32)
    values = np.unique(_on(tail, _probe(dtype), shape)).astype(np.float64)
    if len(values) < 2 or len(values) > PROBE_LEVELS or not np.isfinite(values).all():
        return None
    if tail.has_sign and len(values) == 3 and values[1] == 0:  # only integers reach the tie on the probe
        if options.ternary != "expand" and not options.sign0:
            raise ImportRefused(
                f"the host value '{name}' is sign(x) of integers, which can be 0; --ternary expand or --sign0 decides"
            )
        values = values if options.ternary == "expand" else values[[0, 2]]
    gaps = np.diff(values)
    unit = float(gaps.min())
    steps = np.rint(gaps / unit)
    if (np.abs(gaps / unit - steps) > 1e-5).any():
        return None
    if len(values) > 2 and options.levels != "expand" and options.ternary != "expand":
        return None
    place = np.arange(int(np.prod(network_shape(network, name)))).reshape(network_shape(network, name))
    size = place.size
    index = first + np.arange(len(gaps)).reshape(-1, *(1,) * place.ndim) * size + place[None]
    bits = variable(index, tuple(int(s) for s in steps), float(values[0]), unit)
    return Front("host", name, bits, first, size * len(gaps), float(values[0]), float(values[-1]), tuple(values.tolist()))


def network_shape(network: Network, name: str) -> tuple[int, ...]:
    """Shape of one frame of a value."""
    return tuple(int(n or 1) for n in network.shapes[name][1:])


def cuts(values: F64 | tuple[float, ...]) -> tuple[float, ...]:
    """The values at which a further bit is set: all but the smallest."""
    return tuple(float(v) for v in values[1:])
