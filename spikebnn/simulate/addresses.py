"""Arrays that compiled code finds by their addresses: to hand over thirty takes Numba longer than a frame takes to run.

Whoever writes the addresses keeps the arrays.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN202, TID253
from __future__ import annotations

import numba as nb
from numba import types
from numba.extending import intrinsic


def _found(kind):
    @intrinsic
    def pointer(typing, address):
        def make(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return types.CPointer(kind)(types.int64), make

    @nb.njit(inline="always", boundscheck=False)
    def flat(table, k):
        """The array (size,) whose address and size are numbers 2 k and 2 k + 1 of the table."""
        return nb.carray(pointer(table[2 * k]), (table[2 * k + 1],))

    @nb.njit(inline="always", boundscheck=False)
    def rows(table, k, columns):
        """The same array as (rows, columns)."""
        return nb.carray(pointer(table[2 * k]), (table[2 * k + 1] // columns, columns))

    return flat, rows


words_at, _ = _found(types.uint64)
numbers_at, rows_at = _found(types.int64)
int32_at, _ = _found(types.int32)
uint16_at, _ = _found(types.uint16)
flags_at, _ = _found(types.boolean)
