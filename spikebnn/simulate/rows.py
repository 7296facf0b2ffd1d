"""Rows of 512 bits as one value for Numba, and machine code that sums them into bit planes by carry-save adders.

A row is 512 lanes: frames side by side for the engine that works through a batch, neurons side by side for the one
that follows events. A sum of one-bit rows is kept as bit planes, 512 lanes at a time.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ANN204, TID253
from __future__ import annotations

import numba as nb
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic, models, register_model

WORDS = 8  # of 64 lanes in a row
LANES = 64 * WORDS


def _has(feature):
    """Whether the code that Numba makes may use a feature: NUMBA_CPU_NAME and NUMBA_CPU_FEATURES overrule the host."""
    if config.CPU_NAME or config.CPU_FEATURES is not None:
        return f"+{feature}" in (config.CPU_FEATURES or "").split(",")
    return bool(binding.get_host_cpu_features().get(feature))


TERNARY, COMPRESS, EXTRACT = _has("avx512f"), _has("avx512vbmi2"), _has("bmi")
I16, I32, I64 = (ir.IntType(bits) for bits in (16, 32, 64))
ROW, ROW32 = ir.VectorType(I64, WORDS), ir.VectorType(I32, 2 * WORDS)


class RowType(types.Type):
    """512 bits as one Numba value; LLVM picks one 512-bit, two 256-bit or four 128-bit registers."""

    def __init__(self):
        super().__init__(name="SpikeRow")


row = RowType()


@register_model(RowType)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ROW)


def _address(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ROW.as_pointer())


@intrinsic
def load(typing, array, index):
    """512 bits from element `index` of a flat array on; they are 64-byte aligned."""

    def make(context, builder, signature, args):
        value = builder.load(_address(context, builder, signature.args[0], args[0], args[1]))
        value.align = 64
        return value

    return row(array, types.int64), make


def _store(align):
    @intrinsic
    def made(typing, array, index, value):
        def make(context, builder, signature, args):
            done = builder.store(args[2], _address(context, builder, signature.args[0], args[0], args[1]))
            done.align = align
            return context.get_dummy_value()

        return types.void(array, types.int64, row), make

    return made


store, store_anywhere = _store(64), _store(4)  # a row into a flat array, from element `index` on


def _prefetch(write):
    @intrinsic
    def made(typing, array, index):
        def make(context, builder, signature, args):
            byte = ir.IntType(8).as_pointer()
            where = builder.bitcast(_address(context, builder, signature.args[0], args[0], args[1]), byte)
            kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
            name = "llvm.prefetch.p0" if where.type.is_opaque else "llvm.prefetch.p0i8"
            call = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            builder.call(call, [where, *(ir.Constant(I32, n) for n in (write, 3, 1))])
            return context.get_dummy_value()

        return types.void(array, types.int64), make

    return made


soon_read, soon_written = (
    _prefetch(0),
    _prefetch(1),
)  # the cache line of an element is wanted before long


def _splat(builder, value, kind):
    none = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count))


@intrinsic
def every(typing, word):
    """A row whose every 64-lane word is `word`."""
    return row(types.int64), lambda context, builder, signature, args: _splat(builder, args[0], ROW)


def _binary(operation):
    @intrinsic
    def made(typing, a, b):
        return row(row, row), lambda context, builder, signature, args: operation(builder, *args)

    return made


both = _binary(lambda builder, a, b: builder.and_(a, b))
either = _binary(lambda builder, a, b: builder.or_(a, b))
differ = _binary(lambda builder, a, b: builder.xor(a, b))


def majority_of(b, x, y, z, inverted=False):
    """The majority of three planes, the second of which may be inverted."""
    if not TERNARY:
        y = b.xor(y, ir.Constant(ROW, [-1] * WORDS)) if inverted else y
        return b.or_(b.and_(x, y), b.and_(z, b.or_(x, y)))
    name = "llvm.x86.avx512.pternlog.q.512"  # LLVM makes two instructions of the formula above
    kind = ir.FunctionType(ROW, [ROW, ROW, ROW, I32])
    call = b.module.globals.get(name) or ir.Function(b.module, kind, name)
    return b.call(call, [x, y, z, ir.Constant(I32, 0xB2 if inverted else 0xE8)])


def odd_of(b, x, y, z):
    return b.xor(b.xor(x, y), z)


def add_of(b, *bits):
    """Carry and sum of up to three planes, of which None is 0."""
    some = [bit for bit in bits if bit is not None]
    if len(some) == 3:
        return majority_of(b, *some), odd_of(b, *some)
    if len(some) == 2:
        return b.and_(*some), b.xor(*some)
    return None, some[0] if some else None


def nothing_or_all(b):
    """What gives bit k of a number in every lane, from a table of two rows."""
    kind, name = ir.ArrayType(ROW, 2), "spikebnn.nothing.or.all"
    table = b.module.globals.get(name)
    if table is None:
        table = cgutils.add_global_variable(b.module, kind, name)
        table.initializer = ir.Constant(kind, [ir.Constant(ROW, [n] * WORDS) for n in (0, -1)])
        table.align, table.linkage, table.global_constant = 64, "internal", True
    first = b.bitcast(table, ir.IntType(8).as_pointer())

    def constant(number, k):
        byte = b.and_(b.shl(b.ashr(number, k), ir.Constant(I64, 6)), ir.Constant(I64, 64))
        value = b.load(b.bitcast(b.gep(first, [byte]), ROW.as_pointer()))
        value.align = 64
        return value

    return constant


def _ternary(operation):
    @intrinsic
    def made(typing, x, y, z):
        return row(row, row, row), lambda context, builder, signature, args: operation(builder, *args)

    return made


majority, odd = _ternary(majority_of), _ternary(odd_of)
choose = _ternary(lambda b, x, y, z: b.xor(z, b.and_(x, b.xor(y, z))))  # y where x is set, else z


@intrinsic
def add_where(typing, total, number, mask):
    """16 int32: total + number where the 16-bit mask is set."""

    def make(context, builder, signature, args):
        bits = builder.bitcast(builder.trunc(args[2], I16), ir.VectorType(ir.IntType(1), 16))
        more = builder.select(bits, _splat(builder, args[1], ROW32), ir.Constant(ROW32, [0] * 16))
        return builder.bitcast(builder.add(builder.bitcast(args[0], ROW32), more), ROW)

    return row(row, types.int32, types.uint64), make


@intrinsic
def filled(typing, lanes):
    """Whether all 512 lanes are on."""

    def make(context, builder, signature, args):
        kind, name = ir.FunctionType(I64, [ROW]), "llvm.vector.reduce.and.v8i64"
        least = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        return builder.icmp_signed("==", builder.call(least, args), ir.Constant(I64, -1))

    return types.boolean(row), make


@intrinsic
def lowest(typing, word):
    """The place of the lowest set bit; the word is not 0."""

    def make(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), make


@intrinsic
def ones(typing, word):
    return types.int64(types.uint64), lambda context, builder, signature, args: builder.ctpop(args[0])


@intrinsic
def ones_in(typing, lanes):
    """How many of the 512 lanes are on."""

    def make(context, builder, signature, args):
        found = args[0]
        for name, kind in (("llvm.ctpop.v8i64", ROW), ("llvm.vector.reduce.add.v8i64", I64)):
            called = builder.module.globals.get(name) or ir.Function(
                builder.module, ir.FunctionType(kind, [ROW]), name
            )
            found = builder.call(called, [found])
        return found

    return types.int64(row), make


def inline(function):
    return nb.njit(inline="always", boundscheck=False)(function)


@inline
def full(a, b, c):
    return majority(a, b, c), odd(a, b, c)


@inline
def half(a, b):
    return both(a, b), differ(a, b)


def _field(b, word, low, bits):
    """Bits low to low + bits of a word."""
    if low + bits == 64:
        return b.lshr(word, ir.Constant(I64, low))
    if low == 0 or not EXTRACT:
        return b.and_(b.lshr(word, ir.Constant(I64, low)), ir.Constant(I64, 2**bits - 1))
    kind, name = ir.FunctionType(I64, [I64, I64]), "llvm.x86.bmi.bextr.64"
    call = b.module.globals.get(name) or ir.Function(b.module, kind, name)
    return b.call(call, [word, ir.Constant(I64, bits << 8 | low)])


class Sum:
    """Writes the LLVM code that sums one-bit rows into bit planes; Numba would need ten times as long for it."""

    def __init__(self, builder, rows, index, out, planes):
        self.b, self.rows, self.index, self.out = builder, rows, index, out
        self.p = [cgutils.alloca_once_value(builder, ir.Constant(ROW, [0] * WORDS)) for _ in range(planes)]

    def entries(self, k, size):
        """Entries `k` to `k + size` of the index, a word of them at a time, as loads are what a core has least of."""
        b, found, bits = self.b, [], self.index.type.pointee.width
        for n in range(0, size, 64 // bits):
            place = b.gep(self.index, [b.add(k, ir.Constant(I64, n))])
            some = b.load(b.bitcast(place, I64.as_pointer()))
            some.align = bits // 8
            found += [_field(b, some, low, bits) for low in range(0, 64, bits)]
        return found

    def take(self, k, size):
        """The rows that begin at the words which `size` entries of the index name, from entry `k` on."""
        rows = []
        for word in self.entries(k, size):
            value = self.b.load(self.b.bitcast(self.b.gep(self.rows, [word]), ROW.as_pointer()))
            value.align = 64
            rows.append(value)
        return rows

    def reduce(self, k, rows):
        """Add an even number of rows to plane k; returns the carries, half as many, which belong to plane k + 1.

        The plane comes last, so that the rows are summed while the block before is still at work on it.
        """
        carries = []
        while len(rows) > 2:
            carries.append(majority_of(self.b, *rows[:3]))
            rows = [*rows[3:], odd_of(self.b, *rows[:3])]
        old = self.b.load(self.p[k])
        self.b.store(odd_of(self.b, old, *rows), self.p[k])
        return [*carries, majority_of(self.b, old, *rows)]

    def block(self, k, size):
        """Add `size` rows, a power of two; the carry belongs to plane log2(size)."""
        if size <= 8:
            plane, rows = 0, self.take(k, size)
        else:
            plane, rows = 3, [self.block(self.b.add(k, ir.Constant(I64, n)), 8) for n in range(0, size, 8)]
        while len(rows) > 1:
            plane, rows = plane + 1, self.reduce(plane, rows)
        return rows[0]

    def ripple(self, k, carry):
        for plane in self.p[k:]:
            old = self.b.load(plane)
            self.b.store(self.b.xor(old, carry), plane)
            carry = self.b.and_(old, carry)

    def add(self, first, end, largest, least=4):
        """Add all rows from entry `first` to `end`, a multiple of `least` of them."""
        b = self.b
        k = cgutils.alloca_once_value(b, first)

        def step(size):
            here = b.load(k)
            self.ripple(size.bit_length() - 1, self.block(here, size))
            b.store(b.add(here, ir.Constant(I64, size)), k)

        def left(size):
            return b.icmp_signed("<=", b.add(b.load(k), ir.Constant(I64, size)), end)

        test, body, after = (b.append_basic_block(name) for name in ("sum.test", "sum.body", "sum.after"))
        b.branch(test)
        b.position_at_end(test)
        b.cbranch(left(largest), body, after)
        b.position_at_end(body)
        step(largest)
        b.branch(test)
        b.position_at_end(after)
        size = largest // 2
        while size >= least:
            with b.if_then(left(size)):
                step(size)
            size //= 2

    def run(self, first, end, largest, least):
        """Add all rows, and store the planes."""
        b = self.b
        self.add(first, end, largest, least)
        for number, plane in enumerate(self.p):
            word = b.gep(self.out, [ir.Constant(I64, WORDS * number)])
            done = b.store(b.load(plane), b.bitcast(word, ROW.as_pointer()))
            done.align = 64


def _count(kinds, least):
    """Adds `kinds`: fewer rows than, planes, rows at once; the number of rows is a multiple of `least`."""

    @intrinsic
    def made(typing, rows, index, first, number, out, to):
        def make(context, builder, signature, args):
            arrays = [
                context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 1, 4)
            ]
            out_data = builder.gep(arrays[2], [args[5]])
            end = builder.add(args[2], args[3])
            made = cgutils.alloca_once_value(builder, ir.Constant(I64, 0))

            def sizes(kinds):
                (fewer, planes, largest), *others = kinds
                if not others:
                    Sum(builder, arrays[0], arrays[1], out_data, planes).run(args[2], end, largest, least)
                    builder.store(ir.Constant(I64, planes), made)
                    return
                below = builder.icmp_signed("<", args[3], ir.Constant(I64, fewer))
                with builder.if_else(below) as (few, many):
                    with few:
                        sizes(kinds[:1])
                    with many:
                        sizes(others)

            sizes(kinds)
            return builder.load(made)

        return types.int64(rows, index, types.int64, types.int64, out, types.int64), make

    return made


# Store the planes of the sum of `number` rows, at most 65520, which begin at the words index[first : first + number] of
# `rows`; return how many planes.
count_here = _count(((32, 5, 16), (256, 8, 32), (4096, 12, 64), (65536, 16, 64)), 4)
count_sixteens = _count(((256, 8, 32), (4096, 12, 64), (65536, 16, 64)), 16)


@intrinsic
def last_plane(typing, rows, index, first, number, planes, start, at):
    """Add the rows at words index[first : first + number], a multiple of 16, to `planes` planes of start[at :], 8, 12 or 16.

    Returns the highest plane of the sum, its sign.
    """

    def make(context, builder, signature, args):
        b = builder
        arrays = [context.make_array(signature.args[k])(context, b, args[k]).data for k in (0, 1, 5)]
        end = b.add(args[2], args[3])
        found = cgutils.alloca_once_value(b, ir.Constant(ROW, [0] * WORDS))
        for planes, largest in ((8, 16), (12, 32), (16, 64)):
            with b.if_then(b.icmp_signed("==", args[4], ir.Constant(I64, planes))):
                made = Sum(b, arrays[0], arrays[1], None, planes)
                for k, plane in enumerate(made.p):
                    value = b.load(
                        b.bitcast(
                            b.gep(arrays[2], [b.add(args[6], ir.Constant(I64, WORDS * k))]), ROW.as_pointer()
                        )
                    )
                    value.align = 64
                    b.store(value, plane)
                made.add(args[2], end, largest, 16)
                b.store(b.load(made.p[-1]), found)
        return b.load(found)

    return row(rows, index, types.int64, types.int64, types.int64, start, types.int64), make


@nb.njit(nogil=True, boundscheck=False)
def count_there(rows, index, first, number, out, to):
    return count_here(rows, index, first, number, out, to)


def put(b, value, place, more, align):
    """Store a vector, added to what stands there if `more`."""
    with b.if_else(more) as (add, write):
        with add:
            old = b.load(place)
            old.align = align
            b.store(b.add(old, value), place).align = align
        with write:
            b.store(value, place).align = align


@intrinsic
def _spread_word(typing, planes, at, many, numbers, lane, shift, more):
    """Put into numbers[lane : lane + 64] the sum of 2 ** (k + shift) over the `many` planes k < 8 whose bit is set.

    Plane k of the 64 lanes is planes[at + 8 k]; added to what stands there if `more`.
    """

    def make(context, builder, signature, args):
        b = builder
        source, target = (context.make_array(signature.args[k])(context, b, args[k]).data for k in (0, 3))
        lanes, bits = (
            ir.VectorType(ir.IntType(8), LANES // WORDS),
            ir.VectorType(ir.IntType(1), LANES // WORDS),
        )
        none = ir.Constant(lanes, [0] * lanes.count)
        total, power = cgutils.alloca_once_value(b, none), cgutils.alloca_once(b, lanes)
        b.store(none, total)
        b.store(ir.Constant(lanes, [1] * lanes.count), power)
        with cgutils.for_range(b, args[2]) as loop:
            word = b.load(b.gep(source, [b.add(args[1], b.mul(loop.index, ir.Constant(I64, WORDS)))]))
            value = b.load(power)
            b.store(b.add(b.load(total), b.select(b.bitcast(word, bits), value, none)), total)
            b.store(b.add(value, value), power)
        found, by = b.load(total), _splat(b, b.trunc(args[5], I32), ROW32)
        for part in range(0, lanes.count, ROW32.count):
            picks = ir.Constant(ir.VectorType(I32, ROW32.count), list(range(part, part + ROW32.count)))
            value = b.shl(b.zext(b.shuffle_vector(found, none, picks), ROW32), by)
            place = b.gep(target, [b.add(args[4], ir.Constant(I64, part))])
            place = b.bitcast(place, ROW32.as_pointer())
            put(b, value, place, args[6], 4)
        return context.get_dummy_value()

    kinds = types.int64, types.int64, numbers, types.int64, types.int64, types.boolean
    return types.void(planes, *kinds), make


@nb.njit(nogil=True, boundscheck=False)
def spread(planes, to, number, signed, numbers):
    """The sums of 512 lanes, from `number` planes (1 to 31), as int32."""
    for word in range(8):
        for part in range(0, number, 8):
            _spread_word(
                planes, to + 8 * part + word, min(8, number - part), numbers, 64 * word, part, part > 0
            )
    if signed:
        above = 32 - number
        for lane in range(512):
            numbers[lane] = np.int32(numbers[lane] << above) >> above


@nb.njit(nogil=True, boundscheck=False)
def wide(planes, to, number, lane):
    """The signed sum of one lane, from up to 63 planes."""
    total = 0
    for k in range(number):
        bit = np.int64((planes[to + 8 * k + (lane >> 6)] >> np.uint64(lane & 63)) & np.uint64(1))
        total += -(bit << k) if k == number - 1 else bit << k
    return total
