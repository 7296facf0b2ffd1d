"""Machine code that turns 0/1 bytes into rows of 512 bits, one bit for each lane."""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, TID253
from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from spikebnn.simulate.transpose import turn


@intrinsic
def bit_of(typing, words, first, mask):
    """64 bytes from words[first] on as one word: bit k is set where byte k shares a bit with the mask."""

    def make(context, builder, signature, args):
        kind = ir.VectorType(ir.IntType(8), 64)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        value = builder.load(builder.bitcast(builder.gep(data, [args[1]]), kind.as_pointer()))
        value.align = 1
        first = builder.insert_element(
            ir.Constant(kind, ir.Undefined), args[2], ir.Constant(ir.IntType(32), 0)
        )
        found = builder.and_(
            value,
            builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)),
        )
        return builder.bitcast(
            builder.icmp_unsigned("!=", found, ir.Constant(kind, [0] * 64)), ir.IntType(64)
        )

    return types.uint64(words, types.int64, types.uint8), make


def pack(eights, many, squares, out):
    """0/1 bytes (lanes, rows) by eights, at most 512 lanes, as rows of 512 bits: out[8 * row + lane // 64], bit lane % 64.

    `squares`, aligned, has room for a word of every row, and `out` for all rows, up to a multiple of 64 of them; what
    comes in the places behind `many` means nothing. Returns whether all bytes are 0 or 1.
    """
    lanes, wide = eights.shape
    flat = eights.reshape(-1)
    whole, words = many >> 6, (many + 63) >> 6
    gather = np.uint64(0x0102040810204080)  # moves bit 0 of byte k to bit 56 + k
    others, other = np.uint64(0xFEFEFEFEFEFEFEFE), np.uint64(0)
    for block in range(8):
        here = min(lanes, 64 * block)
        some = min(lanes, here + 64) - here
        for lane in range(some):
            at = (here + lane) * wide
            for word in range(whole):
                squares[64 * word + lane] = bit_of(flat, at + 8 * word, np.uint8(1))
                other |= bit_of(flat, at + 8 * word, np.uint8(254))
            if whole < words:
                value = np.uint64(0)
                for k in range(8 * whole, (many + 7) >> 3):
                    value |= ((flat[at + k] * gather) >> np.uint64(56)) << np.uint64(8 * (k - 8 * whole))
                    other |= flat[at + k] & others
                squares[64 * whole + lane] = value
        for word in range(words):
            if some < 64:
                squares[64 * word + some : 64 * word + 64] = 0
            turn(squares, 64 * word, out, 512 * word + block)
    return other == 0
