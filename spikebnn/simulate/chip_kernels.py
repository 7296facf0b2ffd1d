"""Machine code that runs a whole chip tick by tick: one stream, 32 membranes of 16 bits side by side, by events.

Threads share a chip by cores. A spike is written into the writer's own ring of axon bits, which the reader joins with the
others', so one barrier a tick is all they need. Numba's cache notices a change of the file that a kernel stands in,
and of no other: touch this one after a change of rows.py.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, TID253
from __future__ import annotations

import os
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from spikebnn.simulate.rows import I16, I32, I64, ROW, every, load, lowest, ones, row, soon_read, store

LANES16 = ir.VectorType(I16, 32)
BITS32 = ir.VectorType(ir.IntType(1), 32)
AHEAD = 24  # spikes between the fetching of a place and its use
PATIENCE = 20_000  # looks at the gate, about 50 us, before another thread may have the processor
NEAR = 4  # cores between the fetching of a row and its use


def _as16(builder, value):
    return builder.bitcast(value, LANES16)


def _mask(builder, word):
    return builder.bitcast(builder.trunc(word, I32), BITS32)


@intrinsic
def widened(typing, array, index):
    """32 elements of an array, of 16 bits or of 8, which are widened; the first one is aligned to their size."""

    def make(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        narrow = signature.args[0].dtype == types.int8
        kind = ir.VectorType(ir.IntType(8), 32) if narrow else ROW
        value = builder.load(builder.bitcast(builder.gep(data, [args[1]]), kind.as_pointer()))
        value.align = 32 if narrow else 64
        return builder.bitcast(builder.sext(value, LANES16), ROW) if narrow else value

    return row(array, types.int64), make


@intrinsic
def add16(typing, a, b):
    def make(context, builder, signature, args):
        return builder.bitcast(builder.add(*(_as16(builder, v) for v in args)), ROW)

    return row(row, row), make


def _where(operation):
    """The operation in the lanes where the mask is set, else a."""

    @intrinsic
    def made(typing, a, b, mask):
        def make(context, builder, signature, args):
            a, b = _as16(builder, args[0]), _as16(builder, args[1])
            some = builder.select(_mask(builder, args[2]), b, ir.Constant(LANES16, [0] * 32))
            return builder.bitcast(getattr(builder, operation)(a, some), ROW)

        return row(row, row, types.uint64), make

    return made


add16_where, less16_where = _where("add"), _where("sub")


@intrinsic
def choose16(typing, mask, a, b):
    """The first where the mask is set, else the second."""

    def make(context, builder, signature, args):
        a, b = _as16(builder, args[1]), _as16(builder, args[2])
        return builder.bitcast(builder.select(_mask(builder, args[0]), a, b), ROW)

    return row(types.uint64, row, row), make


def _extreme(sign):
    @intrinsic
    def made(typing, a, b):
        def make(context, builder, signature, args):
            a, b = (_as16(builder, v) for v in args)
            return builder.bitcast(builder.select(builder.icmp_signed(sign, a, b), a, b), ROW)

        return row(row, row), make

    return made


most16, least16 = _extreme(">"), _extreme("<")


def _compare(sign):
    @intrinsic
    def made(typing, a, b):
        def make(context, builder, signature, args):
            found = builder.icmp_signed(sign, *(_as16(builder, v) for v in args))
            return builder.zext(builder.bitcast(found, I32), I64)

        return types.uint64(row, row), make

    return made


reaches, under = _compare(">="), _compare("<")


@intrinsic
def arrive_at(typing, gate):
    """Add one to gate[0] for all threads to see; the value before."""

    def make(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", data, ir.Constant(I64, 1), "acq_rel")

    return types.int64(gate), make


@intrinsic
def seen_at(typing, gate):
    """gate[0] as the other threads left it."""

    def make(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(data, "acquire", 8)

    return types.int64(gate), make


@intrinsic
def make_way(typing):
    """Let another thread have the processor, where the system has a call for it."""

    def make(context, builder, signature, args):
        if os.name == "posix":
            kind = ir.FunctionType(I32, [])
            builder.call(
                builder.module.globals.get("sched_yield") or ir.Function(builder.module, kind, "sched_yield"),
                [],
            )
        return context.get_dummy_value()

    return types.void(), make


@intrinsic
def pair(typing, array, index):
    """Two neighbours of a uint32 array as one word."""

    def make(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        value = builder.load(builder.bitcast(builder.gep(data, [args[1]]), I64.as_pointer()))
        value.align = 4
        return value

    return types.uint64(array, types.int64), make


@intrinsic
def splat16(typing, value):
    def make(context, builder, signature, args):
        first = builder.insert_element(
            ir.Constant(LANES16, ir.Undefined), builder.trunc(args[0], I16), ir.Constant(I32, 0)
        )
        every_one = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(I32, 32), [0] * 32))
        return builder.bitcast(every_one, ROW)

    return row(types.int64), make


@nb.njit(nogil=True, boundscheck=False)
def _lines(tick, slots, words, first_word, last_word, ring, me, lit, first, end, feeds, feed_first):
    """Arrivals from outside at the cores of this thread, whose axons stand from first_word to last_word."""
    for k in range(first, end):
        for e in range(feed_first[lit[k]], feed_first[lit[k] + 1]):
            place = feeds[e, 0]
            if first_word <= place >> 6 < last_word:
                at = ((tick + feeds[e, 1]) & (slots - 1)) * words + (place >> 6)
                ring[me, at] |= np.uint64(1) << np.uint64(place & 63)


@nb.njit(nogil=True, boundscheck=False)
def _hear(ring, slot, c, turn, cores, planes, crossbar, rows, scale, heard):
    """The rows that arrivals at a core ask for, with their scales; they are fetched, and the ring's bits taken out.

    heard[turn, 0] becomes how many, heard[turn, 1] how many axons were active; rows stand plane by plane.
    """
    at, words, wide = slot + cores[c, 0], cores[c, 6], cores[c, 3]
    found = np.uint64(0)
    for w in range(at, at + words):
        value = ring[0, w]
        for other in range(1, len(ring)):
            value |= ring[other, w]
            ring[other, w] = np.uint64(0)
        ring[0, w] = value
        found |= value
    many, axons = 0, np.int64(0)
    if found != 0:
        for p in range(cores[c, 4], cores[c, 5]):
            start, stop, first, own = planes[p, 0], planes[p, 1], planes[p, 2], planes[p, 3]
            for w in range(start >> 6, (stop + 63) >> 6):
                value = ring[0, at + w]
                if start > 64 * w:
                    value &= ~np.uint64(0) << np.uint64(start - 64 * w)
                if stop < 64 * w + 64:
                    value &= (np.uint64(1) << np.uint64(stop - 64 * w)) - np.uint64(1)
                base = first + (64 * w - start) * wide
                while value != 0:
                    row = base + np.int64(lowest(value)) * wide
                    value &= value - np.uint64(1)
                    soon_read(crossbar, row)
                    rows[turn, many] = row
                    scale[turn, many] = own
                    many += 1
        for w in range(at, at + words):
            axons += ones(ring[0, w])
            ring[0, w] = np.uint64(0)
    heard[turn, 0], heard[turn, 1] = many, axons


@nb.njit(nogil=True, boundscheck=False)
def _route(tick, slots, words, ring, pending, spikes, to, more_first, more):
    """Put the spikes on their way: to[neuron] is axon, delay << 32, and a sign where the neuron has several routes."""
    for k in range(min(AHEAD, spikes)):
        soon_read(to, pending[k])
    for k in range(spikes):
        if k + AHEAD < spikes:
            soon_read(to, pending[k + AHEAD])
        way = to[pending[k]]
        if way == -1:
            pending[k] = -1
        elif way < 0:  # several
            pending[k] = -1
            for e in range(more_first[-2 - way], more_first[-1 - way]):
                at = ((tick + (more[e] >> 32)) & (slots - 1)) * words + ((more[e] & 0xFFFFFFFF) >> 6)
                ring[at] |= np.uint64(1) << np.uint64(more[e] & 63)
        else:
            at = ((tick + (way >> 32)) & (slots - 1)) * words + ((way & 0xFFFFFFFF) >> 6)
            pending[k] = at << 6 | (way & 63)
    for k in range(min(AHEAD, spikes)):
        if pending[k] >= 0:
            soon_read(ring, pending[k] >> 6)
    for k in range(spikes):
        if k + AHEAD < spikes and pending[k + AHEAD] >= 0:
            soon_read(ring, pending[k + AHEAD] >> 6)
        if pending[k] >= 0:
            ring[pending[k] >> 6] |= np.uint64(1) << np.uint64(pending[k] & 63)


def _run(
    me, threads, gate, passed, first_tick, ticks, cores, first_core, last_core, planes, crossbar, scales, v, threshold,
    leak, floor,
    masks, hot, ring, slots, words, to, more_first, more, lit, lit_first, feeds, feed_first, pending, rows, scale,
    heard, bits, counts, out, watch, membranes,
):  # fmt: skip
    """So many ticks of the cores first_core to last_core, as thread `me`; returns 1 where a membrane left its 16 bits."""
    wrong = np.int64(0)
    zero = every(np.int64(0))
    first_word = cores[first_core, 0]
    last_word = cores[last_core - 1, 0] + cores[last_core - 1, 6]
    keep = len(out) > 0
    for tick in range(first_tick, first_tick + ticks):
        now = tick - first_tick
        slot = (tick & (slots - 1)) * words
        _lines(
            tick, slots, words, first_word, last_word, ring, me, lit, lit_first[now], lit_first[now + 1], feeds, feed_first
        )  # fmt: skip
        spikes = 0
        for c in range(first_core, min(first_core + NEAR, last_core)):
            _hear(ring, slot, c, c % NEAR, cores, planes, crossbar, rows, scale, heard)
        for c in range(first_core, last_core):
            turn = c % NEAR
            base, groups, step, spread, kind = (
                cores[c, 1],
                cores[c, 2],
                cores[c, 7],
                cores[c, 8],
                cores[c, 16],
            )
            many = heard[turn, 0]
            if heard[turn, 1] > 0 or cores[c, 9] == 0 or hot[c] != 0 or cores[c, 13] != 0:
                counts[c, 1] += heard[turn, 1]
                before, warm, synapses = spikes, np.uint64(0), np.int64(0)
                highest, deepest = zero, zero
                for b in range(0, groups, 8):
                    o, lo = base + 32 * b, cores[c, 10] + step * b
                    r0, r1 = (
                        add16(load(v, o), load(leak, lo)),
                        add16(load(v, o + 32), load(leak, lo + step)),
                    )
                    r2 = add16(load(v, o + 64), load(leak, lo + 2 * step))
                    r3 = add16(load(v, o + 96), load(leak, lo + 3 * step))
                    r4 = add16(load(v, o + 128), load(leak, lo + 4 * step))
                    r5 = add16(load(v, o + 160), load(leak, lo + 5 * step))
                    r6 = add16(load(v, o + 192), load(leak, lo + 6 * step))
                    r7 = add16(load(v, o + 224), load(leak, lo + 7 * step))
                    for e in range(many):
                        x, s = rows[turn, e] + b, scale[turn, e] + 32 * b
                        r0 = add16_where(r0, widened(scales, s), np.uint64(crossbar[x]))
                        r1 = add16_where(r1, widened(scales, s + 32), np.uint64(crossbar[x + 1]))
                        r2 = add16_where(r2, widened(scales, s + 64), np.uint64(crossbar[x + 2]))
                        r3 = add16_where(r3, widened(scales, s + 96), np.uint64(crossbar[x + 3]))
                        r4 = add16_where(r4, widened(scales, s + 128), np.uint64(crossbar[x + 4]))
                        r5 = add16_where(r5, widened(scales, s + 160), np.uint64(crossbar[x + 5]))
                        r6 = add16_where(r6, widened(scales, s + 192), np.uint64(crossbar[x + 6]))
                        r7 = add16_where(r7, widened(scales, s + 224), np.uint64(crossbar[x + 7]))
                        synapses += ones(pair(crossbar, x)) + ones(pair(crossbar, x + 2))
                        synapses += ones(pair(crossbar, x + 4)) + ones(pair(crossbar, x + 6))
                    store(v, o, r0)
                    store(v, o + 32, r1)
                    store(v, o + 64, r2)
                    store(v, o + 96, r3)
                    store(v, o + 128, r4)
                    store(v, o + 160, r5)
                    store(v, o + 192, r6)
                    store(v, o + 224, r7)
                    if cores[c, 13]:  # somebody wants membranes of this core
                        for k in range(cores[c, 14], cores[c, 15]):
                            if o <= watch[k, 0] < o + 256:
                                membranes[now, watch[k, 1]] = v[watch[k, 0]]
                    for k in range(8):
                        here = o + 32 * k
                        value, bound = load(v, here), widened(threshold, here)
                        least = load(floor, cores[c, 11] + spread * (b + k))
                        fired = reaches(value, bound)
                        if kind == 1:  # all go back to zero, and stop at their floor
                            value = most16(choose16(fired, zero, value), least)
                        elif kind == 2:  # the same, but the threshold is subtracted
                            value = most16(less16_where(value, bound, fired), least)
                        elif kind == 0:
                            value = most16(zero, least)
                        else:
                            g = here >> 3  # four masks for 32 neurons
                            value = choose16(masks[g] | (fired & masks[g + 1]), zero, value)
                            value = less16_where(value, bound, fired & masks[g + 2])
                            low = under(value, least)
                            value = choose16(low, choose16(masks[g + 3], zero, least), value)
                        store(v, here, value)
                        highest, deepest = most16(highest, value), least16(deepest, value)
                        if cores[c, 9]:
                            warm |= reaches(value, bound) & ~masks[here >> 3]
                        bits[k] = np.uint32(fired)
                    if keep:
                        for k in range(8):
                            out[now, (o >> 5) + k] = bits[k]
                    for k in range(0, 8, 2):
                        fired = pair(bits, k)
                        while fired != 0:
                            pending[spikes] = o + 32 * k + np.int64(lowest(fired))
                            spikes += 1
                            fired &= fired - np.uint64(1)
                wrong |= np.int64(
                    reaches(highest, splat16(cores[c, 12])) | under(deepest, splat16(-cores[c, 12]))
                )
                hot[c] = warm != 0
                counts[c, 0] += spikes - before
                counts[c, 2] += synapses
            if c + NEAR < last_core:
                _hear(ring, slot, c + NEAR, turn, cores, planes, crossbar, rows, scale, heard)
        _route(tick, slots, words, ring[me], pending, spikes, to, more_first, more)
        if threads > 1:  # all wait for all
            arrive_at(gate)
            passed += threads
            turns = 0
            while seen_at(gate) < passed:
                turns += 1
                if turns > PATIENCE:  # more threads than processors
                    make_way()
    return wrong


def compiled() -> Any:
    """The kernel, from Numba's cache on disk where there is a place for one."""
    try:
        return nb.njit(nogil=True, boundscheck=False, cache=True)(_run)
    except RuntimeError:  # no writable place for the cache
        return nb.njit(nogil=True, boundscheck=False)(_run)
