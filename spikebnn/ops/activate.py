"""Activations: clamps, rectifiers and steps, one element at a time, bit-equal to PyTorch's CPU kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.ops.dtypes import common, result_type


def clamp(x: Any, low: Any = None, high: Any = None) -> Array:
    """min(max(x, low), high); either bound may be missing, and may be a tensor."""
    dtype = result_type(x, low, high)
    out = x.astype(dtype, copy=False)
    if low is not None:
        out = np.maximum(out, np.asarray(low, dtype))
    if high is not None:
        out = np.minimum(out, np.asarray(high, dtype))
    return np.asarray(out)


def clamp_max(x: Any, high: Any) -> Array:
    return clamp(x, None, high)


def hardtanh(x: Array, low: Any = -1, high: Any = 1) -> Array:
    return np.asarray(np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high)))


def relu(x: Array) -> Array:
    return np.asarray(np.maximum(x, x.dtype.type(0)))


def relu6(x: Array) -> Array:
    return hardtanh(x, 0, 6)


def leaky_relu(x: Array, slope: Any = 0.01) -> Array:
    return np.where(x > 0, x, x * x.dtype.type(slope))


def prelu(x: Array, weight: Array) -> Array:
    """The value x where positive, weight * x elsewhere; weight runs along axis 1, or is a single number."""
    w = weight.reshape((1, -1) + (1,) * (x.ndim - 2)) if weight.size > 1 else weight.reshape(())
    w = w.astype(x.dtype, copy=False) if x.dtype == np.float64 else w
    return np.where(x > 0, x, x * w)


def prelu_kernel(x: Array, weight: Array) -> Array:
    return np.where(x > 0, x, x * weight)


def threshold(x: Array, bound: Any, value: Any) -> Array:
    return np.where(x <= x.dtype.type(bound), x.dtype.type(value), x)


def elu(x: Array, alpha: Any = 1, scale: Any = 1, input_scale: Any = 1) -> Array:
    y = x.astype(np.float64)
    return np.where(y > 0, y * scale, np.expm1(y * input_scale) * alpha * scale).astype(x.dtype)


def hardsigmoid(x: Array) -> Array:
    return np.asarray(hardtanh(x + x.dtype.type(3), 0, 6) / x.dtype.type(6))


def gelu(x: Array, approximate: str = "none") -> Array:
    y = x.astype(np.float64)
    if approximate == "tanh":
        out = 0.5 * y * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))
    else:
        out = 0.5 * y * (1 + np.vectorize(math.erf, otypes=[np.float64])(y / math.sqrt(2)))
    return np.asarray(out.astype(x.dtype))


def heaviside(x: Any, values: Any) -> Array:
    """0 below zero, 1 above, `values` at zero itself."""
    a, v = common(x, values)
    return np.where(a == 0, v, (a > 0).astype(a.dtype))


ACTIVATION_OPS: dict[str, Callable[..., Any]] = {
    "aten.clamp.default": clamp,
    "aten.clamp.Tensor": clamp,
    "aten.clip.default": clamp,
    "aten.clip.Tensor": clamp,
    "aten.clamp_min.default": clamp,
    "aten.clamp_min.Tensor": clamp,
    "aten.clamp_max.default": clamp_max,
    "aten.clamp_max.Tensor": clamp_max,
    "aten.hardtanh.default": hardtanh,
    "aten.relu.default": relu,
    "aten.relu6.default": relu6,
    "aten.leaky_relu.default": leaky_relu,
    "aten.prelu.default": prelu,
    "aten._prelu_kernel.default": prelu_kernel,
    "aten.threshold.default": threshold,
    "aten.elu.default": elu,
    "aten.gelu.default": gelu,
    "aten.hardsigmoid.default": hardsigmoid,
    "aten.heaviside.default": heaviside,
}
