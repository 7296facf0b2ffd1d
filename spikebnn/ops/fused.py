"""Fused multiply-add in NumPy, rounded once, as the CPU instruction does it."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikebnn.arrays import Array


def fma(a: Any, b: Any, c: Any) -> Array:
    """The sum a * b + c with one rounding for float32; for float64 with two, as a cross-check needs no more.

    The product of two float32 is exact in float64. Their sum with c is made exact by TwoSum
    (Knuth, The Art of Computer Programming 2, section 4.2.2), its float64 result rounded to odd,
    and only then to float32, so that no value is rounded twice (Boldo and Melquiond, IEEE
    Transactions on Computers 57, 2008).
    """
    if np.result_type(a, b, c) != np.float32:
        return np.asarray(np.asarray(a) * b + c)
    x = np.multiply(a, b, dtype=np.float64)
    y = np.asarray(c, np.float64)
    total = np.asarray(x + y)
    part = total - x
    error = np.asarray((x - (total - part)) + (y - part))
    bits = total.view(np.int64)
    fix = (error != 0) & np.isfinite(error) & np.isfinite(total) & ((bits & 1) == 0)
    if fix.any():
        # towards the exact sum: one unit in the last place up or down in magnitude
        step = np.where((error > 0) == (total > 0), 1, -1)
        total = np.where(fix, bits + step, bits).view(np.float64)
    return np.asarray(total.astype(np.float32))
