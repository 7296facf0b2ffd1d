"""Margins: constant, repeated, mirrored or wrapped round; on numbers and on integer index arrays alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.ops.dtypes import guard_size


def _margins(x: Array, pad: Sequence[int]) -> list[tuple[int, int]]:
    """PyTorch lists margins from the last axis backwards; negative ones crop."""
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]


def _crop(x: Array, margins: Sequence[tuple[int, int]]) -> Array:
    return x[tuple(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(x.shape, margins, strict=True))]


def constant_pad(x: Array, pad: Sequence[int], value: Any = 0) -> Array:
    margins = _margins(x, pad)
    grow = [(max(0, a), max(0, b)) for a, b in margins]
    guard_size(tuple(n + a + b for n, (a, b) in zip(x.shape, grow, strict=True)))
    return np.pad(_crop(x, margins), grow, constant_values=np.asarray(value or 0).astype(x.dtype))


def edge_pad(x: Array, pad: Sequence[int]) -> Array:
    return _pad_as(x, pad, "edge")


def reflection_pad(x: Array, pad: Sequence[int]) -> Array:
    return _pad_as(x, pad, "reflect")


def circular_pad(x: Array, pad: Sequence[int]) -> Array:
    return _pad_as(x, pad, "wrap")


def _pad_as(x: Array, pad: Sequence[int], mode: Any) -> Array:
    margins = _margins(x, pad)
    guard_size(tuple(n + abs(a) + abs(b) for n, (a, b) in zip(x.shape, margins, strict=True)))
    padded: Array = np.pad(_crop(x, margins), [(max(0, a), max(0, b)) for a, b in margins], mode=mode)
    return padded


def pad(x: Array, margins: Sequence[int], mode: str = "constant", value: Any = None) -> Array:
    if mode == "constant":
        return constant_pad(x, margins, value)
    return _pad_as(x, margins, {"replicate": "edge", "reflect": "reflect", "circular": "wrap"}[mode])


MARGIN_OPS: dict[str, Callable[..., Any]] = {
    "aten.pad.default": pad, "aten.constant_pad_nd.default": constant_pad,
    "aten.replication_pad1d.default": edge_pad, "aten.replication_pad2d.default": edge_pad,
    "aten.reflection_pad1d.default": reflection_pad, "aten.reflection_pad2d.default": reflection_pad,
    "aten._pad_circular.default": circular_pad,
}  # fmt: skip
