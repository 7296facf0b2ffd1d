"""Machine code that turns 0/1 bytes into rows of 512 bits, one bit for each lane."""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, TID253
from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def bit_of(typing, column, mask):
    """64 bytes as one word: bit k is set where byte k shares a bit with the mask."""

    def make(context, builder, signature, args):
        kind = ir.VectorType(ir.IntType(8), 64)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        value = builder.load(builder.bitcast(data, kind.as_pointer()))
        value.align = 1
        first = builder.insert_element(
            ir.Constant(kind, ir.Undefined), args[1], ir.Constant(ir.IntType(32), 0)
        )
        found = builder.and_(
            value,
            builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)),
        )
        return builder.bitcast(
            builder.icmp_unsigned("!=", found, ir.Constant(kind, [0] * 64)), ir.IntType(64)
        )

    return types.uint64(column, types.uint8), make


def pack(eights, many, out):
    """0/1 bytes (lanes, rows) by eights, at most 512 lanes, as rows of 512 bits: out[8 * row + lane // 64], bit lane % 64."""
    lanes = eights.shape[0]
    gather = np.uint64(0x0102040810204080)  # moves bit 0 of byte k to bit 56 + k
    column = np.zeros(64, np.uint8)
    for block in range(8):
        here = eights[min(lanes, 64 * block) : min(lanes, 64 * block + 64)]
        if len(here) < 64:
            column[len(here) :] = 0
        for eight in range((many + 7) >> 3):
            for lane in range(len(here)):
                column[lane] = (here[lane, eight] * gather) >> np.uint64(56)
            for bit in range(min(8, many - 8 * eight)):
                out[8 * (8 * eight + bit) + block] = bit_of(column, np.uint8(1 << bit))
