"""Operations that copy values, with or without a change of number type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import ImportRefused
from spikebnn.ops.dtypes import dtype_of


def keep(x: Array, *rest: Any, **ignored: Any) -> Array:
    """The value itself; memory formats and devices have no meaning here."""
    del rest, ignored
    return x


def dropout(x: Array, p: float = 0.5, train: bool = False) -> Array:
    del p
    if train:
        raise ImportRefused("a dropout was exported in training mode; call model.eval() before the export")
    return x


def _cast(x: Array, number: int | None) -> Array:
    if number is None:
        return x
    dtype = dtype_of(number)
    return x != 0 if dtype == np.bool_ else x.astype(dtype, copy=False)


def to_copy(x: Array, *, dtype: int | None = None, **ignored: Any) -> Array:
    del ignored
    return _cast(x, dtype)


def to_dtype(x: Array, dtype: int | None = None, *rest: Any, **ignored: Any) -> Array:
    del rest, ignored
    return _cast(x, dtype)


def to_device(x: Array, device: Any = None, dtype: int | None = None, *rest: Any, **ignored: Any) -> Array:
    del device, rest, ignored
    return _cast(x, dtype)


def type_as(x: Array, other: Array) -> Array:
    return x != 0 if other.dtype == np.bool_ else x.astype(other.dtype, copy=False)


COPY_OPS: dict[str, Callable[..., Any]] = {
    **{f"aten.{name}.default": keep for name in
       ("clone", "alias", "detach", "contiguous", "lift_fresh_copy", "lift_fresh", "lift")},
    "aten.dropout.default": dropout, "aten.feature_dropout.default": dropout,
    "aten.alpha_dropout.default": dropout, "aten.feature_alpha_dropout.default": dropout,
}  # fmt: skip
CAST_OPS: dict[str, Callable[..., Any]] = {
    "aten._to_copy.default": to_copy, "aten.to.dtype_layout": to_copy,
    "aten.to.dtype": to_dtype, "aten.to.device": to_device, "aten.to.other": type_as,
    "aten.type_as.default": type_as,
}  # fmt: skip
