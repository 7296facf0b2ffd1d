"""Operations that shrink axes: sums, means, extremes, norms, softmax.

Sums are accumulated in float64 and rounded once, which is exact for integers; PyTorch's own
float32 sums of real numbers may differ from it in the last places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.ops.dtypes import DType, dtype_of

Dims = int | Sequence[int] | None


def _axes(x: Array, dims: Dims) -> tuple[int, ...]:
    if dims is None:
        return tuple(range(x.ndim))
    chosen = [dims] if isinstance(dims, int) else list(dims)
    return tuple(d % x.ndim for d in chosen) if chosen and x.ndim else tuple(range(x.ndim))


def _count(x: Array, axes: tuple[int, ...]) -> int:
    return int(np.prod([x.shape[a] for a in axes], dtype=np.int64))


def _out(x: Array, dtype: int | None) -> DType:
    return x.dtype if dtype is None else dtype_of(dtype)


def total(x: Array, dims: Dims = None, keepdim: bool = False, *, dtype: int | None = None) -> Array:
    """The sum; bools and integers add up as int64."""
    if dtype is None and x.dtype.kind in "biu":
        return np.asarray(x.sum(axis=_axes(x, dims), keepdims=keepdim, dtype=np.int64))
    wide = np.int64 if _out(x, dtype).kind in "iu" else np.float64
    return np.asarray(x.sum(axis=_axes(x, dims), keepdims=keepdim, dtype=wide)).astype(_out(x, dtype))


def total_all(x: Array, *, dtype: int | None = None) -> Array:
    return total(x, None, dtype=dtype)


def mean(x: Array, dims: Dims = None, keepdim: bool = False, *, dtype: int | None = None) -> Array:
    """The sum, rounded, divided by the number of elements."""
    out = _out(x, dtype)
    return np.asarray(total(x.astype(out, copy=False), dims, keepdim) / out.type(_count(x, _axes(x, dims))))


def mean_all(x: Array, *, dtype: int | None = None) -> Array:
    return mean(x, None, dtype=dtype)


def var(x: Array, dims: Any = None, *rest: Any, correction: float | None = 1, keepdim: bool = False,
        unbiased: bool | None = None) -> Array:  # fmt: skip
    """The variance over `dims`, its divisor lowered by `correction`.

    Takes the three forms of ATen: (x, unbiased), (x, dims, unbiased, keepdim), (x, dims, correction=).
    """
    if isinstance(dims, bool):
        dims, rest = None, (dims, *rest)
    if rest:
        unbiased, keepdim = rest[0], rest[1] if len(rest) > 1 else keepdim
    if unbiased is not None:
        correction = int(unbiased)
    axes = _axes(x, dims)
    y = x.astype(np.float64)
    less = 1 if correction is None else correction
    square = ((y - y.mean(axis=axes, keepdims=True)) ** 2).sum(axis=axes, keepdims=keepdim)
    return np.asarray(square / max(0, _count(x, axes) - less)).astype(x.dtype)


def std(x: Array, dims: Any = None, *rest: Any, **options: Any) -> Array:
    return np.sqrt(var(x.astype(np.float64), dims, *rest, **options)).astype(x.dtype)


def norm(x: Array, p: Any = 2, dims: Dims = None, keepdim: bool = False, *, dtype: int | None = None) -> Array:
    """The p-norm; p may be 0, 1, 2, inf or any other number."""
    axes, y = _axes(x, dims), np.abs(x.astype(np.float64))
    power = 2 if p is None else p
    if power == float("inf"):
        out = y.max(axis=axes, keepdims=keepdim)
    elif power == 0:
        out = (y != 0).sum(axis=axes, keepdims=keepdim)
    elif power == 1:
        out = y.sum(axis=axes, keepdims=keepdim)
    elif power == 2:
        out = np.sqrt((y * y).sum(axis=axes, keepdims=keepdim))
    else:
        out = (y**power).sum(axis=axes, keepdims=keepdim) ** (1 / power)
    return np.asarray(out).astype(_out(x, dtype))


def amax(x: Array, dims: Dims = None, keepdim: bool = False) -> Array:
    return np.asarray(x.max(axis=_axes(x, dims), keepdims=keepdim))


def amin(x: Array, dims: Dims = None, keepdim: bool = False) -> Array:
    return np.asarray(x.min(axis=_axes(x, dims), keepdims=keepdim))


def max_dim(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
    return amax(x, dim, keepdim), argmax(x, dim, keepdim)


def min_dim(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
    return amin(x, dim, keepdim), argmin(x, dim, keepdim)


def argmax(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """The index of the largest element; the lowest index where several are largest."""
    return np.asarray(np.argmax(x, axis=dim, keepdims=keepdim)).astype(np.int64)


def argmin(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    return np.asarray(np.argmin(x, axis=dim, keepdims=keepdim)).astype(np.int64)


def product(x: Array, dim: int | None = None, keepdim: bool = False, **ignored: Any) -> Array:
    del ignored
    return np.asarray(x.astype(np.float64).prod(axis=dim, keepdims=keepdim)).astype(x.dtype)


def cumulative(x: Array, dim: int, **ignored: Any) -> Array:
    del ignored
    return np.cumsum(x, axis=dim, dtype=x.dtype if x.dtype.kind == "f" else np.int64)


def _truth(x: Array, out: Array) -> Array:
    return out.astype(np.uint8) if x.dtype == np.uint8 else out  # PyTorch's one exception


def any_of(x: Array, dims: Dims = None, keepdim: bool = False) -> Array:
    return _truth(x, np.asarray((x != 0).any(axis=_axes(x, dims), keepdims=keepdim)))


def all_of(x: Array, dims: Dims = None, keepdim: bool = False) -> Array:
    return _truth(x, np.asarray((x != 0).all(axis=_axes(x, dims), keepdims=keepdim)))


def log_softmax(x: Array, dim: int, *rest: Any, **ignored: Any) -> Array:
    del rest, ignored
    y = x.astype(np.float64)
    y = y - y.max(axis=dim, keepdims=True)
    out = y - np.log(np.exp(y).sum(axis=dim, keepdims=True))
    return np.asarray(out.astype(x.dtype if x.dtype.kind == "f" else np.float32))


def softmax(x: Array, dim: int, *rest: Any, **ignored: Any) -> Array:
    del rest, ignored
    y = x.astype(np.float64)
    e = np.exp(y - y.max(axis=dim, keepdims=True))
    return np.asarray((e / e.sum(axis=dim, keepdims=True)).astype(x.dtype if x.dtype.kind == "f" else np.float32))


def logsumexp(x: Array, dims: Dims, keepdim: bool = False) -> Array:
    y = x.astype(np.float64)
    return np.asarray(np.logaddexp.reduce(y, axis=_axes(x, dims), keepdims=keepdim)).astype(x.dtype)


REDUCE_OPS: dict[str, Callable[..., Any]] = {
    "aten.sum.default": total_all, "aten.sum.dim_IntList": total,
    "aten.mean.default": mean_all, "aten.mean.dim": mean,
    "aten.var.default": var, "aten.var.dim": var, "aten.var.correction": var,
    "aten.std.default": std, "aten.std.dim": std, "aten.std.correction": std,
    "aten.norm.Scalar": norm, "aten.norm.ScalarOpt_dim": norm, "aten.norm.ScalarOpt_dtype": norm,
    "aten.linalg_vector_norm.default": norm,
    "aten.amax.default": amax, "aten.amin.default": amin, "aten.max.default": amax, "aten.min.default": amin,
    "aten.max.dim": max_dim, "aten.min.dim": min_dim,
    "aten.argmax.default": argmax, "aten.argmin.default": argmin,
    "aten.prod.default": product, "aten.prod.dim_int": product, "aten.cumsum.default": cumulative,
    "aten.any.default": any_of, "aten.any.dim": any_of, "aten.any.dims": any_of,
    "aten.all.default": all_of, "aten.all.dim": all_of, "aten.all.dims": all_of,
    "aten.logsumexp.default": logsumexp,
}  # fmt: skip
TAIL_OPS: dict[str, Callable[..., Any]] = {
    "aten.log_softmax.int": log_softmax, "aten._log_softmax.default": log_softmax,
    "aten.softmax.int": softmax, "aten._softmax.default": softmax,
}  # fmt: skip
