"""Weighted sums: linear layers, matrix products and convolutions.

Where every operand is an integer and no partial sum can reach 2**24, float32 arithmetic is
exact in any order and is used as it is; everything else is summed in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.ops.dtypes import guard_size

MOST_COLUMNS = 1 << 24  # elements of unrolled windows held at once


def _whole(x: Array) -> float:
    """The largest magnitude if all elements are whole numbers, otherwise infinity."""
    if x.dtype.kind != "f":
        return float(np.abs(x.astype(np.float64)).max(initial=0))
    top = float(np.abs(x).max(initial=0))
    return top if top < 2**24 and bool((x == np.rint(x)).all()) else float("inf")


def _carrier(a: Array, b: Array, taps: int) -> Any:
    """The type in which a sum over `taps` products is exact, or else the widest we have."""
    if a.dtype.kind != "f" and b.dtype.kind != "f":
        return np.int64
    if np.float64 in (a.dtype, b.dtype):
        return np.float64
    return np.float32 if _whole(a) * _whole(b) * max(taps, 1) < 2**24 else np.float64


def matmul(a: Array, b: Array) -> Array:
    dtype = np.result_type(a, b)
    carrier = _carrier(a, b, a.shape[-1] if a.ndim else 1)
    product = np.asarray(np.matmul(a.astype(carrier, copy=False), b.astype(carrier, copy=False)))
    return product.astype(dtype, copy=False)


def _plus(x: Array, w: Array, bias: Array | None, axes: int, multiply: Callable[[Array, Array], Array]) -> Array:
    """multiply(x, w) + bias, summed without rounding in between; bias runs along axis -1 - axes."""
    dtype = np.result_type(x, w)
    taps = int(np.prod(w.shape[1:], dtype=np.int64)) if w.ndim > 1 else w.size
    carrier = _carrier(x, w, taps)
    out = multiply(x.astype(carrier, copy=False), w.astype(carrier, copy=False))
    if bias is not None:
        wide = out.astype(np.float64) if out.dtype.kind == "f" else out
        out = wide + bias.astype(wide.dtype).reshape((-1,) + (1,) * axes)
    return np.asarray(out).astype(dtype, copy=False)


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    return _plus(x, weight, bias, 0, lambda a, w: np.matmul(a, w.T))


def addmm(bias: Array, a: Array, b: Array, *, beta: Any = 1, alpha: Any = 1) -> Array:
    product = _plus(a, b.T, None, 0, lambda x, w: np.matmul(x, w.T)).astype(np.float64)
    return np.asarray(product * alpha + bias.astype(np.float64) * beta).astype(np.result_type(a, b))


def _pair(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    many = [value] if isinstance(value, int) else list(value)
    return tuple(int(v) for v in (many * axes if len(many) == 1 else many))


def _windows(x: Array, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
    """A view (batch, channels, *positions, *kernel) of padded input."""
    axes = len(kernel)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    where: Any = tuple(range(2, 2 + axes))  # NumPy's type hints know a single axis only
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=where)
    steps = tuple(slice(None, None, s) for s in stride)
    return np.asarray(seen[(slice(None), slice(None), *steps, *(slice(None, None, d) for d in dilation))])


def convolve(
    x: Array, weight: Array, bias: Array | None = None, stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, groups: int = 1,
) -> Array:  # fmt: skip
    """A convolution over all axes after the first two; an input without batch axis gets one."""
    axes = weight.ndim - 2
    if x.ndim == weight.ndim - 1:
        return np.asarray(convolve(x[None], weight, bias, stride, padding, dilation, groups)[0])
    st, di = _pair(stride, axes), _pair(dilation, axes)
    margins = [(p, p) for p in _pair(padding, axes)]
    kernel = weight.shape[2:]
    outs, per = weight.shape[0], weight.shape[1]
    if x.shape[1] != per * groups or outs % groups or min(st) < 1 or min(di) < 1 or min(margins)[0] < 0:
        raise ValueError(f"a convolution of {x.shape} with {weight.shape} in {groups} groups does not fit")
    guard_size(tuple(n + 2 * m[0] for n, m in zip(x.shape, [(0, 0), (0, 0), *margins], strict=True)))
    padded = np.pad(x, [(0, 0), (0, 0), *margins])

    def multiply(a: Array, w: Array) -> Array:
        seen = _windows(a, kernel, st, di)
        places = seen.shape[2 : 2 + axes]
        spots = int(np.prod(places, dtype=np.int64))
        taps = per * int(np.prod(kernel, dtype=np.int64))
        matrix = w.reshape(groups, outs // groups, taps)
        out = np.empty((len(a), groups, outs // groups, spots), w.dtype)
        step = max(1, MOST_COLUMNS // max(1, groups * taps * spots))
        order = (0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes))
        for i in range(0, len(a), step):
            columns = seen[i : i + step].transpose(order).reshape(-1, groups, taps, spots)
            np.matmul(matrix, columns, out=out[i : i + step])
        return out.reshape(len(a), outs, *places)

    return _plus(padded, weight, bias, axes, multiply)


def convolve_named(
    x: Array, weight: Array, bias: Array | None = None, stride: int | Sequence[int] = 1,
    padding: str = "valid", dilation: int | Sequence[int] = 1, groups: int = 1,
) -> Array:  # fmt: skip
    """Padding by name: "valid" is none, "same" keeps the size, an odd margin going to the far side."""
    axes = weight.ndim - 2
    if padding == "same":
        margins = [(0, 0)] * (x.ndim - axes)
        for k, d in zip(weight.shape[2:], _pair(dilation, axes), strict=True):
            margins.append((d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2))
        x = np.pad(x, margins)
    elif padding != "valid":
        raise ValueError(f"padding {padding!r}")
    return convolve(x, weight, bias, stride, 0, dilation, groups)


def convolution(
    x: Array, weight: Array, bias: Array | None, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool, output_padding: Sequence[int], groups: int, *rest: Any,
) -> Array:  # fmt: skip
    del rest
    if transposed or any(output_padding):
        raise NotImplementedError("a transposed convolution")
    return convolve(x, weight, bias, stride, padding, dilation, groups)


def einsum(equation: str, operands: Sequence[Array], **ignored: Any) -> Array:
    del ignored
    letters = set(equation)
    if not letters <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,->. ") or len(equation) > 200:
        raise ValueError(f"einsum equation {equation[:40]!r}")
    dtype = np.result_type(*operands)
    wide = [t.astype(np.float64) for t in operands]
    return np.asarray(np.einsum(equation, *wide, optimize="greedy")).astype(dtype)


CONTRACT_OPS: dict[str, Callable[..., Any]] = {
    "aten.linear.default": linear, "aten.addmm.default": addmm,
    "aten.mm.default": matmul, "aten.matmul.default": matmul, "aten.bmm.default": matmul,
    "aten.mv.default": matmul, "aten.dot.default": matmul,
    "aten.conv1d.default": convolve, "aten.conv2d.default": convolve,
    "aten.conv1d.padding": convolve_named, "aten.conv2d.padding": convolve_named,
    "aten.convolution.default": convolution, "aten._convolution.default": convolution,
    "aten.einsum.default": einsum,
}  # fmt: skip
