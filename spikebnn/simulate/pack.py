"""Machine code that turns 0/1 bytes into rows of 512 bits, one bit for each lane."""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, TID253
from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


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


@intrinsic
def turn(typing, square):
    """Turn 64 x 64 bits over: bit k of word n becomes bit n of word k; the 64 words are 64-byte aligned."""

    def make(context, builder, signature, args):
        b, kind = builder, ir.VectorType(ir.IntType(64), 8)
        data = context.make_array(signature.args[0])(context, b, args[0]).data
        index = ir.IntType(32)

        def place(k):
            return b.bitcast(b.gep(data, [ir.Constant(ir.IntType(64), 8 * k)]), kind.as_pointer())

        def all_of(word):
            return ir.Constant(kind, [word] * 8)

        value = []
        for k in range(8):
            value.append(b.load(place(k)))
            value[-1].align = 64
        # in each step, the words that are `apart` exchange their bits that are as far apart
        low = {32: 0x00000000FFFFFFFF, 16: 0x0000FFFF0000FFFF, 8: 0x00FF00FF00FF00FF, 4: 0x0F0F0F0F0F0F0F0F,
               2: 0x3333333333333333, 1: 0x5555555555555555}  # fmt: skip
        for apart in (32, 16, 8):
            for k in range(8):
                if not k & apart // 8:
                    n = k + apart // 8
                    swapped = b.and_(b.xor(b.lshr(value[k], all_of(apart)), value[n]), all_of(low[apart]))
                    value[n] = b.xor(value[n], swapped)
                    value[k] = b.xor(value[k], b.shl(swapped, all_of(apart)))
        rotate_kind = ir.FunctionType(kind, [kind, kind, kind])
        name = "llvm.fshl.v8i64"
        rotate = b.module.globals.get(name) or ir.Function(b.module, rotate_kind, name)
        for apart in (4, 2, 1):
            order = ir.Constant(ir.VectorType(index, 8), [k ^ apart for k in range(8)])
            by = ir.Constant(kind, [64 - apart if k & apart else apart for k in range(8)])
            own = ir.Constant(kind, [low[apart] << apart if k & apart else low[apart] for k in range(8)])
            other = ir.Constant(kind, [low[apart] if k & apart else low[apart] << apart for k in range(8)])
            for k in range(8):
                partner = b.shuffle_vector(value[k], value[k], order)
                moved = b.call(rotate, [partner, partner, by])
                value[k] = b.or_(b.and_(value[k], own), b.and_(moved, other))
        for k in range(8):
            b.store(value[k], place(k)).align = 64
        return context.get_dummy_value()

    return types.void(square), make


def pack(eights, many, square, out):
    """0/1 bytes (lanes, rows) by eights, at most 512 lanes, as rows of 512 bits: out[8 * row + lane // 64], bit lane % 64.

    `square` is room for 64 aligned words.
    """
    lanes, wide = eights.shape
    flat = eights.reshape(-1)
    gather = np.uint64(0x0102040810204080)  # moves bit 0 of byte k to bit 56 + k
    for block in range(8):
        here, some = min(lanes, 64 * block), min(lanes, 64 * block + 64) - min(lanes, 64 * block)
        for first in range(0, many, 64):
            words = min(8, (many - first + 7) >> 3)
            if some == 0:
                square[:] = 0
            else:
                for lane in range(some):
                    at = (here + lane) * wide + (first >> 3)
                    if words == 8:
                        square[lane] = bit_of(flat, at, np.uint8(1))
                    else:
                        value = np.uint64(0)
                        for word in range(words):
                            value |= ((flat[at + word] * gather) >> np.uint64(56)) << np.uint64(8 * word)
                        square[lane] = value
                square[some:] = 0
                turn(square)
            for row in range(min(64, many - first)):
                out[8 * (first + row) + block] = square[row]
