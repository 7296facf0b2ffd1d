"""Machine code that sums four or five neurons at once: inputs are sorted by which of them weigh them +1 and which -1.

Two such classes that are each other's opposite are one leaf: the sum of one less that of the other belongs to all the
group's neurons, with a sign. Each input is so added once, and the leaves are summed by a tree, which leaves the neurons'
sums on its way. Leaves come in the order in which the tree wants them, two by two, the second summed onto the first.

Sums are never negative: where D belongs to a leaf, 2**(P - 1) - D is added, and 2**P - D for a pair, P being the planes
of a leaf. The constants cancel in what the neurons are compared by, but for the last one.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN202, TID253
from __future__ import annotations

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spikebnn.simulate.lists import GROUP_AT, LEAF_PLANES, MULTIPLE, STRIDE, Columns
from spikebnn.simulate.rows import (
    I64,
    ROW,
    WORDS,
    Sum,
    add_of,
    both,
    every,
    load,
    majority_of,
    nothing_or_all,
    ones_in,
    soon_written,
    store,
)

AT_ONCE = 16  # rows


def _decide(many):
    """What sums and compares `many` neurons; a neuron's spikes are stored at GROUP_AT + its number * STRIDE."""
    at_column = Columns(many)
    pairs = 1 << (many - 2)
    parts, total_at = GROUP_AT, GROUP_AT + STRIDE * (many - 1)  # sums of the leaves that weigh for a neuron; of all
    waiting, level_at = total_at + STRIDE, total_at + STRIDE * (many - 1)

    @intrinsic
    def decide(typing, rows, index, groups, group, planes):
        def make(context, builder, signature, args):
            b = builder
            data = [context.make_array(signature.args[k])(context, b, args[k]).data for k in (0, 1, 4)]
            array = context.make_array(signature.args[2])(context, b, args[2])
            table = b.gep(array.data, [b.mul(args[3], b.extract_value(array.shape, 1))])
            zero, every_one = (ir.Constant(ROW, [word] * WORDS) for word in (0, -1))
            constant = nothing_or_all(b)

            def number(value):
                return ir.Constant(I64, value)

            def entry(k):
                return b.sext(b.load(b.gep(table, [k])), I64)

            def at(word):
                return b.bitcast(b.gep(data[2], [number(word)]), ROW.as_pointer())

            def write(value, word):
                b.store(value, at(word)).align = 64

            def read(word):
                value = b.load(at(word))
                value.align = 64
                return value

            def add_to(place, value, wide, fresh):
                """Add planes to those that stand at a place, `wide` of them; or put them there, `fresh`."""
                with b.if_else(fresh) as (put, add):
                    with put:
                        for k in range(wide):
                            write(value[k] if k < len(value) else zero, place + WORDS * k)
                    with add:
                        carry = None
                        for k in range(wide):
                            mine = value[k] if k < len(value) else None
                            carry, new = add_of(b, read(place + WORDS * k), mine, carry)
                            write(new, place + WORDS * k)

            def body(deep):
                wide = deep + many - 1  # planes of the sum of all leaves
                made = Sum(b, data[0], data[1], None, deep + 1)
                place = cgutils.alloca_once_value(b, entry(number(0)))
                b.store(entry(number(0)), place)

                def turn_over(some):
                    for p in some:
                        b.store(b.xor(b.load(p), every_one), p)

                with cgutils.for_range(b, number(pairs)) as loop:
                    ends = [b.load(place)]
                    for k in range(4):
                        size = b.add(b.mul(loop.index, number(4)), number(at_column.number + k))
                        ends.append(b.add(ends[-1], entry(size)))
                    b.store(ends[4], place)
                    for p in made.p:
                        b.store(zero, p)
                    made.add(ends[0], ends[1], AT_ONCE, MULTIPLE[many])
                    turn_over(made.p[: deep - 1])
                    for p in made.p[deep - 1 :]:  # the highest plane, left as it is, adds 2**(deep - 1)
                        b.store(zero, p)
                    made.add(ends[1], ends[2], AT_ONCE, MULTIPLE[many])
                    leaf = [b.load(p) for p in made.p[:deep]]
                    other = [b.xor(plane, every_one) for plane in leaf]
                    fresh = b.icmp_signed("==", loop.index, number(0))
                    add_to(parts + STRIDE * (many - 2), other, wide - 1, fresh)
                    b.store(leaf[-1], made.p[deep])  # 2**(deep - 1) more
                    b.store(other[-1], made.p[deep - 1])
                    made.add(ends[2], ends[3], AT_ONCE, MULTIPLE[many])
                    turn_over(made.p)
                    made.add(ends[3], ends[4], AT_ONCE, MULTIPLE[many])

                    def climb(step, value):
                        """A sum of 2**step pairs goes where it belongs."""
                        if step == many - 2:
                            for k, plane in enumerate(value):
                                write(plane, total_at + WORDS * k)
                            return
                        mate = waiting + STRIDE * step
                        second = b.icmp_signed("!=", b.and_(loop.index, number(1 << step)), number(0))
                        with b.if_else(second) as (joins, waits):
                            with waits:
                                for k, plane in enumerate(value):
                                    write(plane, mate + WORDS * k)
                                fresh = b.icmp_signed("<", loop.index, number(2 << step))
                                add_to(parts + STRIDE * (many - 3 - step), value, wide - 1, fresh)
                            with joins:
                                carry, sums = None, []
                                for k, plane in enumerate(value):
                                    carry, new = add_of(b, read(mate + WORDS * k), plane, carry)
                                    sums.append(new)
                                climb(step + 1, [*sums, carry])

                    climb(0, [b.load(p) for p in made.p])

                def level(bound):
                    """The sum of all and a bound, as a signed number of two planes more."""
                    carry = None
                    for k in range(wide + 2):
                        own = read(total_at + WORDS * k) if k < wide else None
                        carry, new = add_of(b, own, constant(bound, number(k)), carry)
                        write(new, level_at + WORDS * k)

                def fires(neuron):
                    """Whether the level, less twice the neuron's part, is 0 or more."""
                    carry = read(level_at)
                    for k in range(1, wide):
                        part, here = read(parts + STRIDE * neuron + WORDS * (k - 1)), read(level_at + WORDS * k)
                        carry = majority_of(b, here, part, carry, inverted=True)
                    top, sign = read(level_at + WORDS * wide), read(level_at + WORDS * (wide + 1))
                    return b.xor(sign, b.or_(top, carry))

                bounds = [entry(number(at_column.bound + k)) for k in range(many)]
                for k in range(many - 1):
                    other = b.icmp_signed("!=", bounds[k], bounds[k - 1]) if k else ir.Constant(ir.IntType(1), 1)
                    with b.if_then(other):  # neighbours of one bound share its level
                        level(b.add(bounds[k], number(1)))
                    write(fires(k), parts + STRIDE * k)
                bound, carry = b.sub(number(-pairs * 2**deep - 1), bounds[many - 1]), None
                for k in range(wide):
                    carry, _ = add_of(b, read(total_at + WORDS * k), constant(bound, number(k)), carry)
                carry = b.and_(carry, constant(bound, number(wide)))
                write(b.xor(carry, constant(bound, number(wide + 1))), total_at)

            kind = entry(number(at_column.kind))
            for k, deep in enumerate(LEAF_PLANES[many]):
                with b.if_then(b.icmp_signed("==", kind, number(k))):
                    body(deep)
            return context.get_dummy_value()

        return types.void(rows, index, groups, types.int64, planes), make

    return decide


def _fire(many):
    decide, at = _decide(many), Columns(many)
    start_at, me_at, bound_at = at.start, at.me, at.bound

    @nb.njit(nogil=True, boundscheck=False)
    def fire(
        groups, first, end, silent, tick, period, frames, rows, index, planes, ring, here, valid, neuron_spikes
    ):  # fmt: skip
        """Fire the neurons of groups[first:end], of one support, into the slot `here`; rows are the support's inputs."""
        for q in range(first, end):
            for k in range(me_at, me_at + many):
                soon_written(ring, here + 8 * np.int64(groups[q, k]))
                soon_written(neuron_spikes, np.int64(groups[q, k]))
            if silent:
                for k in range(many):
                    store(planes, GROUP_AT + STRIDE * k, every(~(np.int64(groups[q, bound_at + k]) >> 63)))
            else:
                decide(rows, index, groups, q, planes)
            frame = (tick - groups[q, start_at]) // period
            counted = 0 <= frame < frames and tick >= groups[q, start_at]
            for k in range(many):
                me, spike = np.int64(groups[q, me_at + k]), load(planes, GROUP_AT + STRIDE * k)
                store(ring, here + 8 * me, spike)
                if counted:
                    neuron_spikes[me] += ones_in(both(spike, load(valid, 8 * frame)))

    return fire


by_fours, by_fives = _fire(4), _fire(5)
