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

from spikebnn.simulate.addresses import flags_at, int32_at, numbers_at, rows_at, uint16_at, words_at
from spikebnn.simulate.lists import LONGEST
from spikebnn.simulate.pack import bit_of
from spikebnn.simulate.rows import (
    COMPRESS,
    I16,
    I32,
    I64,
    ROW,
    WORDS,
    add_where,
    count_sixteens,
    count_there,
    differ,
    every,
    full,
    last_plane,
    load,
    lowest,
    ones,
    put,
    spread,
    store,
    store_anywhere,
)

PADDING = 16  # lists are a multiple of it


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
def squeeze_places(typing, first, mask, active, many):
    """active[many :] = 8 * (first + k) for each bit k that the mask has set, and behind them what means nothing."""

    def make(context, builder, signature, args):
        b = builder
        target = context.make_array(signature.args[2])(context, b, args[2]).data
        bytes64, bits, words = (
            ir.VectorType(ir.IntType(8), 64),
            ir.VectorType(ir.IntType(1), 64),
            ir.VectorType(I16, 32),
        )
        kind, name = ir.FunctionType(bytes64, [bytes64, bytes64, bits]), "llvm.x86.avx512.mask.compress.v64i8"
        call = b.module.globals.get(name) or ir.Function(b.module, kind, name)
        every_place = ir.Constant(bytes64, list(range(64)))
        found = b.call(call, [every_place, ir.Constant(bytes64, ir.Undefined), b.bitcast(args[1], bits)])
        least = b.trunc(b.mul(args[0], ir.Constant(I64, WORDS)), I16)
        one = b.insert_element(ir.Constant(words, ir.Undefined), least, ir.Constant(I32, 0))
        base = b.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, 32), [0] * 32))

        def write(half):
            picks = ir.Constant(ir.VectorType(I32, 32), list(range(32 * half, 32 * half + 32)))
            value = b.zext(b.shuffle_vector(found, found, picks), words)
            value = b.add(b.mul(value, ir.Constant(words, [WORDS] * 32)), base)
            where = b.gep(target, [b.add(args[3], ir.Constant(I64, 32 * half))])
            b.store(value, b.bitcast(where, words.as_pointer())).align = 2

        write(0)
        with b.if_then(b.icmp_unsigned(">", b.ctpop(args[1]), ir.Constant(I64, 32))):
            write(1)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64, active, types.int64), make


@intrinsic
def add_bits(typing, numbers, first, word, more):
    """The 64 bits of a word as int64 from numbers[first] on; added to what stands there if `more`."""

    def make(context, builder, signature, args):
        b = builder
        data = context.make_array(signature.args[0])(context, b, args[0]).data
        for k in range(8):
            byte = b.trunc(b.lshr(args[2], ir.Constant(I64, 8 * k)), ir.IntType(8))
            value = b.zext(b.bitcast(byte, ir.VectorType(ir.IntType(1), 8)), ROW)
            place = b.bitcast(b.gep(data, [b.add(args[1], ir.Constant(I64, 8 * k))]), ROW.as_pointer())
            put(b, value, place, args[3], 8)
        return context.get_dummy_value()

    return types.void(numbers, types.int64, types.uint64, types.boolean), make


def _shared(b, left, first, right, starts, many):
    """For each of `starts`, a row of word counts: the bits that `many` words from there on share with those from `first`."""
    totals = [cgutils.alloca_once_value(b, ir.Constant(ROW, [0] * WORDS)) for _ in starts]
    for total in totals:
        b.store(ir.Constant(ROW, [0] * WORDS), total)

    def read(data, word):
        value = b.load(b.bitcast(b.gep(data, [word]), ROW.as_pointer()))
        value.align = 64
        return value

    name = "llvm.ctpop.v8i64"
    count = b.module.globals.get(name) or ir.Function(b.module, ir.FunctionType(ROW, [ROW]), name)
    with cgutils.for_range_slice(b, ir.Constant(I64, 0), many, ir.Constant(I64, WORDS)) as (k, _):
        own = read(left, b.add(first, k))
        for total, start in zip(totals, starts):
            both = b.and_(own, read(right, b.add(start, k)))
            b.store(b.add(b.load(total), b.call(count, [both])), total)
    return [b.load(total) for total in totals]


@intrinsic
def common(typing, a, at, b, to, many):
    """How many bits two runs of `many` words share; both aligned, many a multiple of 8."""

    def make(context, builder, signature, args):
        left, right = (context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 2))
        found = _shared(builder, left, args[1], right, [args[3]], args[4])
        kind, name = ir.FunctionType(I64, [ROW]), "llvm.vector.reduce.add.v8i64"
        reduce = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        return builder.call(reduce, found)

    return types.int64(a, types.int64, b, types.int64, types.int64), make


@intrinsic
def common_eight(typing, a, at, b, to, stride, many, out):
    """Add to out[n], n < 8, how many bits `many` words of a from `at` on share with those of b from to + n * stride on."""

    def make(context, builder, signature, args):
        left, right, target = (
            context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 2, 6)
        )
        starts = [builder.add(args[3], builder.mul(args[4], ir.Constant(I64, n))) for n in range(8)]
        found = _shared(builder, left, args[1], right, starts, args[5])
        even, odd = (ir.Constant(ir.VectorType(I32, 8), list(range(k, 16, 2))) for k in (0, 1))
        while len(found) > 1:  # neighbours are added, those of two rows side by side
            found = [
                builder.add(builder.shuffle_vector(x, y, even), builder.shuffle_vector(x, y, odd))
                for x, y in zip(found[::2], found[1::2])
            ]
        place = builder.bitcast(target, ROW.as_pointer())
        old = builder.load(place)
        old.align = 64
        builder.store(builder.add(old, found[0]), place).align = 64
        return context.get_dummy_value()

    return types.void(a, types.int64, b, types.int64, types.int64, types.int64, out), make


@nb.njit(nogil=True, boundscheck=False)
def _pack(bits, first, end, signals, words, steady):
    """Frames first to end of 0/1 bytes as bits from signal 0 on; whether there are other bytes among them."""
    flat, wide = bits.reshape(-1), bits.shape[bits.ndim - 1]
    whole, rest, other = wide >> 6, wide & 63, np.uint64(0)
    for f in range(first, end):
        here, at = f * words, f * wide
        for w in range(whole):
            signals[here + w] = bit_of(flat, at + 64 * w, np.uint8(1))
            other |= bit_of(flat, at + 64 * w, np.uint8(254))
        if rest and whole:  # 64 bytes that end with the frame
            last = np.uint64(64 - rest)
            signals[here + whole] = bit_of(flat, at + wide - 64, np.uint8(1)) >> last
            other |= bit_of(flat, at + wide - 64, np.uint8(254))
        elif rest:
            value = np.uint64(0)
            for k in range(wide):
                value |= np.uint64(flat[at + k] & 1) << np.uint64(k)
                other |= np.uint64(flat[at + k] & 254)
            signals[here] = value
        if steady >= 0:
            signals[here + (steady >> 6)] |= np.uint64(1) << np.uint64(steady & 63)
    return other != 0


@nb.njit(nogil=True, boundscheck=False)
def _join(first, end, signals, words, joins, joined, one, last):
    """Signals that are on where one of several is."""
    for f in range(first, end if one < last else first):
        here = f * words
        for g in range(one, last):
            hit = np.uint64(0)
            for s in range(joins[g, 1], joins[g, 2]):
                hit |= (signals[here + (joined[s] >> 6)] >> np.uint64(joined[s] & 63)) & np.uint64(1)
            at = joins[g, 0]
            old = signals[here + (at >> 6)] & ~(np.uint64(1) << np.uint64(at & 63))
            signals[here + (at >> 6)] = old | (hit << np.uint64(at & 63))


@nb.njit(nogil=True, boundscheck=False)
def _list(
    first, end, signals, words, word, mask, one, last, number, zero, ones_too, direct, active, span, many
):
    """The active inputs of a job as words of their rows, a list for each frame, and padding; many: how many.

    Where all weights are -1 and 1, every second row of the padding is of ones, which leaves twice the sum less the number.
    """
    for f in range(first, end):
        here, begin = f * words, (f - first) * span
        at = begin
        for e in range(one, last):
            value = signals[here + word[e, 0]] & mask[e]
            base = word[e, 1]
            if COMPRESS and direct:
                squeeze_places(base, value, active, at)
                at += ones(value)
            elif COMPRESS:
                squeeze(number, base, value, active, at)
                some = ones(value & np.uint64(0xFFFFFFFF))
                squeeze(number, base + 32, value >> np.uint64(32), active, at + some)
                at += ones(value)
            else:
                while value != 0:
                    place = base + np.int64(lowest(value))
                    active[at] = 8 * place if direct else number[place]
                    value &= value - np.uint64(1)
                    at += 1
        many[0, f - first] = at - begin
        short = (begin - at) & (PADDING - 1) & -ones_too
        many[1, f - first] = at - begin + (short & -2)
        for k in range(short >> 1):
            active[at + k] = 8 * (zero + 1)
        for k in range(short >> 1, PADDING):
            active[at + k] = 8 * zero


@nb.njit(nogil=True, boundscheck=False)
def _read(planes, to, width, numbers, lane):
    """The signed sums of 16 lanes around `lane`, from `width` planes, into numbers."""
    total = every(np.int64(0))
    word, by = to + (lane >> 6), np.uint64(lane & 48)
    for k in range(width):
        value = -(1 << k) if k == width - 1 else 1 << k
        total = add_where(total, np.int32(value), (planes[word + 8 * k] >> by) & np.uint64(0xFFFF))
    store_anywhere(numbers, lane & 496, total)


@nb.njit(nogil=True, boundscheck=False)
def _few(
    first, end, signals, words, j, job, segments, weights, low, runs, masks, planes, numbers, many, reads, sums, read
):  # fmt: skip
    """A job of few neurons: each counts what it shares with the inputs; many: how many inputs are active."""
    out, neurons = job[j, 6], job[j, 18]
    for f in range(first, end):
        here = f * words
        arrived, wide = np.int64(0), np.int64(0)
        for e in range(job[j, 20], job[j, 21]):
            arrived += common(signals, here + runs[e, 0], masks, runs[e, 1], runs[e, 2])
            wide += runs[e, 2]
        for n in range(neurons):
            numbers[n] = low[job[j, 8] + n] - (arrived if job[j, 11] else 0)
        for s in range(job[j, 4], job[j, 5]):
            for n in range(0, neurons, 8):
                store(planes, 0, every(np.int64(0)))
                at = segments[s, 0] + n * wide
                for e in range(job[j, 20], job[j, 21]):
                    common_eight(signals, here + runs[e, 0], weights, at, wide, runs[e, 2], planes)
                    at += runs[e, 2]
                for k in range(min(8, neurons - n)):
                    numbers[n + k] += segments[s, 2] * (np.int64(planes[k]) << segments[s, 1])
        fired = np.uint64(0)
        for n in range(neurons):
            fired |= np.uint64(numbers[n] >= 0) << np.uint64(n)
        signals[here + out] = fired
        many[0, f - first] = arrived
        if read:
            for r in range(job[j, 16], job[j, 17]):
                sums[f, reads[r, 1]] += numbers[reads[r, 0]] + reads[r, 2]


@nb.njit(nogil=True, boundscheck=False)
def _start(levels, level, width, even, thick, starts, at):
    """How far below 0 a block's sums begin if `even` inputs arrive: half of the threshold and of these, rounded up."""
    carry, value = every(np.int64(0)), every(np.int64(0))
    for k in range(thick + 1):
        own = load(levels, level + 8 * min(k, width - 1))
        carry, value = full(own, every(-((-even >> k) & 1)), carry)
        if k:
            store(starts, at + 8 * (k - 1), value)


@nb.njit(nogil=True, boundscheck=False)
def _fire(
    first, end, b, signals, words, j, job, many, active, span, segments, weights, levels, planes, numbers, reads, sums, read,
    starts, made,
):  # fmt: skip
    """Fire 512 neurons of a job, number 512 * b and on, in each frame."""
    none = every(np.int64(0))
    width, segment, whole, out = job[j, 9], job[j, 4], job[j, 11], job[j, 6] + 8 * b
    level, own = job[j, 8] + 8 * width * b, 8 * b * (job[j, 10] + 2)
    slot, slots, thick = job[j, 24] + b * job[j, 25], job[j, 25], job[j, 26]
    rows = weights[segments[segment, 0] + own :]
    for f in range(first, end):
        arrived, even, begin = many[0, f - first], many[1, f - first], (f - first) * span
        if slots and not read:
            number = (arrived + PADDING - 1) & -PADDING
            at = slot + 2 * (number // PADDING) + (even & 1)
            if not made[at]:
                _start(levels, level, width, even, thick, starts, 128 * at)
                made[at] = True
            sign = last_plane(rows, active, begin, number, thick, starts, 128 * at)
        elif whole and arrived <= LONGEST:  # twice those weighed +1, less all that arrived, less the level
            got = count_sixteens(rows, active, begin, (arrived + PADDING - 1) & -PADDING, planes, 0)
            less = -even
            one, two, value, more = none, none, none, none
            for k in range(width):
                one, value = full(load(levels, level + 8 * k), more, one)
                two, value = full(value, every(-((less >> k) & 1)), two)
                more = load(planes, 8 * k) if k < got else none
                if read:
                    store(planes, 512 + 8 * k, value)
            sign = value
        else:
            for k in range(width):
                store(planes, 512 + 8 * k, load(levels, level + 8 * k))
            for s in range(segment, job[j, 5]):
                for part in range(0, arrived, LONGEST):
                    some = (min(LONGEST, arrived - part) + PADDING - 1) & -PADDING
                    got = count_sixteens(
                        weights[segments[s, 0] + own :], active, begin + part, some, planes, 0
                    )
                    flip = every(np.int64(-1 if segments[s, 2] < 0 else 0))
                    carry, shift = flip, segments[s, 1]
                    for k in range(shift, width):
                        more = load(planes, 8 * (k - shift)) if k - shift < got else none
                        carry, value = full(load(planes, 512 + 8 * k), differ(more, flip), carry)
                        store(planes, 512 + 8 * k, value)
            if whole:
                less, carry = -even, none
                for k in range(width):
                    carry, value = full(load(planes, 512 + 8 * k), every(-((less >> k) & 1)), carry)
                    store(planes, 512 + 8 * k, value)
            sign = load(planes, 512 + 8 * (width - 1))
        store(signals, f * words + out, differ(sign, every(np.int64(-1))))
        last = np.int64(-1)
        for r in range(job[j, 16], job[j, 17] if read else job[j, 16]):
            lane = reads[r, 0] - 512 * b
            if 0 <= lane < 512:
                if lane >> 4 != last:
                    _read(planes, 512, width, numbers, lane)
                    last = lane >> 4
                sums[f, reads[r, 1]] += numbers[lane] + reads[r, 2]


@nb.njit(nogil=True, boundscheck=False)
def _count(
    first, end, signals, words, j, job, many, tallies, groups, wakes, runs, masks, spikes, axons, synapses, updates
):  # fmt: skip
    """Add what happened in a job to the counts of the frames."""
    for t in range(job[j, 14], job[j, 15]):
        one, last, core = tallies[t, 0], tallies[t, 1], tallies[t, 2]
        for f in range(first, end):
            total = np.int64(0)
            for e in range(one, last):
                total += common(signals, f * words + runs[e, 0], masks, runs[e, 1], runs[e, 2])
            spikes[f, core] += total
    for g in range(job[j, 12], job[j, 13]):
        one, last, core = groups[g, 0], groups[g, 1], groups[g, 2]
        for f in range(first, end):
            total = many[0, f - first]
            if one >= 0:
                total = np.int64(0)
                for e in range(one, last):
                    total += common(signals, f * words + runs[e, 0], masks, runs[e, 1], runs[e, 2])
            axons[f, core] += groups[g, 3] * total
            synapses[f, core] += groups[g, 4] * total
    for g in range(job[j, 22], job[j, 23]):
        one, last, core, enough = wakes[g, 0], wakes[g, 1], wakes[g, 2], wakes[g, 4]
        for f in range(first, end):
            arrived = many[0, f - first]
            found, e = arrived > enough, one
            while arrived and not found and e < last:
                found = common(signals, f * words + runs[e, 0], masks, runs[e, 1], runs[e, 2]) > 0
                e += 1
            if found:
                updates[f, core] += wakes[g, 3]


def _kept(kernel):
    """A kernel from Numba's cache on disk, where there is a place for one."""
    try:
        return nb.njit(nogil=True, boundscheck=False, cache=True)(kernel)
    except RuntimeError:
        return nb.njit(nogil=True, boundscheck=False)(kernel)


@_kept
def follow(bits, table, spike_counts, axon_counts, synapse_counts, update_counts, sums):
    """Frames (frames, 1, inputs) through all jobs; the signals keep every neuron's spike. Returns the rows that were added.

    That is -1 where a byte is neither 0 nor 1. Some frames at a time go through a job, so that its weights stay near;
    `active` has room for a list of each. The table is that of `spikebnn.simulate.follower`.
    """
    own = numbers_at(table, 0)
    words, at_once, span, membrane, steady = own[0], own[1], own[2], own[3] != 0, own[4]
    signals, planes, starts, mask, weights, levels, masks = (
        words_at(table, 1), words_at(table, 2), words_at(table, 3), words_at(table, 4), words_at(table, 5),
        words_at(table, 6), words_at(table, 7),
    )  # fmt: skip
    active, number, numbers, made = (
        uint16_at(table, 8),
        uint16_at(table, 9),
        int32_at(table, 10),
        flags_at(table, 11),
    )
    joined, low = numbers_at(table, 12), numbers_at(table, 13)
    many, job, word, joins, segments = (
        rows_at(table, 14, at_once), rows_at(table, 15, 28), rows_at(table, 16, 2), rows_at(table, 17, 3),
        rows_at(table, 18, 3),
    )  # fmt: skip
    groups, tallies, wakes, runs, reads = (
        rows_at(table, 19, 5), rows_at(table, 20, 3), rows_at(table, 21, 5), rows_at(table, 22, 3), rows_at(table, 23, 3),
    )  # fmt: skip
    added = np.int64(0)
    for first in range(0, len(bits), at_once):
        end = min(first + at_once, len(bits))
        if _pack(bits, first, end, signals, words, steady):
            return np.int64(-1)
        for j in range(len(job)):
            read = membrane and job[j, 16] < job[j, 17]
            _join(first, end, signals, words, joins, joined, job[j, 2], job[j, 3])
            if job[j, 19]:
                _few(
                    first, end, signals, words, j, job, segments, weights, low, runs, masks, planes, numbers, many,
                    reads, sums, read,
                )  # fmt: skip
            else:
                _list(
                    first, end, signals, words, word, mask, job[j, 0], job[j, 1], number, job[j, 10], job[j, 11],
                    job[j, 27], active, span, many,
                )  # fmt: skip
                for f in range(end - first):
                    added += many[0, f] * job[j, 7] * (job[j, 5] - job[j, 4])
                for b in range(job[j, 7]):
                    _fire(
                        first, end, b, signals, words, j, job, many, active, span, segments, weights, levels, planes, numbers,
                        reads, sums, read, starts, made,
                    )  # fmt: skip
            if not membrane and job[j, 16] < job[j, 17]:
                for f in range(first, end):
                    for r in range(job[j, 16], job[j, 17]):
                        lane = reads[r, 0]
                        fired = signals[f * words + job[j, 6] + (lane >> 6)] >> np.uint64(lane & 63)
                        sums[f, reads[r, 1]] += np.int64(fired & np.uint64(1))
            _count(
                first, end, signals, words, j, job, many, tallies, groups, wakes, runs, masks,
                spike_counts, axon_counts, synapse_counts, update_counts,
            )  # fmt: skip
    return added


@_kept
def sum_spikes(signals, frames, stride, index, planes, numbers, first, end, totals):
    """Add every neuron's spikes of the first frames, to totals; signals is flat, its last row is 0."""
    for block in range(first, end):
        for f in range(frames):
            index[f] = 8 * (f * stride + block)
        for k in range(frames, (frames + 3) & -4):
            index[k] = len(signals) - 8
        got = count_there(signals, index, 0, (frames + 3) & -4, planes, 0)
        spread(planes, 0, got, False, numbers)
        to = totals[512 * (block - first) :]
        for lane in range(512):
            to[lane] += numbers[lane]


@_kept
def alone(bits, table, counts, sums, neuron_spikes):
    """Frames (frames, 1, inputs) of which the signals keep all: four counts (4, frames, cores) are added to, and sums
    (frames, sums) and spikes (neurons,) are written. Whether all bytes are 0 or 1.
    """
    base, runs = numbers_at(table, 24), rows_at(table, 25, 3)
    sums[:] = base
    if follow(bits, table, counts[0], counts[1], counts[2], counts[3], sums) < 0:
        return False
    words, signals = numbers_at(table, 0)[0], words_at(table, 1)
    for f in range(len(bits)):
        for r in range(len(runs)):
            neuron, first, left = runs[r, 0], 64 * words * f + runs[r, 1], runs[r, 2]
            while left > 0:
                off = np.uint64(first & 63)
                value = signals[first >> 6] >> off
                if off:
                    value |= signals[(first >> 6) + 1] << (np.uint64(64) - off)
                if left >= 64:
                    add_bits(neuron_spikes, neuron, value, f > 0)
                else:
                    for k in range(left):
                        old = neuron_spikes[neuron + k] if f else 0
                        neuron_spikes[neuron + k] = old + np.int64((value >> np.uint64(k)) & np.uint64(1))
                neuron, first, left = neuron + 64, first + 64, left - 64
    return True


def compiled() -> tuple[Any, ...]:
    """The kernels of a `Follower`."""
    return follow, sum_spikes, alone
