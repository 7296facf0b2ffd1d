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
def turn(typing, squares, first, out, to):
    """Turn 64 x 64 bits over: bit k of word n of squares[first:], which is 64-byte aligned, is bit n of out[to + 8 * k]."""

    def make(context, builder, signature, args):
        b, kind = builder, ir.VectorType(ir.IntType(64), 8)
        data, target = (
            b.gep(context.make_array(signature.args[k])(context, b, args[k]).data, [args[k + 1]])
            for k in (0, 2)
        )
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
        for k in range(64):
            word = b.extract_element(value[k // 8], ir.Constant(index, k % 8))
            b.store(word, b.gep(target, [ir.Constant(ir.IntType(64), 8 * k)]))
        return context.get_dummy_value()

    return types.void(squares, types.int64, out, types.int64), make


def pack(eights, many, squares, out):
    """0/1 bytes (lanes, rows) by eights, at most 512 lanes, as rows of 512 bits: out[8 * row + lane // 64], bit lane % 64.

    `squares`, aligned, has room for a word of every row, and `out` for all rows, up to a multiple of 64 of them; what
    comes in the places behind `many` means nothing.
    """
    lanes, wide = eights.shape
    flat = eights.reshape(-1)
    whole, words = many >> 6, (many + 63) >> 6
    gather = np.uint64(0x0102040810204080)  # moves bit 0 of byte k to bit 56 + k
    for block in range(8):
        here = min(lanes, 64 * block)
        some = min(lanes, here + 64) - here
        for lane in range(some):
            at = (here + lane) * wide
            for word in range(whole):
                squares[64 * word + lane] = bit_of(flat, at + 8 * word, np.uint8(1))
            if whole < words:
                value = np.uint64(0)
                for k in range(8 * whole, (many + 7) >> 3):
                    value |= ((flat[at + k] * gather) >> np.uint64(56)) << np.uint64(8 * (k - 8 * whole))
                squares[64 * whole + lane] = value
        for word in range(words):
            if some < 64:
                squares[64 * word + some : 64 * word + 64] = 0
            turn(squares, 64 * word, out, 512 * word + block)
