"""Machine code that turns squares over: of 64 x 64 bits, and of 8 x 8 numbers."""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, TID253
from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

I1, I32, I64 = (ir.IntType(bits) for bits in (1, 32, 64))
EIGHT = ir.VectorType(I64, 8)


def _picks(places):
    return ir.Constant(ir.VectorType(I32, 8), places)


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


@intrinsic
def turn_numbers(typing, numbers, first, apart, last, out, to, wide, many, more):
    """Number n of row k < 8 becomes number k of row n < 8, for k < many; added to what stands there if `more`.

    Row k begins at numbers[min(first + k * apart, last)], row n at out[to + n * wide]; both flat, out int64.
    """

    def make(context, builder, signature, args):
        b = builder
        own = context.get_value_type(signature.args[0].dtype)
        source, target = (context.make_array(signature.args[k])(context, b, args[k]).data for k in (0, 4))
        rows = []
        for k in range(8):
            at = b.add(args[1], b.mul(args[2], ir.Constant(I64, k)))
            at = b.select(b.icmp_signed("<", at, args[3]), at, args[3])
            value = b.load(b.bitcast(b.gep(source, [at]), ir.VectorType(own, 8).as_pointer()))
            value.align = own.width // 8
            rows.append(value if own == I64 else b.sext(value, EIGHT))
        for apart in (1, 2, 4):  # rows that are `apart` exchange the numbers that are as far apart
            low = [k if not k & apart else k - apart + 8 for k in range(8)]
            high = [k + apart if not k & apart else k + 8 for k in range(8)]
            for k in range(8):
                if not k & apart:
                    x, y = rows[k], rows[k + apart]
                    rows[k] = b.shuffle_vector(x, y, _picks(low))
                    rows[k + apart] = b.shuffle_vector(x, y, _picks(high))
        first = b.insert_element(ir.Constant(EIGHT, ir.Undefined), args[7], ir.Constant(I32, 0))
        limit = b.shuffle_vector(first, first, _picks([0] * 8))
        mask = b.icmp_signed("<", ir.Constant(EIGHT, list(range(8))), limit)
        none, align = ir.Constant(EIGHT, [0] * 8), ir.Constant(I32, 8)
        place = EIGHT.as_pointer()
        suffix = "v8i64.p0" if place.is_opaque else "v8i64.p0v8i64"
        kinds = {
            "load": ir.FunctionType(EIGHT, [place, I32, mask.type, EIGHT]),
            "store": ir.FunctionType(ir.VoidType(), [EIGHT, place, I32, mask.type]),
        }
        load, store = (
            b.module.globals.get(f"llvm.masked.{name}.{suffix}")
            or ir.Function(b.module, kind, f"llvm.masked.{name}.{suffix}")
            for name, kind in kinds.items()
        )
        before = b.and_(mask, b.select(args[8], ir.Constant(mask.type, [1] * 8), ir.Constant(mask.type, [0] * 8)))
        for n, value in enumerate(rows):
            at = b.gep(target, [b.add(args[5], b.mul(args[6], ir.Constant(I64, n)))])
            at = b.bitcast(at, place)
            old = b.call(load, [at, align, before, none])
            b.call(store, [b.add(old, value), at, align, mask])
        return context.get_dummy_value()

    numbers_of = types.int64, types.int64, types.int64
    return types.void(numbers, *numbers_of, out, *numbers_of, types.boolean), make
