"""The two ends of a run: frames of data become input bits, and integer sums become the network's scores."""

from __future__ import annotations

import math

import numpy as np

from spikebnn.arrays import F64, I64, U8, Array
from spikebnn.errors import InputError
from spikebnn.network import Network
from spikebnn.threshold import Encoder, Readout

Values = tuple[tuple[float, ...], ...]
HOST_BATCH = 256  # frames per call of the host's part of the network


def encode(encoder: Encoder, x: Array) -> U8:
    """The input bits (frames, ticks, inputs) of frames `x` (frames, *encoder.shape).

    Bits are numbered level * elements + element; see `spikebnn.threshold.Encoder` for the kinds. Data
    of another type than the network's own is taken only if no value changes on the way.
    """
    data = _own_type(encoder, _own_shape(encoder, np.asarray(x)))
    if encoder.kind == "host":
        return _host(encoder, data)[:, None, :]
    flat = data.reshape(len(data), math.prod(encoder.shape))
    if encoder.kind == "values":
        return _values(encoder, flat)[:, None, :]
    _whole(encoder, flat)
    if encoder.kind == "burst":
        return _burst(encoder, flat)
    levels = np.arange(encoder.levels)[:, None]
    if encoder.kind == "planes":
        if flat.size and int(flat.max()) >> encoder.levels:
            raise InputError(
                f"an input value is {flat.max()}, and the network takes {encoder.levels}-bit values, "
                f"0 to {2**encoder.levels - 1}"
            )
        bits: Array = flat[:, None, :].astype(np.int64) >> levels & 1
    elif encoder.kind == "thermometer":
        bits = flat[:, None, :] > levels
    else:
        raise InputError(
            f"the program names the input code {encoder.kind!r}, and this version knows "
            "values, host, planes, thermometer and burst"
        )
    return np.ascontiguousarray(bits.reshape(len(flat), 1, -1), dtype=np.uint8)


def decode(readout: Readout, sums: I64) -> F64:
    """The network's scores (frames, *one frame's output) for integer sums (frames, sums).

    scores = tail(float32(alpha * (unit * sum + offset)) + bias): the product in float64, rounded once to the
    readout's own type; the bias is added in that type; the tail runs as the network does.
    """
    exact = readout.alpha.astype(np.float64) * (readout.unit * np.asarray(sums, np.float64) + readout.offset)
    values = exact.astype(readout.dtype)
    if readout.bias is not None:
        values = values + readout.bias.astype(readout.dtype)
    values = values.reshape(len(values), *readout.shape)
    if readout.tail is not None:
        (values,) = _evaluate(readout.tail, values)
    return np.asarray(values, np.float64)


def _own_shape(encoder: Encoder, x: Array) -> Array:
    wanted = "(frames, " + ", ".join(map(str, encoder.shape)) + ")" if encoder.shape else "(frames,)"
    if x.shape == encoder.shape and encoder.shape:
        raise InputError(
            f"the data has shape {x.shape}, one frame without the frames axis; "
            f"{wanted} is wanted; try x[None]"
        )
    if x.ndim == 0 or x.shape[1:] != encoder.shape:
        raise InputError(f"the data has shape {x.shape}, and the network takes {wanted}")
    return x


def _own_type(encoder: Encoder, x: Array) -> Array:
    own = np.dtype(encoder.dtype)
    if x.dtype == own:
        return x
    if x.dtype.kind not in "biuf":
        raise InputError(f"the data is of type {x.dtype}, and the network takes {own}")
    if x.dtype.kind == "f" and own.kind != "f":
        raise InputError(
            f"the data is of type {x.dtype}, and the network takes {own}; "
            f"scale it as the network was trained, then convert it with x.astype({str(own)!r})"
        )
    with np.errstate(all="ignore"):
        out = x.astype(own)
    wrong = (out != x) & (x == x)
    if x.dtype.kind != "f" and own.kind in "iu":
        info = np.iinfo(own)
        wrong = (x < info.min) | (x > info.max)
    if wrong.any():
        start = f"the data is of type {x.dtype}, and the network takes {own};"
        raise InputError(_first(start, x, wrong, f"cannot be written as {own}"))
    return out


def _values(encoder: Encoder, flat: Array) -> U8:
    if flat.dtype == np.uint8 and (encoder.low, encoder.high) == (0, 1) and int(flat.max(initial=0)) <= 1:
        return flat.copy()  # these are the bits; comparing each of them would take twenty times as long
    high, low = flat == encoder.high, flat == encoder.low
    if np.count_nonzero(high) + np.count_nonzero(low) < flat.size:  # they differ
        wrong = ~(high | low)
        shape = (len(flat), *encoder.shape)
        start = f"the network takes {encoder.low:g} and {encoder.high:g} only;"
        raise InputError(_first(start, flat.reshape(shape), wrong.reshape(shape), "neither"))
    bits: U8 = high.view(np.uint8)
    return bits


def _whole(encoder: Encoder, flat: Array) -> None:
    if flat.dtype.kind == "f":
        wrong = ~(flat == np.floor(flat))
    else:
        wrong = np.zeros(flat.shape, bool)
    wrong |= ~(flat >= 0)
    if wrong.any():
        shape = (len(flat), *encoder.shape)
        start = "the network takes whole numbers from 0 up;"
        raise InputError(_first(start, flat.reshape(shape), wrong.reshape(shape), "not such a number"))


def _burst(encoder: Encoder, flat: Array) -> U8:
    wrong = flat > encoder.ticks
    if wrong.any():
        shape = (len(flat), *encoder.shape)
        start = f"a value is sent as so many spikes in {encoder.ticks} ticks;"
        raise InputError(_first(start, flat.reshape(shape), wrong.reshape(shape), "larger than that"))
    ticks = np.arange(encoder.ticks + 1)[:, None]
    sent = flat[:, None, :].astype(np.int64) * ticks // encoder.ticks  # before tick t; spread evenly
    return np.ascontiguousarray(np.diff(sent, axis=1), dtype=np.uint8)


def _host(encoder: Encoder, x: Array) -> U8:
    graph = encoder.graph
    if graph is None:
        raise InputError("the program's host part is missing; map the network again")
    if x.dtype.kind == "f" and np.isnan(x).any():
        raise InputError(_first("the network takes numbers;", x, np.isnan(x), "not a number"))
    cuts = encoder.cuts or ((encoder.high,),) * len(graph.outputs)
    allowed = encoder.allowed or ((),) * len(graph.outputs)
    if len(x) == 0:
        sizes = (math.prod(n or 0 for n in graph.shapes[name][1:]) for name in graph.outputs)
        return np.zeros((0, sum(len(at) * size for at, size in zip(cuts, sizes))), np.uint8)
    batches = [x[k : k + HOST_BATCH] for k in range(0, len(x), HOST_BATCH)]
    return np.concatenate([_levels(graph, batch, cuts, allowed) for batch in batches])


def _levels(graph: Network, x: Array, cuts: Values, allowed: Values) -> U8:
    parts = []
    for name, value, at, only in zip(graph.outputs, _evaluate(graph, x), cuts, allowed, strict=True):
        if np.isnan(value).any():
            start = f"the host's part of the network answers with NaN at {name};"
            raise InputError(_first(start, value, np.isnan(value), "not a number"))
        if only and not np.isin(value, only).all():
            start = f"the network takes {' and '.join(f'{v:g}' for v in only)} only;"
            raise InputError(_first(start, value, ~np.isin(value, only), "none of these"))
        bits = np.stack([value >= cut for cut in at], axis=1) if at else np.zeros((len(x), 0), bool)
        parts.append(bits.reshape(len(x), -1).astype(np.uint8))
    return np.concatenate(parts, axis=1)


def _evaluate(graph: Network, x: Array) -> list[Array]:
    from spikebnn.evaluate import evaluate

    values = evaluate(graph, {graph.inputs[0]: x}, list(graph.outputs))
    return [np.asarray(values[name]) for name in graph.outputs]


def _first(start: str, x: Array, wrong: Array, what: str) -> str:
    """A sentence with the number of wrong values, the first one, and where it is."""
    where = tuple(int(k) for k in np.argwhere(wrong)[0])
    place = f"frame {where[0]}" + (f", element {where[1:]}" if len(where) > 1 else "")
    count = int(wrong.sum())
    verb = "" if what.startswith("cannot") else "is " if count == 1 else "are "
    return f"{start} {count} of {x.size} values {verb}{what}, the first {x[where]} in {place}"
