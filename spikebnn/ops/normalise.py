"""Normalisations that are a fixed line per channel once training is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import ImportRefused
from spikebnn.ops.fused import fma


def batch_norm_eval(x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float) -> Array:
    """Batch norm with stored statistics, bit for bit as PyTorch's CPU kernel computes it in float32.

    scale = fl(fl(1 / sqrt(var + eps)) * weight); result = fma(x, scale, fma(-mean, scale, bias)).
    The result at x = mean is therefore a rounding residue, whose sign a following sign() sees.
    """
    dtype = np.result_type(x, mean)
    like = (1, -1) + (1,) * (x.ndim - 2)
    one = dtype.type(1)
    scale = one / np.sqrt(var.astype(dtype, copy=False) + dtype.type(eps))
    if weight is not None:
        scale = scale * weight.astype(dtype, copy=False)
    start = np.zeros_like(scale) if bias is None else bias.astype(dtype, copy=False)
    shift = fma(-mean.astype(dtype, copy=False), scale, start)
    return fma(x.astype(dtype, copy=False), scale.reshape(like), shift.reshape(like))


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, mean: Array | None, var: Array | None,
    training: bool, momentum: float = 0.1, eps: float = 1e-5, cudnn: bool = False,
) -> Array:  # fmt: skip
    del momentum, cudnn
    if training or mean is None or var is None:
        raise ImportRefused("a batch norm was exported in training mode; call model.eval() before the export")
    return batch_norm_eval(x, weight, bias, mean, var, eps)


def no_training(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, momentum: float, eps: float
) -> tuple[Array, Array, Array]:
    del momentum
    empty: Array = np.zeros(0, x.dtype)
    return batch_norm_eval(x, weight, bias, mean, var, eps), empty, empty


NORMALISE_OPS: dict[str, Callable[..., Any]] = {
    "aten.batch_norm.default": batch_norm,
    "aten._native_batch_norm_legit_no_training.default": no_training,
}
