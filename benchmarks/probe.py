"""What the machine can do at most in and + popcount, measured beside the simulators: the roofline of one core.

One bit of each of two rows is a synapse that is asked: 512 of them take an and, a population count and an addition, all
of them in registers. Carry-save adders may go beyond this line, as they need no population count; so does whoever skips
the synapses of silent inputs. Without Numba there is no probe.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

SYNAPSES = 8 * 512  # asked in one pass of the loop


@lru_cache(maxsize=1)
def compiled() -> Callable[[int, Any], int]:
    """The loop: eight sums in registers, so that one need not wait for the other; the inputs change in every pass."""
    import numba as nb
    import numpy as np
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    words, lanes = ir.VectorType(ir.IntType(64), 8), 8

    @intrinsic
    def run(typing, passes, seeds):
        def make(context, b, signature, args):
            data = context.make_array(signature.args[1])(context, b, args[1]).data
            row = b.bitcast(data, words.as_pointer())
            loaded = []
            for k in range(lanes + 1):
                one = b.load(b.gep(row, [ir.Constant(ir.IntType(64), k)]))
                one.align = 8
                loaded.append(one)
            name = "llvm.ctpop.v8i64"
            many = b.module.globals.get(name) or ir.Function(b.module, ir.FunctionType(words, [words]), name)
            start, body, end = b.block, b.append_basic_block("body"), b.append_basic_block("end")
            zero = ir.Constant(words, [0] * 8)
            b.branch(body)
            b.position_at_end(body)
            at = b.phi(ir.IntType(64))
            at.add_incoming(ir.Constant(ir.IntType(64), 0), start)
            moving = b.phi(words)
            moving.add_incoming(loaded[lanes], start)
            sums = [b.phi(words) for _ in range(lanes)]
            for total in sums:
                total.add_incoming(zero, start)
            after = [b.add(total, b.call(many, [b.and_(moving, loaded[k])])) for k, total in enumerate(sums)]
            later = b.add(at, ir.Constant(ir.IntType(64), 1))
            step = b.add(moving, ir.Constant(words, [0x9E3779B97F4A7C15] * 8))
            for total, new in zip(sums, after):
                total.add_incoming(new, body)
            at.add_incoming(later, body)
            moving.add_incoming(step, body)
            b.cbranch(b.icmp_signed("<", later, args[0]), body, end)
            b.position_at_end(end)
            whole = after[0]
            for total in after[1:]:
                whole = b.add(whole, total)
            answer = b.extract_element(whole, ir.Constant(ir.IntType(32), 0))
            for k in range(1, 8):
                answer = b.add(answer, b.extract_element(whole, ir.Constant(ir.IntType(32), k)))
            return answer

        return types.int64(types.int64, seeds), make

    @nb.njit(nogil=True)
    def loop(passes, seeds):
        return run(passes, seeds)

    made: Callable[[int, Any], int] = loop
    made(1, np.zeros(72, np.uint64))
    return made


def seeds() -> Any:
    """Nine rows of 512 random bits."""
    import numpy as np

    return np.random.default_rng(0).integers(0, 2**63, 72).astype(np.uint64)


def expected(passes: int) -> int:
    """The same count in plain Python, for a check."""
    rows = seeds().reshape(9, 8)
    total = 0
    for number in range(passes):
        for word in range(8):
            moving = (int(rows[8, word]) + number * 0x9E3779B97F4A7C15) % 2**64
            total += sum((moving & int(rows[k, word])).bit_count() for k in range(8))
    return total


def synapses_a_second(passes: int = 2_000_000) -> float:
    """Synapses asked per CPU second by one core, now."""
    work, given = compiled(), seeds()
    began = time.process_time()
    work(passes, given)
    return passes * SYNAPSES / (time.process_time() - began)
