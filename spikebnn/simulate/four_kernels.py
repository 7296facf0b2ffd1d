"""Machine code that sums four neurons at once: inputs are sorted by which of the four weigh them +1, fifteen classes.

Each input is added once, into the sum of its class; the sums of the four neurons, and whether they reach their
thresholds, are made of these sums plane by plane, in one pass.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, TID253
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
    differ,
    every,
    full,
    load,
    majority,
    majority_of,
    odd_of,
    ones_in,
    soon_written,
    store,
)

SIZES = ((6, 9), (8, 10), (12, 12), (14, 14))  # planes of a pair of classes, and of the sum over all of them
CLASSES_AT, LEVELS_AT, SUPPORT_AT, STRIDE = 1024, 2176, 2688, 128  # words of `planes`; 16 planes each


@intrinsic
def _classes(typing, rows, index, fours, four, planes):
    """Sum the classes of four neurons; see `spikebnn.simulate.lists.fours` for the table.

    Stored from CLASSES_AT on: the planes of classes 8 to 15 together, then, STRIDE words each, those of c and c + 8.
    """

    def make(context, builder, signature, args):
        b = builder
        data = [context.make_array(signature.args[k])(context, b, args[k]).data for k in (0, 1, 4)]
        array = context.make_array(signature.args[2])(context, b, args[2])
        wide = b.extract_value(array.shape, 1)
        table = b.gep(array.data, [b.mul(args[3], wide)])
        top = b.gep(data[2], [ir.Constant(I64, CLASSES_AT)])

        def number(value):
            return ir.Constant(I64, value)

        def entry(k):
            return b.sext(b.load(b.gep(table, [k])), I64)

        def plane(base, k):
            return b.bitcast(b.gep(base, [number(WORDS * k)]), ROW.as_pointer())

        def write(value, where):
            b.store(value, where).align = 64

        zero = ir.Constant(ROW, [0] * WORDS)

        def body(planes, most):
            made = Sum(b, data[0], data[1], None, planes)
            tops = [cgutils.alloca_once_value(b, zero) for _ in range(most)]
            for p in tops:
                b.store(zero, p)
            at = cgutils.alloca_once_value(b, entry(number(0)))
            b.store(entry(number(0)), at)
            with cgutils.for_range(b, number(8)) as loop:
                here = b.load(at)
                middle = b.add(here, entry(b.add(b.mul(loop.index, number(2)), number(1))))
                end = b.add(middle, entry(b.add(b.mul(loop.index, number(2)), number(2))))
                b.store(end, at)
                for p in made.p:
                    b.store(zero, p)
                made.add(here, middle, 32)
                carry = zero
                for k, p in enumerate(tops):
                    old = b.load(p)
                    if k < planes:
                        own = b.load(made.p[k])
                        b.store(odd_of(b, old, own, carry), p)
                        carry = majority_of(b, old, own, carry)
                    else:
                        b.store(b.xor(old, carry), p)
                        carry = b.and_(old, carry)
                made.add(middle, end, 32)
                goal = b.gep(top, [b.mul(b.sub(number(8), loop.index), number(STRIDE))])
                for k in range(most):
                    write(b.load(made.p[k]) if k < planes else zero, plane(goal, k))

            for k, p in enumerate(tops):
                write(b.load(p), plane(top, k))

        size = entry(number(17))
        for kind, (planes, most) in enumerate(SIZES):
            with b.if_then(b.icmp_signed("==", size, number(kind))):
                body(planes, most)
        return context.get_dummy_value()

    return types.void(rows, index, fours, types.int64, planes), make


@nb.njit(nogil=True, boundscheck=False)
def level(planes, more, width, to):
    """Store more - 1 - the support's sum as `width` planes, which twice a neuron's sum brings up to 0 where it fires."""
    carry = every(np.int64(0))
    for k in range(width):
        carry, value = full(
            differ(load(planes, SUPPORT_AT + 8 * k), every(np.int64(-1))), every(-((more >> k) & 1)), carry
        )
        store(planes, to + 8 * k, value)


@nb.njit(nogil=True, boundscheck=False)
def by_fours(
    fours, first, end, silent, tick, period, frames, rows, index, planes, ring, here, valid, neuron_spikes
):
    """Fire the neurons of fours[first:end], of one support, into the slot `here`; rows are the support's inputs."""
    none, all_ones = every(np.int64(0)), every(np.int64(-1))
    held0 = held1 = held2 = held3 = np.int64(1) << 40
    l0, l1, l2, l3 = LEVELS_AT, LEVELS_AT + STRIDE, LEVELS_AT + 2 * STRIDE, LEVELS_AT + 3 * STRIDE
    at = CLASSES_AT
    for q in range(first, end):
        for k in range(20, 24):
            soon_written(ring, here + 8 * np.int64(fours[q, k]))
            soon_written(neuron_spikes, np.int64(fours[q, k]))
        width = np.int64(fours[q, 18])
        b0, b1, b2, b3 = (
            np.int64(fours[q, 24]), np.int64(fours[q, 25]), np.int64(fours[q, 26]), np.int64(fours[q, 27])
        )  # fmt: skip
        if silent:
            s0, s1, s2, s3 = every(~(b0 >> 63)), every(~(b1 >> 63)), every(~(b2 >> 63)), every(~(b3 >> 63))
        else:
            if b0 != held0:
                held0 = b0
                level(planes, b0 + 1, width, l0)
            if b1 != held1:
                held1 = b1
                level(planes, b1 + 1, width, l1)
            if b2 != held2:
                held2 = b2
                level(planes, b2 + 1, width, l2)
            if b3 != held3:
                held3 = b3
                level(planes, b3 + 1, width, l3)
            _classes(rows, index, fours, q, planes)
            most = min(SIZES[fours[q, 17]][1], width - 2)
            c0 = c1 = c2 = c3 = c4 = c5 = c6 = c7 = y0 = y1 = y2 = y3 = none
            for k in range(0, 8 * most, 8):
                y3 = majority(load(planes, at + k), load(planes, l3 + 8 + k), y3)
                q1, q2, q3 = (
                    load(planes, at + 2 * STRIDE + k), load(planes, at + 3 * STRIDE + k), load(planes, at + 4 * STRIDE + k)
                )  # fmt: skip
                q4, q5 = load(planes, at + 5 * STRIDE + k), load(planes, at + 6 * STRIDE + k)
                q6, q7 = load(planes, at + 7 * STRIDE + k), load(planes, at + 8 * STRIDE + k)
                c0, s = full(q4, q5, c0)
                c1, t = full(q6, q7, c1)
                c2, s = full(s, t, c2)
                y2 = majority(s, load(planes, l2 + 8 + k), y2)
                c3, r1 = full(q1, q5, c3)
                c4, r2 = full(q2, q6, c4)
                c5, r3 = full(q3, q7, c5)
                c6, s = full(r2, r3, c6)
                y1 = majority(s, load(planes, l1 + 8 + k), y1)
                c7, s = full(r1, r3, c7)
                y0 = majority(s, load(planes, l0 + 8 + k), y0)
            for k in range(8 * (most + 1), 8 * (width - 1), 8):
                y0, y1 = both(load(planes, l0 + k), y0), both(load(planes, l1 + k), y1)
                y2, y3 = both(load(planes, l2 + k), y2), both(load(planes, l3 + k), y3)
            k = 8 * (width - 1)
            s0 = differ(differ(load(planes, l0 + k), y0), all_ones)
            s1 = differ(differ(load(planes, l1 + k), y1), all_ones)
            s2 = differ(differ(load(planes, l2 + k), y2), all_ones)
            s3 = differ(differ(load(planes, l3 + k), y3), all_ones)
        m0, m1, m2, m3 = (
            np.int64(fours[q, 20]), np.int64(fours[q, 21]), np.int64(fours[q, 22]), np.int64(fours[q, 23])
        )  # fmt: skip
        store(ring, here + 8 * m0, s0)
        store(ring, here + 8 * m1, s1)
        store(ring, here + 8 * m2, s2)
        store(ring, here + 8 * m3, s3)
        frame = (tick - fours[q, 19]) // period
        if 0 <= frame < frames and tick >= fours[q, 19]:
            there = load(valid, 8 * frame)
            neuron_spikes[m0] += ones_in(both(s0, there))
            neuron_spikes[m1] += ones_in(both(s1, there))
            neuron_spikes[m2] += ones_in(both(s2, there))
            neuron_spikes[m3] += ones_in(both(s3, there))
