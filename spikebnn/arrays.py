"""Array aliases, and the door through which every array enters a frozen type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

I8 = NDArray[np.int8]
I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
U64 = NDArray[np.uint64]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Array = NDArray[Any]


def door(array: ArrayLike, dtype: DTypeLike, *shape: int | None) -> Array:
    """Return `array` as a read-only, C-ordered array of `dtype`; None in `shape` leaves an axis free.

    A change of dtype that would change a value raises ValueError, as does a wrong shape: both
    are mistakes of the caller, never of a user.
    """
    given = np.asarray(array)
    out: Array = np.ascontiguousarray(given, dtype=dtype).reshape(given.shape)
    if out.dtype != given.dtype and not np.array_equal(out, given):
        raise ValueError(f"values of {given.dtype} do not fit {out.dtype}")
    if shape and (out.ndim != len(shape) or any(s is not None and s != n for s, n in zip(shape, out.shape, strict=True))):
        raise ValueError(f"shape {out.shape} where {shape} is wanted")
    if out is given or out.base is not None:
        out = out.copy() if out.flags.writeable else out
    out.flags.writeable = False
    return out


def pack_bits(bits: Array) -> U8:
    """Pack the last axis of a 0/1 array into bytes, little bit order, padded with zeros."""
    return np.packbits(np.asarray(bits, dtype=bool), axis=-1, bitorder="little")


def unpack_bits(packed: U8, width: int) -> U8:
    """Undo `pack_bits`; `width` is the length of the last axis before packing."""
    return np.unpackbits(packed, axis=-1, count=width, bitorder="little")


def mutable(array: Array) -> Array:
    """The same array, or a copy of one that must not be written to: for these, Numba would compile everything anew."""
    return array if array.flags.writeable else array.copy()


def aligned(size: int, dtype: DTypeLike) -> Array:
    """Zeros (size,) on a 64-byte boundary, which NumPy does not promise and vector loads want."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(size + 64 // item, dtype)
    skip = (-raw.ctypes.data % 64) // item
    return raw[skip : skip + size]


def aligned_copy(values: Array, dtype: DTypeLike) -> Array:
    """The same numbers as another type that holds them, on a 64-byte boundary."""
    out = aligned(len(values), dtype)
    out[:] = values
    return out


def distinct(bits: Array) -> tuple[I64, I64, I64]:
    """The different rows of a 0/1 matrix: where each stands first, how often it does, and which of them each row is."""
    packed = np.packbits(np.asarray(bits, dtype=bool), axis=1)
    if not packed.shape[1]:
        packed = np.zeros((len(bits), 1), np.uint8)
    whole = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()  # one value a row: compared as bytes
    _, first, which, count = np.unique(whole, return_index=True, return_inverse=True, return_counts=True)
    return first, count, which.ravel()
