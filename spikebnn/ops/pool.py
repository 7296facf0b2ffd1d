"""Pooling: the largest element, or the mean, of each window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.ops.contract import _pair, _windows
from spikebnn.ops.dtypes import guard_size

Ints = int | Sequence[int]


def _far(length: int, kernel: int, stride: int, margin: int, dilation: int, ceil: bool) -> int:
    """How much is added at the far end, beyond the margin, so that the last window fits."""
    span = length + 2 * margin - dilation * (kernel - 1) - 1
    if not ceil:
        return 0
    places = -(-span // stride) + 1
    if (places - 1) * stride >= length + margin:  # PyTorch drops a window that starts in the far margin
        places -= 1
    return max(0, (places - 1) * stride - span)


def _frame(x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil: bool, axes: int, fill: Any,
           ) -> tuple[Array, tuple[int, ...]]:  # fmt: skip
    k, p, d = _pair(kernel, axes), _pair(padding, axes), _pair(dilation, axes)
    s = k if isinstance(stride, Sequence) and not stride else _pair(stride, axes)
    if min(k) < 1 or min(s) < 1 or min(d) < 1 or min(p) < 0:
        raise ValueError(f"pooling with window {k}, stride {s}, padding {p}, dilation {d}")
    margins = [(p[i], p[i] + _far(n, k[i], s[i], p[i], d[i], ceil)) for i, n in enumerate(x.shape[-axes:])]
    guard_size(tuple(n + sum(m) for n, m in zip(x.shape, [(0, 0)] * (x.ndim - axes) + margins, strict=True)))
    padded = np.pad(x, [(0, 0)] * (x.ndim - axes) + margins, constant_values=fill)
    seen = _windows(padded, k, s, d)
    return seen, k


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def _max_pool(axes: int) -> Callable[..., Array]:
    def run(x: Array, kernel: Ints, stride: Ints = (), padding: Ints = 0, dilation: Ints = 1, ceil: bool = False) -> Array:
        """The largest element of every window; margins never win."""
        if x.ndim == axes + 1:
            return np.asarray(run(x[None], kernel, stride, padding, dilation, ceil)[0])
        seen, _ = _frame(x, kernel, stride, padding, dilation, ceil, axes, _lowest(x.dtype))
        return np.asarray(seen.max(axis=tuple(range(2 + axes, 2 + 2 * axes))))

    return run


def max_pool2d_with_indices(x: Array, kernel: Ints, stride: Ints = (), padding: Ints = 0, dilation: Ints = 1,
                            ceil: bool = False) -> tuple[Array, Array]:  # fmt: skip
    """The largest elements and where each lies in its flattened plane."""
    best = _max_pool(2)(x, kernel, stride, padding, dilation, ceil)
    h, w = x.shape[-2:]
    where = np.broadcast_to(np.arange(h * w, dtype=np.float64).reshape(h, w), x.shape)
    values, k = _frame(x, kernel, stride, padding, dilation, ceil, 2, _lowest(x.dtype))
    places, _ = _frame(where, kernel, stride, padding, dilation, ceil, 2, -1)
    flat = values.reshape(*values.shape[:4], k[0] * k[1])
    at = np.argmax(flat, axis=-1)[..., None]
    picked = np.take_along_axis(places.reshape(flat.shape), at, -1)[..., 0]
    return best, picked.astype(np.int64)


def _avg_pool(axes: int) -> Callable[..., Array]:
    def run(x: Array, kernel: Ints, stride: Ints = (), padding: Ints = 0, ceil: bool = False,
            count_margin: bool = True, divisor: int | None = None) -> Array:  # fmt: skip
        """The sum of every window over the number of its elements; exact sums, one division."""
        if x.ndim == axes + 1:
            return np.asarray(run(x[None], kernel, stride, padding, ceil, count_margin, divisor)[0])
        last = tuple(range(2 + axes, 2 + 2 * axes))
        seen, _ = _frame(x.astype(np.float64), kernel, stride, padding, 1, ceil, axes, 0)
        sums = seen.sum(axis=last).astype(x.dtype)
        if divisor is not None:
            return np.asarray(sums / x.dtype.type(divisor))
        margin = _pair(padding, axes)
        inside = np.ones((1, 1, *x.shape[-axes:]))
        if count_margin and any(margin):
            inside = np.pad(inside, [(0, 0), (0, 0), *((p, p) for p in margin)], constant_values=1)
            counts, _ = _frame(inside, kernel, stride, 0, 1, ceil, axes, 0)
        else:
            counts, _ = _frame(inside, kernel, stride, padding, 1, ceil, axes, 0)
        divide = counts.sum(axis=last)[(..., *(slice(0, n) for n in sums.shape[2:]))]
        return np.asarray(sums / divide.astype(x.dtype))

    return run


def _adaptive_avg(axes: int) -> Callable[..., Array]:
    def run(x: Array, size: Ints) -> Array:
        """The mean of windows from floor(i n / m) to ceil((i + 1) n / m); exact sums, then the divisions."""
        want = _pair(size, axes)
        out, counts = x.astype(np.float64), []
        for axis, m in zip(range(x.ndim - axes, x.ndim), want, strict=True):
            n = x.shape[axis]
            ends = [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
            parts = [out.take(range(a, b), axis=axis).sum(axis=axis, keepdims=True) for a, b in ends]
            out = np.concatenate(parts, axis=axis)
            counts.append(np.array([b - a for a, b in ends], x.dtype))
        sums = out.astype(x.dtype)
        if set(want) == {1}:  # a global mean is one division, in torch as here
            return np.asarray(sums / x.dtype.type(np.prod(x.shape[-axes:])))
        for i, count in enumerate(counts):
            sums = sums / count.reshape(-1, *(1,) * (axes - 1 - i))
        return sums

    return run


def adaptive_max_pool2d(x: Array, size: Ints) -> tuple[Array, Array]:
    """The largest element of windows that divide the plane evenly, and where each lies in its flattened plane."""
    out = _pair(size, 2)
    if any(n % o for n, o in zip(x.shape[-2:], out, strict=True)):
        raise ValueError(f"a plane of {x.shape[-2:]} does not divide evenly into {out}")
    kernel = tuple(n // o for n, o in zip(x.shape[-2:], out, strict=True))
    return max_pool2d_with_indices(x, kernel, kernel)


POOL_OPS: dict[str, Callable[..., Any]] = {
    "aten.max_pool1d.default": _max_pool(1), "aten.max_pool2d.default": _max_pool(2),
    "aten.max_pool2d_with_indices.default": max_pool2d_with_indices,
    "aten.adaptive_max_pool2d.default": adaptive_max_pool2d,
}  # fmt: skip
AVERAGE_OPS: dict[str, Callable[..., Any]] = {
    "aten.avg_pool1d.default": _avg_pool(1), "aten.avg_pool2d.default": _avg_pool(2),
    "aten.adaptive_avg_pool1d.default": _adaptive_avg(1),
    "aten.adaptive_avg_pool2d.default": _adaptive_avg(2),
    "aten._adaptive_avg_pool2d.default": _adaptive_avg(2),
}  # fmt: skip
