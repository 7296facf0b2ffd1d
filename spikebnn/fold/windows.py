"""Index geometry: which elements a convolution or a pooling window touches, as plain index arrays."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import Array


def pad_plane(array: Array, padding: tuple[tuple[int, int], tuple[int, int]], value: float) -> Array:
    """`array` (..., height, width) with `value` around it."""
    return np.pad(array, [(0, 0)] * (array.ndim - 2) + [padding[0], padding[1]], constant_values=value)


def windows(
    array: Array, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> Array:
    """Windows (..., rows, columns, kernel height, kernel width) of `array` (..., height, width)."""
    (kh, kw), (dh, dw) = kernel, dilation
    span = ((kh - 1) * dh + 1, (kw - 1) * dw + 1)
    view = np.lib.stride_tricks.sliding_window_view(array, span, axis=(-2, -1))  # type: ignore[call-overload]
    return np.asarray(view[..., :: stride[0], :: stride[1], ::dh, ::dw])


def pool_members(
    shape: tuple[int, ...],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    ceil: bool,
) -> tuple[Array, tuple[int, ...]]:
    """Element numbers (outputs, members) of each pooling window over `shape` (channels, height, width).

    -1 stands for a place outside the image; with `ceil` the windows may hang over the far border, but one that
    would start outside image and near padding is dropped, as torch does.
    """
    *_, height, width = shape
    extra, size = [], []
    for n, k, s, p, d in zip((height, width), kernel, stride, padding, dilation, strict=True):
        span = (k - 1) * d + 1
        count = -(-(n + 2 * p - span) // s) + 1 if ceil else (n + 2 * p - span) // s + 1
        if ceil and (count - 1) * s >= n + p:
            count -= 1
        extra.append(max(0, (count - 1) * s + span - (n + 2 * p)))
        size.append(count)
    index = np.arange(int(np.prod(shape))).reshape(shape)
    around = ((padding[0], padding[0] + extra[0]), (padding[1], padding[1] + extra[1]))
    view = windows(pad_plane(index, around, -1), kernel, stride, dilation)[..., : size[0], : size[1], :, :]
    out_shape = (*shape[:-2], size[0], size[1])
    return view.reshape(int(np.prod(out_shape)), kernel[0] * kernel[1]), out_shape
