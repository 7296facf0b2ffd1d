"""Which number type an operation answers in: PyTorch's promotion rules, restated for NumPy arrays.

Tensors with axes decide first, then tensors without axes, then plain Python numbers; a later
group matters only when it is of a higher kind (bool < integer < float). So `x * 0.5` stays
float32 and an integer tensor plus 0.5 becomes float32.
Source: PyTorch documentation, "Tensor Attributes", section torch.dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import ImportRefused

# ScalarType numbers of the torch.export schema, major version 8.
SCALAR_TYPES: dict[int, str] = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 7: "float32", 8: "float64", 12: "bool",
}  # fmt: skip
SCALAR_NAMES: dict[int, str] = {
    0: "unknown", 6: "float16", 9: "complex32", 10: "complex64", 11: "complex128", 13: "bfloat16",
    28: "uint16", 29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz", 32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu", 34: "uint32", 35: "uint64",
}  # fmt: skip
MOST_ELEMENTS = 1 << 29  # a value larger than this is refused before memory is asked for

DType = np.dtype[Any]


def dtype_of(number: int, what: str = "the network") -> DType:
    """The NumPy dtype of an export ScalarType number; half precision and exotic types are refused."""
    name = SCALAR_TYPES.get(number)
    if name is None:
        found = SCALAR_NAMES.get(number, f"number {number}")
        if number in (6, 13):
            raise ImportRefused(f"{what} uses {found}, where sums are not exact; export model.float() instead")
        raise ImportRefused(f"{what} uses the data type {found}, which is not supported; export model.float()")
    return np.dtype(name)


def kind(dtype: DType) -> int:
    """0 for bool, 1 for integers, 2 for floats."""
    return 0 if dtype.kind == "b" else 1 if dtype.kind in "iu" else 2


def _join(a: DType, b: DType) -> DType:
    if kind(a) != kind(b):
        return a if kind(a) > kind(b) else b
    return np.promote_types(a, b)


def result_type(*operands: Any, real: bool = False) -> DType:
    """The common type of arrays and Python numbers; `real` lifts bools and integers to float32."""
    groups: list[list[DType]] = [[], [], []]
    for x in operands:
        if isinstance(x, np.ndarray):
            groups[0 if x.ndim else 1].append(x.dtype)
        elif isinstance(x, bool):
            groups[2].append(np.dtype(np.bool_))
        elif isinstance(x, int):
            groups[2].append(np.dtype(np.int64))
        elif isinstance(x, float):
            groups[2].append(np.dtype(np.float32))
        elif x is not None:
            raise TypeError(f"{type(x).__name__} where a tensor or a number is wanted")
    best: DType | None = None
    for group in groups:
        joined: DType | None = None
        for dtype in group:
            joined = dtype if joined is None else _join(joined, dtype)
        if joined is not None and (best is None or kind(joined) > kind(best)):
            best = joined
    if best is None:
        raise TypeError("no operand")
    return np.dtype(np.float32) if real and kind(best) < 2 else best


def common(*operands: Any, real: bool = False) -> tuple[Array, ...]:
    """All operands as arrays of their common type; a number too large for it wraps, as in PyTorch."""
    dtype = result_type(*operands, real=real)
    return tuple(np.asarray(x).astype(dtype, copy=False) for x in operands)


def guard_size(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` itself, if its elements are few enough to be held; a crafted file may ask for more."""
    total = 1
    for n in shape:
        total *= max(int(n), 1)
    if total > MOST_ELEMENTS:
        raise ImportRefused(f"a value of shape {shape} has {total} elements; at most {MOST_ELEMENTS} are held")
    return shape
