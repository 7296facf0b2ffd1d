"""Machine code that follows events: one frame after the other, 512 neurons side by side, only active inputs add their row.

Numba's cache notices a change of the file that a kernel stands in, and of no other: touch this one after a change of rows.py.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, TID253
from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spikebnn.simulate.pack import bit_of
from spikebnn.simulate.rows import (
    COMPRESS,
    I16,
    I32,
    I64,
    ROW,
    WORDS,
    add_where,
    count_here,
    count_there,
    differ,
    every,
    full,
    load,
    lowest,
    ones,
    spread,
    store,
    store_anywhere,
)

LONGEST = 4092  # rows that the adders count at once


@intrinsic
def squeeze(typing, number, first, mask, active, many):
    """active[many :] = those of number[first : first + 32] that the mask has set, and behind them what means nothing."""

    def make(context, builder, signature, args):
        source, target = (
            context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 3)
        )
        lanes, bits = ir.VectorType(I16, 32), ir.VectorType(ir.IntType(1), 32)
        value = builder.load(builder.bitcast(builder.gep(source, [args[1]]), lanes.as_pointer()))
        value.align = 64
        kind, name = ir.FunctionType(lanes, [lanes, lanes, bits]), "llvm.x86.avx512.mask.compress.v32i16"
        call = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        where = builder.bitcast(builder.trunc(args[2], I32), bits)
        found = builder.call(call, [value, ir.Constant(lanes, ir.Undefined), where])
        done = builder.store(found, builder.bitcast(builder.gep(target, [args[4]]), lanes.as_pointer()))
        done.align = 2
        return context.get_dummy_value()

    return types.void(number, types.int64, types.uint64, active, types.int64), make


@intrinsic
def common(typing, a, at, b, to, many):
    """How many bits two runs of `many` words share; both aligned, many a multiple of 8."""

    def make(context, builder, signature, args):
        left, right = (context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 2))
        total = cgutils.alloca_once_value(builder, ir.Constant(ROW, [0] * WORDS))
        place = cgutils.alloca_once_value(builder, ir.Constant(I64, 0))
        builder.store(ir.Constant(ROW, [0] * WORDS), total)
        builder.store(ir.Constant(I64, 0), place)
        test, body, after = (
            builder.append_basic_block(name) for name in ("common.test", "common.body", "common.after")
        )
        builder.branch(test)
        builder.position_at_end(test)
        k = builder.load(place)
        builder.cbranch(builder.icmp_signed("<", k, args[4]), body, after)
        builder.position_at_end(body)
        pair = []
        for data, first in ((left, args[1]), (right, args[3])):
            value = builder.load(
                builder.bitcast(builder.gep(data, [builder.add(first, k)]), ROW.as_pointer())
            )
            value.align = 64
            pair.append(value)
        kind = ir.FunctionType(ROW, [ROW])
        name = "llvm.ctpop.v8i64"
        count = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        found = builder.call(count, [builder.and_(*pair)])
        builder.store(builder.add(builder.load(total), found), total)
        builder.store(builder.add(k, ir.Constant(I64, WORDS)), place)
        builder.branch(test)
        builder.position_at_end(after)
        kind = ir.FunctionType(I64, [ROW])
        name = "llvm.vector.reduce.add.v8i64"
        reduce = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        return builder.call(reduce, [builder.load(total)])

    return types.int64(a, types.int64, b, types.int64, types.int64), make


@nb.njit(nogil=True, boundscheck=False)
def _pack(eights, signals):
    """0/1 bytes, by eights, as bits from signal 0 on."""
    whole = len(eights) >> 3
    for w in range(whole):
        signals[w] = bit_of(eights[8 * w :], np.uint8(1))
    if len(eights) & 7:
        gather, value = np.uint64(0x0102040810204080), np.uint64(0)  # moves bit 0 of byte k to bit 56 + k
        for k in range(len(eights) & 7):
            value |= ((eights[8 * whole + k] * gather) >> np.uint64(56)) << np.uint64(8 * k)
        signals[whole] = value


@nb.njit(nogil=True, boundscheck=False)
def _list(signals, word, mask, first, end, number, zero, active):
    """The active inputs of a job as numbers of rows, and padding to a multiple of four behind them; how many."""
    many = 0
    for e in range(first, end):
        value = signals[word[e, 0]] & mask[e]
        base = word[e, 1]
        if COMPRESS:
            squeeze(number, base, value, active, many)
            some = ones(value & np.uint64(0xFFFFFFFF))
            squeeze(number, base + 32, value >> np.uint64(32), active, many + some)
            many += ones(value)
        else:
            while value != 0:
                active[many] = number[base + np.int64(lowest(value))]
                value &= value - np.uint64(1)
                many += 1
    for k in range(4):
        active[many + k] = zero
    return many


@nb.njit(nogil=True, boundscheck=False)
def _read(planes, to, width, numbers, lane):
    """The signed sums of 16 lanes around `lane`, from `width` planes, into numbers."""
    total = every(np.int64(0))
    word, by = to + (lane >> 6), np.uint64(lane & 48)
    for k in range(width):
        value = -(1 << k) if k == width - 1 else 1 << k
        total = add_where(total, np.int32(value), (planes[word + 8 * k] >> by) & np.uint64(0xFFFF))
    store_anywhere(numbers, lane & 496, total)


def _follow(
    bits, signals, planes, active, numbers, job, word, mask, number, joins, joined, segments, weights, levels,
    low, groups, tallies, wakes, runs, masks, reads, membrane, steady,
    spike_counts, axon_counts, synapse_counts, update_counts, sums,
):  # fmt: skip
    """Frames bits[f] through all jobs; signals[f] keeps every neuron's spike. Returns the rows that were added."""
    added = np.int64(0)
    for f in range(len(bits)):
        here = signals[f]
        _pack(bits[f], here)
        if steady >= 0:
            here[steady >> 6] |= np.uint64(1) << np.uint64(steady & 63)
        for j in range(len(job)):
            for g in range(job[j, 2], job[j, 3]):
                hit = np.uint64(0)
                for s in range(joins[g, 1], joins[g, 2]):
                    hit |= (here[joined[s] >> 6] >> np.uint64(joined[s] & 63)) & np.uint64(1)
                at = joins[g, 0]
                here[at >> 6] = (here[at >> 6] & ~(np.uint64(1) << np.uint64(at & 63))) | (
                    hit << np.uint64(at & 63)
                )
            first_word, last_word = job[j, 0], job[j, 1]
            out, blocks, width, whole = job[j, 6], job[j, 7], job[j, 9], job[j, 11]
            first_segment, last_segment = job[j, 4], job[j, 5]
            read = membrane and job[j, 16] < job[j, 17]
            if job[j, 19]:  # few neurons: each counts what it shares with the inputs
                arrived, wide = np.int64(0), np.int64(0)
                for e in range(job[j, 20], job[j, 21]):
                    arrived += common(here, runs[e, 0], masks, runs[e, 1], runs[e, 2])
                    wide += runs[e, 2]
                fired = np.uint64(0)
                for n in range(job[j, 18]):
                    total = low[job[j, 8] + n]
                    if whole:
                        total -= arrived
                    for s in range(first_segment, last_segment):
                        shared, at = np.int64(0), segments[s, 0] + n * wide
                        for e in range(job[j, 20], job[j, 21]):
                            shared += common(here, runs[e, 0], weights, at, runs[e, 2])
                            at += runs[e, 2]
                        total += segments[s, 2] * (shared << segments[s, 1])
                    fired |= np.uint64(total >= 0) << np.uint64(n)
                    numbers[n] = total
                here[out] = fired
                if read:
                    for r in range(job[j, 16], job[j, 17]):
                        sums[f, reads[r, 1]] += numbers[reads[r, 0]] + reads[r, 2]
            else:
                arrived = _list(here, word, mask, first_word, last_word, number, job[j, 10], active)
                added += arrived * blocks * (last_segment - first_segment)
                for b in range(blocks):
                    level = job[j, 8] + 8 * width * b
                    own = 8 * b * (job[j, 10] + 1)
                    if (
                        whole and arrived <= LONGEST
                    ):  # twice those weighed +1, less all that arrived, less the level
                        got = count_here(
                            weights[segments[first_segment, 0] + own :],
                            active,
                            0,
                            (arrived + 3) & -4,
                            planes,
                            0,
                        )
                        less = -arrived
                        one, two, value = every(np.int64(0)), every(np.int64(0)), every(np.int64(0))
                        more = every(np.int64(0))
                        for k in range(width):
                            one, value = full(load(levels, level + 8 * k), more, one)
                            two, value = full(value, every(-((less >> k) & 1)), two)
                            more = load(planes, 8 * k) if k < got else every(np.int64(0))
                            if read:
                                store(planes, 512 + 8 * k, value)
                        sign = value
                    else:
                        for k in range(width):
                            store(planes, 512 + 8 * k, load(levels, level + 8 * k))
                        for s in range(first_segment, last_segment):
                            for part in range(0, arrived, LONGEST):
                                some = min(LONGEST, arrived - part)
                                got = count_here(
                                    weights[segments[s, 0] + own :], active, part, (some + 3) & -4, planes, 0
                                )
                                flip = every(np.int64(-1 if segments[s, 2] < 0 else 0))
                                carry, shift = flip, segments[s, 1]
                                for k in range(shift, width):
                                    more = (
                                        load(planes, 8 * (k - shift))
                                        if k - shift < got
                                        else every(np.int64(0))
                                    )
                                    carry, value = full(load(planes, 512 + 8 * k), differ(more, flip), carry)
                                    store(planes, 512 + 8 * k, value)
                        if whole:
                            less, carry = -arrived, every(np.int64(0))
                            for k in range(width):
                                carry, value = full(
                                    load(planes, 512 + 8 * k), every(-((less >> k) & 1)), carry
                                )
                                store(planes, 512 + 8 * k, value)
                        sign = load(planes, 512 + 8 * (width - 1))
                    store(here, out + 8 * b, differ(sign, every(np.int64(-1))))
                    if read:
                        last = np.int64(-1)
                        for r in range(job[j, 16], job[j, 17]):
                            lane = reads[r, 0] - 512 * b
                            if 0 <= lane < 512:
                                if lane >> 4 != last:
                                    _read(planes, 512, width, numbers, lane)
                                    last = lane >> 4
                                sums[f, reads[r, 1]] += numbers[lane] + reads[r, 2]
            if not membrane:
                for r in range(job[j, 16], job[j, 17]):
                    lane = reads[r, 0]
                    sums[f, reads[r, 1]] += np.int64(
                        (here[out + (lane >> 6)] >> np.uint64(lane & 63)) & np.uint64(1)
                    )
            for t in range(job[j, 14], job[j, 15]):
                total = np.int64(0)
                for e in range(tallies[t, 0], tallies[t, 1]):
                    total += common(here, runs[e, 0], masks, runs[e, 1], runs[e, 2])
                spike_counts[f, tallies[t, 2]] += total
            for g in range(job[j, 12], job[j, 13]):
                total = arrived
                if groups[g, 0] >= 0:
                    total = np.int64(0)
                    for e in range(groups[g, 0], groups[g, 1]):
                        total += common(here, runs[e, 0], masks, runs[e, 1], runs[e, 2])
                axon_counts[f, groups[g, 2]] += groups[g, 3] * total
                synapse_counts[f, groups[g, 2]] += groups[g, 4] * total
            for g in range(job[j, 22], job[j, 23] if arrived else job[j, 22]):
                found = arrived > wakes[g, 4]
                for e in range(wakes[g, 0], wakes[g, 1]):
                    if found:
                        break
                    found = common(here, runs[e, 0], masks, runs[e, 1], runs[e, 2]) > 0
                if found:
                    update_counts[f, wakes[g, 2]] += wakes[g, 3]
    return added


def _sum_spikes(signals, frames, stride, index, planes, numbers, first, end, totals):
    """Add every neuron's spikes of the first frames, at most 4092, to totals; signals is flat, its last row is 0."""
    for block in range(first, end):
        for f in range(frames):
            index[f] = f * stride + block
        for k in range(frames, (frames + 3) & -4):
            index[k] = len(signals) // 8 - 1
        got = count_there(signals, index, 0, (frames + 3) & -4, planes, 0)
        spread(planes, 0, got, False, numbers)
        to = totals[512 * (block - first) :]
        for lane in range(512):
            to[lane] += numbers[lane]


def compiled() -> tuple[Any, Any]:
    """The kernels (follow, sum_spikes), from Numba's cache on disk where there is a place for one."""
    try:
        return tuple(
            nb.njit(nogil=True, boundscheck=False, cache=True)(kernel) for kernel in (_follow, _sum_spikes)
        )
    except RuntimeError:  # no writable place for the cache
        return tuple(nb.njit(nogil=True, boundscheck=False)(kernel) for kernel in (_follow, _sum_spikes))
