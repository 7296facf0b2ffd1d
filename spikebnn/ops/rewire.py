"""Operations that only move elements; they act on numbers and on integer index arrays alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.ops.dtypes import guard_size


def view(x: Array, size: Sequence[int]) -> Array:
    return x.reshape(tuple(int(n) for n in size))


def like(x: Array, other: Array) -> Array:
    return x.reshape(other.shape)


def flatten(x: Array, start: int = 0, end: int = -1) -> Array:
    if x.ndim == 0:
        return x.reshape(1)
    a, b = start % x.ndim, end % x.ndim
    return x.reshape(*x.shape[:a], int(np.prod(x.shape[a : b + 1], dtype=np.int64)), *x.shape[b + 1 :])


def unflatten(x: Array, dim: int, sizes: Sequence[int]) -> Array:
    d = dim % x.ndim
    return x.reshape(*x.shape[:d], *(int(n) for n in sizes), *x.shape[d + 1 :])


def expand(x: Array, size: Sequence[int], implicit: bool = False) -> Array:
    del implicit
    new = len(size) - x.ndim
    want = tuple(x.shape[i - new] if n == -1 else int(n) for i, n in enumerate(size))
    return np.broadcast_to(x, guard_size(want))


def expand_as(x: Array, other: Array) -> Array:
    return np.broadcast_to(x, other.shape)


def permute(x: Array, dims: Sequence[int]) -> Array:
    return np.transpose(x, [d % x.ndim for d in dims])


def transpose(x: Array, a: int, b: int) -> Array:
    return np.swapaxes(x, a, b)


def turn(x: Array) -> Array:
    """All axes in reverse order, which for a matrix is its transpose."""
    return x.T


def movedim(x: Array, source: Any, target: Any) -> Array:
    return np.moveaxis(x, source, target)


def unsqueeze(x: Array, dim: int) -> Array:
    return np.expand_dims(x, dim)


def squeeze(x: Array, dims: int | Sequence[int] | None = None) -> Array:
    """Drop the given axes where they have length 1; without `dims`, all such axes."""
    axes = range(x.ndim) if dims is None else [dims] if isinstance(dims, int) else dims
    gone = {d % x.ndim for d in axes} if x.ndim else set()
    return x.reshape([n for i, n in enumerate(x.shape) if i not in gone or n != 1])


def _along(x: Array, dim: int, what: slice | int) -> tuple[slice | int, ...]:
    where: list[slice | int] = [slice(None)] * x.ndim
    where[dim] = what
    return tuple(where)


def cut(x: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Array:
    return x[_along(x, dim, slice(start, end, step))]


def narrow(x: Array, dim: int, start: int, length: int) -> Array:
    return x[_along(x, dim, slice(start, start + length))]


def select(x: Array, dim: int, index: int) -> Array:
    return x[_along(x, dim, index)]


def index(x: Array, indices: Sequence[Array | None]) -> Array:
    return np.asarray(x[tuple(slice(None) if i is None else i for i in indices)])


def index_select(x: Array, dim: int, which: Array) -> Array:
    return np.take(x, which.astype(np.int64), axis=dim)


def gather(x: Array, dim: int, which: Array, sparse_grad: bool = False) -> Array:
    del sparse_grad
    return np.take_along_axis(x, which, dim)


def cat(tensors: Sequence[Array], dim: int = 0) -> Array:
    return np.concatenate([t for t in tensors if t.shape != (0,)], axis=dim)


def stack(tensors: Sequence[Array], dim: int = 0) -> Array:
    return np.stack(list(tensors), axis=dim)


def _at(x: Array, dim: int, sizes: Sequence[int]) -> tuple[Array, ...]:
    if sum(sizes) != x.shape[dim]:
        raise ValueError(f"parts {list(sizes)} of an axis of length {x.shape[dim]}")
    ends = np.cumsum(sizes)
    return tuple(x[_along(x, dim, slice(int(e - n), int(e)))] for n, e in zip(sizes, ends, strict=True))


def split(x: Array, size: int | Sequence[int], dim: int = 0) -> tuple[Array, ...]:
    if not isinstance(size, int):
        return _at(x, dim, size)
    whole, rest = divmod(x.shape[dim], size)
    return _at(x, dim, [size] * whole + [rest] * bool(rest))


def chunk(x: Array, chunks: int, dim: int = 0) -> tuple[Array, ...]:
    """At most `chunks` parts, all but the last of equal length."""
    return split(x, -(-x.shape[dim] // chunks), dim)


def unbind(x: Array, dim: int = 0) -> tuple[Array, ...]:
    return tuple(x[_along(x, dim, i)] for i in range(x.shape[dim]))


def pixel_shuffle(x: Array, r: int) -> Array:
    *lead, c, h, w = x.shape
    out = x.reshape(*lead, c // (r * r), r, r, h, w)
    n = len(lead)
    out = out.transpose(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return out.reshape(*lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(x: Array, r: int) -> Array:
    *lead, c, h, w = x.shape
    out = x.reshape(*lead, c, h // r, r, w // r, r)
    n = len(lead)
    out = out.transpose(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return out.reshape(*lead, c * r * r, h // r, w // r)


def channel_shuffle(x: Array, groups: int) -> Array:
    n, c, *rest = x.shape
    return x.reshape(n, groups, c // groups, *rest).swapaxes(1, 2).reshape(x.shape)


def flip(x: Array, dims: Sequence[int]) -> Array:
    return np.flip(x, tuple(dims))


def roll(x: Array, shifts: Any, dims: Any = ()) -> Array:
    if isinstance(shifts, int):
        shifts, dims = (shifts,), dims if isinstance(dims, int) else tuple(dims)
    return np.roll(x, shifts[0]) if dims == () else np.roll(x, shifts, dims if not isinstance(dims, int) else (dims,))


def repeat(x: Array, times: Sequence[int]) -> Array:
    guard_size((x.size, *(int(t) for t in times)))
    return np.tile(x, tuple(int(t) for t in times))


def repeat_interleave(x: Array, times: int, dim: int | None = None, **ignored: Any) -> Array:
    del ignored
    guard_size((x.size, times))
    return np.repeat(x, times, axis=dim)


def upsample_nearest(x: Array, size: Sequence[int] | None, scales: Sequence[float] | None = None) -> Array:
    """Nearest-neighbour enlarging of the trailing axes by whole factors."""
    n = len(size or scales or ())
    want = [int(s) for s in size] if size else [int(d * f) for d, f in zip(x.shape[-n:], scales or (), strict=True)]
    guard_size((*x.shape[:-n], *want))
    for axis, length in zip(range(x.ndim - n, x.ndim), want, strict=True):
        x = np.take(x, np.arange(length) * x.shape[axis] // length, axis=axis)
    return x


def slice_scatter(
    x: Array, source: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Array:
    out = np.array(x)
    out[_along(x, dim, slice(start, end, step))] = source
    return out


def select_scatter(x: Array, source: Array, dim: int, at: int) -> Array:
    out = np.array(x)
    out[_along(x, dim, at)] = source
    return out


REWIRE_OPS: dict[str, Callable[..., Any]] = {
    "aten.view.default": view, "aten._unsafe_view.default": view, "aten.reshape.default": view,
    "aten.view_copy.default": view, "aten._reshape_copy.default": view,
    "aten.view_as.default": like, "aten.reshape_as.default": like,
    "aten.flatten.using_ints": flatten, "aten.unflatten.int": unflatten,
    "aten.expand.default": expand, "aten.expand_as.default": expand_as,
    "aten.permute.default": permute, "aten.transpose.int": transpose, "aten.swapaxes.default": transpose,
    "aten.t.default": turn, "aten.numpy_T.default": turn, "aten.movedim.int": movedim,
    "aten.movedim.intlist": movedim, "aten.mT.default": lambda x: np.swapaxes(x, -1, -2),
    "aten.unsqueeze.default": unsqueeze, "aten.squeeze.default": squeeze, "aten.squeeze.dim": squeeze,
    "aten.squeeze.dims": squeeze,
    "aten.slice.Tensor": cut, "aten.narrow.default": narrow, "aten.select.int": select,
    "aten.index.Tensor": index, "aten.index_select.default": index_select, "aten.gather.default": gather,
    "aten.cat.default": cat, "aten.concat.default": cat, "aten.concatenate.default": cat,
    "aten.stack.default": stack,
    "aten.split.Tensor": split, "aten.split.sizes": split, "aten.split_with_sizes.default": split,
    "aten.chunk.default": chunk, "aten.unbind.int": unbind,
    "aten.pixel_shuffle.default": pixel_shuffle, "aten.pixel_unshuffle.default": pixel_unshuffle,
    "aten.channel_shuffle.default": channel_shuffle, "aten.native_channel_shuffle.default": channel_shuffle,
    "aten.flip.default": flip, "aten.roll.default": roll, "aten.repeat.default": repeat,
    "aten.tile.default": repeat, "aten.repeat_interleave.self_int": repeat_interleave,
    "aten.upsample_nearest2d.vec": upsample_nearest, "aten.upsample_nearest1d.vec": upsample_nearest,
    "aten.slice_scatter.default": slice_scatter, "aten.select_scatter.default": select_scatter,
}  # fmt: skip
