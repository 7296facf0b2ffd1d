"""Operations that make a tensor from nothing but numbers, or of another tensor's shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.ops.dtypes import DType, dtype_of, guard_size


def _shape(size: Sequence[int]) -> tuple[int, ...]:
    return guard_size(tuple(int(n) for n in size))


def _type(number: int | None, default: Any = np.float32) -> DType:
    return np.dtype(default) if number is None else dtype_of(number)


def _natural(value: Any) -> Any:
    return np.bool_ if isinstance(value, bool) else np.int64 if isinstance(value, int) else np.float32


def zeros(size: Sequence[int], *, dtype: int | None = None, **ignored: Any) -> Array:
    del ignored
    return np.zeros(_shape(size), _type(dtype))


def ones(size: Sequence[int], *, dtype: int | None = None, **ignored: Any) -> Array:
    del ignored
    return np.ones(_shape(size), _type(dtype))


def full(size: Sequence[int], value: Any, *, dtype: int | None = None, **ignored: Any) -> Array:
    del ignored
    return np.full(_shape(size), value, _type(dtype, _natural(value)))


def scalar_tensor(value: Any, *, dtype: int | None = None, **ignored: Any) -> Array:
    """A tensor without axes; float32 unless a type is given, as in PyTorch."""
    del ignored
    return np.array(value, _type(dtype))


def arange(*bounds: Any, dtype: int | None = None, **ignored: Any) -> Array:
    """arange(end), arange(start, end) or arange(start, end, step)."""
    del ignored
    start, end, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1) if len(bounds) == 2 else bounds
    guard_size((int(max(0, (end - start) / step)) + 1,))
    whole = all(isinstance(b, int) for b in bounds)
    return np.arange(start, end, step).astype(_type(dtype, np.int64 if whole else np.float32))


def eye(n: int, m: int | None = None, *, dtype: int | None = None, **ignored: Any) -> Array:
    del ignored
    guard_size((n, n if m is None else m))
    return np.eye(n, m, dtype=_type(dtype))


def zeros_like(x: Array, *, dtype: int | None = None, **ignored: Any) -> Array:
    del ignored
    return np.zeros(x.shape, _type(dtype, x.dtype))


def ones_like(x: Array, *, dtype: int | None = None, **ignored: Any) -> Array:
    del ignored
    return np.ones(x.shape, _type(dtype, x.dtype))


def full_like(x: Array, value: Any, *, dtype: int | None = None, **ignored: Any) -> Array:
    del ignored
    return np.full(x.shape, value, _type(dtype, x.dtype))


def new_full(x: Array, size: Sequence[int], value: Any, *, dtype: int | None = None, **ignored: Any) -> Array:
    del ignored
    return np.full(_shape(size), value, _type(dtype, x.dtype))


def new_zeros(x: Array, size: Sequence[int], *, dtype: int | None = None, **ignored: Any) -> Array:
    return new_full(x, size, 0, dtype=dtype, **ignored)


def new_ones(x: Array, size: Sequence[int], *, dtype: int | None = None, **ignored: Any) -> Array:
    return new_full(x, size, 1, dtype=dtype, **ignored)


CONSTANT_OPS: dict[str, Callable[..., Any]] = {
    "aten.zeros.default": zeros, "aten.ones.default": ones, "aten.full.default": full,
    "aten.scalar_tensor.default": scalar_tensor, "aten.eye.default": eye, "aten.eye.m": eye,
    "aten.arange.default": arange, "aten.arange.start": arange, "aten.arange.start_step": arange,
    "aten.new_zeros.default": new_zeros, "aten.new_ones.default": new_ones,
    "aten.new_full.default": new_full,
}  # fmt: skip
LIKE_OPS: dict[str, Callable[..., Any]] = {
    "aten.zeros_like.default": zeros_like, "aten.ones_like.default": ones_like,
    "aten.full_like.default": full_like,
}  # fmt: skip
