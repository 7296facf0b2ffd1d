"""Machine code that sums four neurons at once: inputs are sorted by which of the four weigh them +1, fifteen classes.

Each input is added once, into the sum of its class; the sums of the four neurons, and whether they reach their
thresholds, are made of these sums plane by plane, in one pass.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, TID253
from __future__ import annotations

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spikebnn.simulate.rows import (
    I64,
    ROW,
    WORDS,
    Sum,
    both,
    every,
    load,
    majority_of,
    odd_of,
    ones_in,
    soon_written,
    store,
)

DEEP = 18  # planes that hold twice a sum less the sum of all, less a bound
SIZES = ((6, 9), (8, 10), (12, 12), (14, 14))  # planes of a pair of classes, and of the sum over all of them
MOST = (5, 8, 9, 10, 12, 14, 16)  # planes of a sum that is compared: those of SIZES, and of one list
CLASSES_AT, LEVELS_AT, SUPPORT_AT, STRIDE = 1024, 2176, 2688, 128  # words of `planes`; 16 planes each


def _add(b, *bits):
    """Carry and sum of up to three planes, of which None is 0."""
    some = [bit for bit in bits if bit is not None]
    if len(some) == 3:
        return majority_of(b, *some), odd_of(b, *some)
    if len(some) == 2:
        return b.and_(*some), b.xor(*some)
    return None, some[0] if some else None


@intrinsic
def _decide(typing, rows, index, fours, four, planes):
    """Sum the classes of four neurons, and compare; see `spikebnn.simulate.lists.fours` for the table.

    The neurons' levels stand at LEVELS_AT, STRIDE words each, as `level` writes them; their spikes are stored at CLASSES_AT.
    """

    def make(context, builder, signature, args):
        b = builder
        data = [context.make_array(signature.args[k])(context, b, args[k]).data for k in (0, 1, 4)]
        array = context.make_array(signature.args[2])(context, b, args[2])
        wide = b.extract_value(array.shape, 1)
        table = b.gep(array.data, [b.mul(args[3], wide)])
        zero = ir.Constant(ROW, [0] * WORDS)

        def number(value):
            return ir.Constant(I64, value)

        def entry(k):
            return b.sext(b.load(b.gep(table, [k])), I64)

        def at(word):
            return b.bitcast(b.gep(data[2], [word]), ROW.as_pointer())

        def write(value, word):
            b.store(value, at(word)).align = 64

        def read(word):
            value = b.load(at(number(word)))
            value.align = 64
            return value

        def body(planes, most):
            made = Sum(b, data[0], data[1], None, planes)
            top = [cgutils.alloca_once_value(b, zero) for _ in range(most)]  # classes 8 to 15 together
            for p in top:
                b.store(zero, p)
            place = cgutils.alloca_once_value(b, number(0))
            b.store(entry(number(0)), place)
            with cgutils.for_range(b, number(8)) as loop:
                here = b.load(place)
                middle = b.add(here, entry(b.add(b.mul(loop.index, number(2)), number(1))))
                end = b.add(middle, entry(b.add(b.mul(loop.index, number(2)), number(2))))
                b.store(end, place)
                for p in made.p:
                    b.store(zero, p)
                made.add(here, middle, 32)
                carry = None
                for k, p in enumerate(top):
                    carry, value = _add(b, b.load(p), b.load(made.p[k]) if k < planes else None, carry)
                    b.store(value, p)
                made.add(middle, end, 32)
                goal = b.add(number(CLASSES_AT), b.mul(b.sub(number(8), loop.index), number(STRIDE)))
                for k, p in enumerate(made.p):
                    write(b.load(p), b.add(goal, number(WORDS * k)))
            carries, over = [None] * 8, [None] * 4
            for k in range(most):
                q = [
                    read(CLASSES_AT + STRIDE * (c + 1) + WORDS * k) if k < planes else None for c in range(8)
                ]
                carries[0], left = _add(b, q[4], q[5], carries[0])
                carries[1], right = _add(b, q[6], q[7], carries[1])
                carries[2], third = _add(b, left, right, carries[2])
                carries[3], one = _add(b, q[1], q[5], carries[3])
                carries[4], two = _add(b, q[2], q[6], carries[4])
                carries[5], both = _add(b, q[3], q[7], carries[5])
                carries[6], second = _add(b, two, both, carries[6])
                carries[7], first = _add(b, one, both, carries[7])
                for neuron, value in enumerate((first, second, third, b.load(top[k]))):
                    level = read(LEVELS_AT + STRIDE * neuron + WORDS * k)
                    over[neuron], _ = _add(b, value, level, over[neuron])
            for neuron in range(4):
                rest, sign = (read(LEVELS_AT + STRIDE * neuron + WORDS * k) for k in (most, most + 1))
                write(b.xor(b.and_(over[neuron], rest), sign), number(CLASSES_AT + WORDS * neuron))

        size = entry(number(17))
        for kind, (planes, most) in enumerate(SIZES):
            with b.if_then(b.icmp_signed("==", size, number(kind))):
                body(planes, most)
        return context.get_dummy_value()

    return types.void(rows, index, fours, types.int64, planes), make


@intrinsic
def level(typing, planes, bound, most, deep, to):
    """Store `bound` less the support's sum, as twice a neuron's sum is added to it, to tell whether that is 0 or more.

    From plane 1 on, `most` planes, one of MOST; then where all others but the sign are set; then the sign, inverted. The
    number has `deep` planes, at least most + 2, as `depth` says; the planes at SUPPORT_AT are those of the sum, inverted.
    """

    def make(context, builder, signature, args):
        b = builder
        data = context.make_array(signature.args[0])(context, b, args[0]).data
        kind = ir.ArrayType(ROW, 2)
        name = "spikebnn.none.and.all"
        table = b.module.globals.get(name)
        if table is None:
            table = cgutils.add_global_variable(b.module, kind, name)
            table.initializer = ir.Constant(kind, [ir.Constant(ROW, [n] * WORDS) for n in (0, -1)])
            table.align, table.linkage, table.global_constant = 64, "internal", True
        table = b.bitcast(table, ir.IntType(8).as_pointer())

        def number(value):
            return ir.Constant(I64, value)

        def plane(address):
            value = b.load(b.bitcast(address, ROW.as_pointer()))
            value.align = 64
            return value

        def at(k):
            """Plane k of the inverted sum, and bit k of bound + 1 in every lane."""
            byte = b.and_(b.shl(b.ashr(one_more, k), number(6)), number(64))
            return plane(b.gep(data, [b.add(number(SUPPORT_AT), b.mul(k, number(WORDS)))])), plane(
                b.gep(table, [byte])
            )

        def write(value, place):
            word = b.gep(data, [b.add(args[4], number(WORDS * place))])
            b.store(value, b.bitcast(word, ROW.as_pointer())).align = 64

        one_more = b.add(args[1], number(1))
        every_one = ir.Constant(ROW, [-1] * WORDS)
        for planes in MOST:
            with b.if_then(b.icmp_signed("==", args[2], number(planes))):
                carry = None
                for k in range(planes + 1):
                    carry, value = _add(b, *at(number(k)), carry)
                    if k:
                        write(value, k - 1)
                held, rest = cgutils.alloca_once_value(b, carry), cgutils.alloca_once_value(b, every_one)
                b.store(carry, held)
                b.store(every_one, rest)
                with cgutils.for_range_slice(b, number(planes + 1), b.sub(args[3], number(1)), number(1)) as (
                    k,
                    _,
                ):
                    carry, value = _add(b, *at(k), b.load(held))
                    b.store(carry, held)
                    b.store(b.and_(b.load(rest), value), rest)
                _, value = _add(b, *at(b.sub(args[3], number(1))), b.load(held))
                write(b.load(rest), planes)
                write(b.xor(value, every_one), planes + 1)
        return context.get_dummy_value()

    return types.void(planes, types.int64, types.int64, types.int64, types.int64), make


@nb.njit(nogil=True, boundscheck=False)
def depth(size):
    """How many planes hold every number between -2 * size - 1 and 3 * size."""
    deep = 1
    while 3 * size >> (deep - 1):
        deep += 1
    return deep


@nb.njit(nogil=True, boundscheck=False)
def by_fours(
    fours, first, end, deep, silent, tick, period, frames, rows, index, planes, ring, here, valid, neuron_spikes
):  # fmt: skip
    """Fire the neurons of fours[first:end], of one support, into the slot `here`; rows are the support's inputs."""
    held0 = held1 = held2 = held3 = np.int64(1) << 40
    kind = -1
    for q in range(first, end):
        for k in range(19, 23):
            soon_written(ring, here + 8 * np.int64(fours[q, k]))
            soon_written(neuron_spikes, np.int64(fours[q, k]))
        b0, b1, b2, b3 = (
            np.int64(fours[q, 23]), np.int64(fours[q, 24]), np.int64(fours[q, 25]), np.int64(fours[q, 26])
        )  # fmt: skip
        if silent:
            s0, s1, s2, s3 = every(~(b0 >> 63)), every(~(b1 >> 63)), every(~(b2 >> 63)), every(~(b3 >> 63))
        else:
            other = fours[q, 17] != kind
            kind = fours[q, 17]
            most = SIZES[kind][1]
            whole = max(deep, most + 2)
            if other or b0 != held0:
                held0 = b0
                level(planes, b0, most, whole, LEVELS_AT)
            if other or b1 != held1:
                held1 = b1
                level(planes, b1, most, whole, LEVELS_AT + STRIDE)
            if other or b2 != held2:
                held2 = b2
                level(planes, b2, most, whole, LEVELS_AT + 2 * STRIDE)
            if other or b3 != held3:
                held3 = b3
                level(planes, b3, most, whole, LEVELS_AT + 3 * STRIDE)
            _decide(rows, index, fours, q, planes)
            s0, s1 = load(planes, CLASSES_AT), load(planes, CLASSES_AT + 8)
            s2, s3 = load(planes, CLASSES_AT + 16), load(planes, CLASSES_AT + 24)
        m0, m1, m2, m3 = (
            np.int64(fours[q, 19]), np.int64(fours[q, 20]), np.int64(fours[q, 21]), np.int64(fours[q, 22])
        )  # fmt: skip
        store(ring, here + 8 * m0, s0)
        store(ring, here + 8 * m1, s1)
        store(ring, here + 8 * m2, s2)
        store(ring, here + 8 * m3, s3)
        frame = (tick - fours[q, 18]) // period
        if 0 <= frame < frames and tick >= fours[q, 18]:
            there = load(valid, 8 * frame)
            neuron_spikes[m0] += ones_in(both(s0, there))
            neuron_spikes[m1] += ones_in(both(s1, there))
            neuron_spikes[m2] += ones_in(both(s2, there))
            neuron_spikes[m3] += ones_in(both(s3, there))
