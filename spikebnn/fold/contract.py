"""Contractions of bits: from a float weight and the bits it reads to integer synapses (a `Root`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import F64, I64, Array
from spikebnn.errors import ImportRefused
from spikebnn.fold.values import Bits, Root
from spikebnn.fold.windows import pad_plane, windows
from spikebnn.threshold import NO_TAP

DEVIATION = 1e-6  # largest relative deviation from ±alpha that still counts as binary


@dataclass(frozen=True, slots=True, eq=False)
class BinaryWeight:
    """weight = alpha * sign with sign in -1, 0, +1, one alpha per row."""

    sign: Array  # (rows, ...) int8
    alpha: F64  # (rows,)


def binary(weight: Array) -> BinaryWeight | None:
    """Split a float weight (rows, ...) into signs and a scale per row; None when it is not binary."""
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    alpha = np.abs(flat).max(axis=1, initial=0.0)
    alpha[alpha == 0] = 1.0
    sign = np.rint(flat / alpha[:, None])
    used = flat != 0
    if not np.isfinite(flat).all() or (np.abs(np.abs(flat / alpha[:, None])[used] - 1) > DEVIATION).any():
        return None
    return BinaryWeight(sign.astype(np.int8).reshape(weight.shape), alpha)


def not_binary(weight: Array) -> str:
    """In words: how far a weight is from binary."""
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    alpha = np.abs(flat).max(axis=1, initial=0.0)
    alpha[alpha == 0] = 1.0
    ratio = np.abs(flat / alpha[:, None])
    worst = float(np.minimum(np.abs(ratio - 1), ratio).max(initial=0.0))
    return f"{np.unique(weight).size} distinct values, up to {worst:.2g} of a row's largest away from binary"


def make_root(
    name: str,
    where: str,
    kind: str,
    source: Bits,
    taps: I64,
    fixed: F64,
    sign: Array,
    alpha: F64,
    bias: F64 | None,
    row: I64,
    patch: I64,
    shape: tuple[int, ...],
    dtype: str,
    identity: bool = False,
) -> Root:
    """Assemble a root; `taps` (patches, levels, elements) and `fixed` (patches, elements) as in `Bits`.

    `sign` (rows, elements), `alpha` and `bias` per row, `row` and `patch` per neuron.
    """
    levels = np.array(source.multiplicity, np.int64)
    patches = len(taps)
    weight = (sign[:, None, :].astype(np.int64) * levels[:, None]).reshape(len(sign), -1)
    open_ = np.isnan(fixed)
    constant = np.where(open_, source.base, fixed)
    connected = (taps != NO_TAP).reshape(patches, -1)
    s = sign.astype(np.float64)
    offset = s @ constant.T  # (rows, patches)
    high = np.maximum(weight, 0) @ connected.T.astype(np.float64)
    low = np.minimum(weight, 0) @ connected.T.astype(np.float64)
    top = max(abs(source.base), abs(source.base + source.unit * float(np.abs(levels).sum()) * source.most))
    held = np.abs(fixed[~open_]).max(initial=0.0)
    return Root(
        name=name,
        where=where,
        kind=kind,
        weight=weight.astype(np.int16),
        taps=taps.reshape(patches, -1).astype(np.int32),
        row=row.astype(np.int32),
        patch=patch.astype(np.int32),
        alpha=alpha[row],
        bias=None if bias is None else bias[row],
        unit=source.unit,
        offset=offset[row, patch],
        low=low[row, patch].astype(np.int64) * source.most,
        high=high[row, patch].astype(np.int64) * source.most,
        amplitude=max(top, float(held)),
        shape=shape,
        dtype=dtype,
        bits=source if identity else None,
    )


def dense(name: str, where: str, source: Bits, weight: Array, bias: F64 | None, dtype: str) -> Root | None:
    """A dense contraction over the last axis with weight (out, in); None when the weight is not binary."""
    split = binary(weight)
    if split is None:
        return None
    out, inputs = weight.shape
    if source.shape[-1] != inputs:
        raise ImportRefused(f"layer '{where}': {source.shape[-1]} inputs reach a weight for {inputs}")
    lead = source.shape[:-1]
    patches = int(np.prod(lead, dtype=np.int64))
    taps = source.index.reshape(len(source.multiplicity), patches, inputs).transpose(1, 0, 2)
    row = np.tile(np.arange(out), patches)
    patch = np.repeat(np.arange(patches), out)
    fixed = source.fixed.reshape(patches, inputs)
    return make_root(
        name, where, "dense", source, taps, fixed, split.sign, split.alpha, bias, row, patch, (*lead, out), dtype
    )


def conv(
    name: str,
    where: str,
    source: Bits,
    weight: Array,
    bias: F64 | None,
    stride: tuple[int, int],
    padding: tuple[tuple[int, int], tuple[int, int]],
    dilation: tuple[int, int],
    groups: int,
    dtype: str,
) -> Root | None:
    """A 2-d convolution with weight (out, in / groups, height, width); None when it is not binary.

    Padding is the absence of a spike and of its offset: a padded tap is fixed to 0.
    """
    split = binary(weight)
    if split is None:
        return None
    out, depth, kh, kw = weight.shape
    channels = source.shape[0]
    if len(source.shape) != 3 or channels != depth * groups:
        raise ImportRefused(f"layer '{where}': input {source.shape} does not fit a weight {weight.shape}, groups {groups}")
    index = windows(pad_plane(source.index, padding, NO_TAP), (kh, kw), stride, dilation)
    fixed = windows(pad_plane(source.fixed[0], padding, 0.0), (kh, kw), stride, dilation)
    height, width = index.shape[2:4]
    area, levels = height * width, len(source.multiplicity)
    taps = index.reshape(levels, groups, depth, area, kh * kw).transpose(1, 3, 0, 2, 4)
    taps = taps.reshape(groups * area, levels, depth * kh * kw)
    held = fixed.reshape(groups, depth, area, kh * kw).transpose(0, 2, 1, 3).reshape(groups * area, -1)
    row = np.repeat(np.arange(out), area)
    patch = (np.arange(out) // (out // groups))[:, None] * area + np.arange(area)[None, :]
    return make_root(
        name, where, "conv", source, taps, held, split.sign.reshape(out, -1), split.alpha, bias, row,
        patch.reshape(-1), (out, height, width), dtype,
    )  # fmt: skip


def total(
    name: str, where: str, source: Bits, members: I64, scale: float, shape: tuple[int, ...], dtype: str
) -> Root:
    """Sums of groups of elements, times `scale`: votes and average pools; `members` (neurons, elements)."""
    levels = len(source.multiplicity)
    held = source.fixed.reshape(-1)
    flat = source.index.reshape(levels, held.size)
    outside = members < 0
    taps = np.where(outside[None], NO_TAP, flat[:, members]).transpose(1, 0, 2)
    fixed = np.where(outside, 0.0, held[members])
    count = len(members)
    return make_root(
        name, where, "dense" if len(shape) == 1 else "conv", source, taps, fixed,
        np.ones((1, members.shape[1]), np.int8), np.array([scale]), None, np.zeros(count, np.int64),
        np.arange(count), shape, dtype,
    )  # fmt: skip


def identity(name: str, where: str, source: Bits, dtype: str = "float32") -> Root:
    """Each element of `source` as a contraction of its own."""
    size = int(np.prod(source.shape, dtype=np.int64))
    root = total(name, where, source, np.arange(size)[:, None], 1.0, source.shape, dtype)
    fields = {slot: getattr(root, slot) for slot in Root.__slots__}
    return Root(**{**fields, "bits": source, "kind": "gate"})


def join(a: Bits, b: Bits, sign: int) -> Bits | None:
    """The elementwise sum (or difference) of two bit values as one value of more levels; None where units do not match."""
    unit = min(abs(a.unit), abs(b.unit))
    scale = [a.unit / unit, sign * b.unit / unit]
    whole = all(abs(s - round(s)) < 1e-9 and abs(s) <= 127 for s in scale)
    if a.shape != b.shape or not whole or a.most != 1 or b.most != 1:
        return None
    if not (np.isnan(a.fixed).all() and np.isnan(b.fixed).all()):
        return None
    weights = [round(scale[0]) * m for m in a.multiplicity] + [round(scale[1]) * m for m in b.multiplicity]
    index = np.concatenate([a.index, b.index])
    return Bits(index, a.fixed, tuple(weights), a.base + sign * b.base, unit, nested=False)


def add(name: str, where: str, a: Root, b: Root) -> Root | None:
    """The sum of two contractions as one: an integer skip; None when their scales differ."""
    same = a.shape == b.shape and a.unit == b.unit and a.bias is None and b.bias is None and a.dtype == b.dtype
    if not same or not np.array_equal(a.alpha, b.alpha):
        return None
    rows, row = np.unique(np.stack([a.row, b.row]), axis=1, return_inverse=True)
    patches, patch = np.unique(np.stack([a.patch, b.patch]), axis=1, return_inverse=True)
    return Root(
        name=name,
        where=where,
        kind=a.kind,
        weight=np.concatenate([a.weight[rows[0]], b.weight[rows[1]]], axis=1),
        taps=np.concatenate([a.taps[patches[0]], b.taps[patches[1]]], axis=1),
        row=row.reshape(-1).astype(np.int32),
        patch=patch.reshape(-1).astype(np.int32),
        alpha=a.alpha,
        bias=None,
        unit=a.unit,
        offset=a.offset + b.offset,
        low=a.low + b.low,
        high=a.high + b.high,
        amplitude=max(a.amplitude, b.amplitude),
        shape=a.shape,
        dtype=a.dtype,
    )
