"""Machine code for what a neuron's sum is compared with, where it is taken against the sum of all that it hears."""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, TID253
from __future__ import annotations

import numba as nb
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spikebnn.simulate.lists import SUPPORT_AT
from spikebnn.simulate.rows import I64, ROW, WORDS, add_of, nothing_or_all

MOST = (5, 8, 12, 16)  # planes of the sum of one list


@intrinsic
def level(typing, planes, bound, most, deep, to):
    """Store `bound` less the support's sum, as twice a neuron's sum is added to it, to tell whether that is 0 or more.

    From plane 1 on, `most` planes, one of MOST; then where all others but the sign are set; then the sign, inverted. The
    number has `deep` planes, at least most + 2, as `depth` says; the planes at SUPPORT_AT are those of the sum, inverted.
    """

    def make(context, builder, signature, args):
        b = builder
        data = context.make_array(signature.args[0])(context, b, args[0]).data
        constant = nothing_or_all(b)

        def number(value):
            return ir.Constant(I64, value)

        def plane(address):
            value = b.load(b.bitcast(address, ROW.as_pointer()))
            value.align = 64
            return value

        def at(k):
            """Plane k of the inverted sum, and bit k of bound + 1 in every lane."""
            return plane(b.gep(data, [b.add(number(SUPPORT_AT), b.mul(k, number(WORDS)))])), constant(one_more, k)

        def write(value, place):
            word = b.gep(data, [b.add(args[4], number(WORDS * place))])
            b.store(value, b.bitcast(word, ROW.as_pointer())).align = 64

        one_more = b.add(args[1], number(1))
        every_one = ir.Constant(ROW, [-1] * WORDS)
        for planes in MOST:
            with b.if_then(b.icmp_signed("==", args[2], number(planes))):
                carry = None
                for k in range(planes + 1):
                    carry, value = add_of(b, *at(number(k)), carry)
                    if k:
                        write(value, k - 1)
                held, rest = cgutils.alloca_once_value(b, carry), cgutils.alloca_once_value(b, every_one)
                b.store(carry, held)
                b.store(every_one, rest)
                with cgutils.for_range_slice(b, number(planes + 1), b.sub(args[3], number(1)), number(1)) as (
                    k,
                    _,
                ):
                    carry, value = add_of(b, *at(k), b.load(held))
                    b.store(carry, held)
                    b.store(b.and_(b.load(rest), value), rest)
                _, value = add_of(b, *at(b.sub(args[3], number(1))), b.load(held))
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
