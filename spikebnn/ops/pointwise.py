"""Operations that act on every element alone, constants being broadcast against it.

Bit-equal to PyTorch's CPU kernels in float32, except exp, log, tanh and the like, which are
computed in float64 and rounded once (PyTorch's vector library may differ in the last place).
float64 stays float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.ops.dtypes import common, result_type
from spikebnn.ops.fused import fma


def _scaled(x: Array, alpha: Any) -> Array:
    return x if alpha == 1 else x * x.dtype.type(alpha)


def add(a: Any, b: Any, alpha: Any = 1) -> Array:
    """The sum a + alpha * b, rounded once where alpha is not 1 (PyTorch uses a fused multiply-add)."""
    x, y = common(a, b)
    if x.dtype == bool:
        return np.logical_or(x, y)
    if alpha in (1, -1) or x.dtype.kind != "f":
        return x - y if alpha == -1 else x + _scaled(y, alpha)
    return fma(y, x.dtype.type(alpha), x)


def sub(a: Any, b: Any, alpha: Any = 1) -> Array:
    return add(a, b, -alpha)


def rsub(a: Any, b: Any, alpha: Any = 1) -> Array:
    return sub(b, a, alpha)


def mul(a: Any, b: Any) -> Array:
    x, y = common(a, b)
    return x * y


def div(a: Any, b: Any, rounding_mode: str | None = None) -> Array:
    """True division (integers become float32), or rounded with "trunc" or "floor"."""
    if rounding_mode is None:
        x, y = common(a, b, real=True)
        return x / y
    x, y = common(a, b)
    if rounding_mode == "trunc":
        return np.trunc(x / y).astype(x.dtype)
    if rounding_mode == "floor":
        return np.floor_divide(x, y)
    raise ValueError(f"rounding mode {rounding_mode!r}")


def floor_divide(a: Any, b: Any) -> Array:
    return div(a, b, "floor")


def remainder(a: Any, b: Any) -> Array:
    x, y = common(a, b)
    return np.remainder(x, y)


def fmod(a: Any, b: Any) -> Array:
    x, y = common(a, b)
    return np.fmod(x, y)


def neg(x: Array) -> Array:
    return -x


def sign(x: Array) -> Array:
    """-1, 0 or +1; sign(0) = 0 and sign(NaN) = 0."""
    if x.dtype == bool:
        return x
    return np.asarray((x > 0).astype(x.dtype) - (x < 0).astype(x.dtype))


def absolute(x: Array) -> Array:
    return np.abs(x)


def square(x: Array) -> Array:
    return x * x


def power(base: Any, exponent: Any) -> Array:
    """The power base ** exponent; the small powers that PyTorch multiplies out are multiplied out here too."""
    if isinstance(exponent, int | float) and not isinstance(exponent, bool):
        (x,) = common(base, real=isinstance(exponent, float))
        one = x.dtype.type(1)
        if exponent == 0.5:
            return np.sqrt(x)
        if exponent == 2:
            return x * x
        if exponent == 3:
            return x * x * x
        if x.dtype.kind == "f" and exponent == -0.5:
            return np.asarray(one / np.sqrt(x))
        if x.dtype.kind == "f" and exponent == -1:
            return np.asarray(one / x)
        if x.dtype.kind == "f" and exponent == -2:
            return np.asarray(one / (x * x))
    x, y = common(base, exponent)
    return np.power(x.astype(np.float64), y.astype(np.float64)).astype(x.dtype) if x.dtype.kind == "f" else x**y


def _through_float64(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def run(x: Array) -> Array:
        dtype = result_type(x, real=True)
        return function(x.astype(np.float64)).astype(dtype)

    return run


def sqrt(x: Array) -> Array:
    return np.sqrt(*common(x, real=True))


def reciprocal(x: Array) -> Array:
    (y,) = common(x, real=True)
    return np.asarray(y.dtype.type(1) / y)


def rsqrt(x: Array) -> Array:
    return reciprocal(sqrt(x))


def _rounder(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def run(x: Array) -> Array:
        return function(x) if x.dtype.kind == "f" else x

    return run


def round_decimals(x: Array, decimals: int = 0) -> Array:
    """Half to even at the given number of decimals."""
    ten = x.dtype.type(10.0 ** abs(decimals))
    return np.asarray(np.rint(x * ten) / ten if decimals >= 0 else np.rint(x / ten) * ten)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def where(condition: Array, a: Any, b: Any) -> Array:
    x, y = common(a, b)
    return np.where(condition.astype(bool), x, y)


def masked_fill(x: Array, mask: Array, value: Any) -> Array:
    return np.where(mask.astype(bool), np.asarray(value).astype(x.dtype), x)


def addcmul(x: Any, a: Any, b: Any, value: Any = 1) -> Array:
    t, p, q = common(x, a, b)
    return fma(_scaled(p, value), q, t)


def addcdiv(x: Any, a: Any, b: Any, value: Any = 1) -> Array:
    t, p, q = common(x, a, b)
    return t + _scaled(p, value) / q


def lerp(a: Any, b: Any, weight: Any) -> Array:
    x, y, w = common(a, b, weight)
    near = np.abs(w) < 0.5
    return fma(np.where(near, w, w - w.dtype.type(1)), y - x, np.where(near, x, y))


def _binary(function: Callable[[Array, Array], Array]) -> Callable[[Any, Any], Array]:
    def run(a: Any, b: Any) -> Array:
        x, y = common(a, b)
        return function(x, y)

    return run


def _logical(function: Callable[[Array, Array], Array]) -> Callable[[Any, Any], Array]:
    def run(a: Any, b: Any) -> Array:
        return function(np.asarray(a) != 0, np.asarray(b) != 0)

    return run


def logical_not(x: Array) -> Array:
    return np.asarray(x == 0)


def fill(x: Array, value: Any) -> Array:
    return np.broadcast_to(np.asarray(value).astype(x.dtype), x.shape)


def copy(x: Array, source: Array, non_blocking: bool = False) -> Array:
    """`source` in the shape and type of `x`: what `x.copy_(source)` leaves in x."""
    del non_blocking
    return np.broadcast_to(source.astype(x.dtype), x.shape)


POINTWISE_OPS: dict[str, Callable[..., Any]] = {
    "aten.add.Tensor": add, "aten.add.Scalar": add,
    "aten.sub.Tensor": sub, "aten.sub.Scalar": sub,
    "aten.rsub.Scalar": rsub, "aten.rsub.Tensor": rsub,
    "aten.mul.Tensor": mul, "aten.mul.Scalar": mul,
    "aten.div.Tensor": div, "aten.div.Scalar": div,
    "aten.div.Tensor_mode": div, "aten.div.Scalar_mode": div,
    "aten.floor_divide.default": floor_divide, "aten.floor_divide.Scalar": floor_divide,
    "aten.remainder.Scalar": remainder, "aten.remainder.Tensor": remainder,
    "aten.fmod.Scalar": fmod, "aten.fmod.Tensor": fmod,
    "aten.neg.default": neg, "aten.abs.default": absolute, "aten.sign.default": sign,
    "aten.sgn.default": sign, "aten.square.default": square,
    "aten.pow.Tensor_Scalar": power, "aten.pow.Scalar": power, "aten.pow.Tensor_Tensor": power,
    "aten.sqrt.default": sqrt, "aten.rsqrt.default": rsqrt, "aten.reciprocal.default": reciprocal,
    "aten.exp.default": _through_float64(np.exp), "aten.exp2.default": _through_float64(np.exp2),
    "aten.expm1.default": _through_float64(np.expm1),
    "aten.log.default": _through_float64(np.log), "aten.log2.default": _through_float64(np.log2),
    "aten.log10.default": _through_float64(np.log10), "aten.log1p.default": _through_float64(np.log1p),
    "aten.tanh.default": _through_float64(np.tanh), "aten.sigmoid.default": _through_float64(_sigmoid),
    "aten.atan.default": _through_float64(np.arctan),
    "aten.sin.default": _through_float64(np.sin), "aten.cos.default": _through_float64(np.cos),
    "aten.silu.default": _through_float64(lambda x: x * _sigmoid(x)),
    "aten.softplus.default": _through_float64(lambda x: np.logaddexp(x, 0)),
    "aten.floor.default": _rounder(np.floor), "aten.ceil.default": _rounder(np.ceil),
    "aten.round.default": _rounder(np.rint), "aten.trunc.default": _rounder(np.trunc),
    "aten.round.decimals": round_decimals,
    "aten.minimum.default": _binary(np.minimum), "aten.maximum.default": _binary(np.maximum),
    "aten.min.other": _binary(np.minimum), "aten.max.other": _binary(np.maximum),
    "aten.where.self": where, "aten.where.Scalar": where,
    "aten.where.ScalarOther": where, "aten.where.ScalarSelf": where,
    "aten.masked_fill.Scalar": masked_fill, "aten.masked_fill.Tensor": masked_fill,
    "aten.addcmul.default": addcmul, "aten.addcdiv.default": addcdiv,
    "aten.lerp.Scalar": lerp, "aten.lerp.Tensor": lerp,
    **{f"aten.{name}.{kind}": _binary(function) for kind in ("Scalar", "Tensor") for name, function in (
        ("ge", np.greater_equal), ("gt", np.greater), ("le", np.less_equal), ("lt", np.less),
        ("eq", np.equal), ("ne", np.not_equal), ("greater", np.greater), ("less", np.less),
        ("greater_equal", np.greater_equal), ("less_equal", np.less_equal), ("not_equal", np.not_equal),
        ("bitwise_and", np.bitwise_and), ("bitwise_or", np.bitwise_or), ("bitwise_xor", np.bitwise_xor),
        ("__and__", np.bitwise_and), ("__or__", np.bitwise_or), ("__xor__", np.bitwise_xor))},
    "aten.bitwise_not.default": np.invert,
    "aten.logical_not.default": logical_not,
    "aten.logical_and.default": _logical(np.logical_and), "aten.logical_or.default": _logical(np.logical_or),
    "aten.logical_xor.default": _logical(np.logical_xor),
    "aten.fill.Scalar": fill, "aten.fill.Tensor": fill, "aten.copy.default": copy,
}  # fmt: skip
