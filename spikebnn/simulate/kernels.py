"""Machine code for one tick of 512 streams side by side: a neuron's spikes are one row of 512 bits.

A sum of one-bit rows is kept as bit planes and built by carry-save adders, 512 lanes at a time. One file on
purpose: Numba's cache on disk notices a change of the file that a kernel stands in, and of no other. No
kernel uses `parallel=`, which that cache cannot tell apart; they release the GIL and threads call them.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, ANN204, TID253
from __future__ import annotations

import numba as nb
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic, models, register_model

WORDS = 8  # of 64 lanes in a row
LANES = 64 * WORDS
TERNARY = bool(binding.get_host_cpu_features().get("avx512f"))
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
    """The row at word `index` of a flat, 64-byte aligned uint64 array."""

    def make(context, builder, signature, args):
        value = builder.load(_address(context, builder, signature.args[0], args[0], args[1]))
        value.align = 64
        return value

    return row(array, types.int64), make


@intrinsic
def store(typing, array, index, value):
    def make(context, builder, signature, args):
        done = builder.store(args[2], _address(context, builder, signature.args[0], args[0], args[1]))
        done.align = 64
        return context.get_dummy_value()

    return types.void(array, types.int64, row), make


@intrinsic
def store32(typing, array, index, value):
    """A row as 16 int32 at element `index` of an int32 array, of any alignment."""

    def make(context, builder, signature, args):
        done = builder.store(args[2], _address(context, builder, signature.args[0], args[0], args[1]))
        done.align = 4
        return context.get_dummy_value()

    return types.void(array, types.int64, row), make


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


def _ternary(table, plain):
    @intrinsic
    def made(typing, a, b, c):
        def make(context, builder, signature, args):
            if not TERNARY:
                return plain(builder, *args)
            name = "llvm.x86.avx512.pternlog.q.512"
            kind = ir.FunctionType(ROW, [ROW, ROW, ROW, I32])
            call = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            return builder.call(call, [*args, ir.Constant(I32, table)])

        return row(row, row, row), make

    return made


majority = _ternary(0xE8, lambda b, x, y, z: b.or_(b.and_(x, y), b.and_(z, b.or_(x, y))))
odd = _ternary(0x96, lambda b, x, y, z: b.xor(b.xor(x, y), z))
choose = _ternary(0xCA, lambda b, x, y, z: b.xor(z, b.and_(x, b.xor(y, z))))  # y where x is set, else z


@intrinsic
def add_where(typing, total, number, mask):
    """16 int32: total + number where the 16-bit mask is set."""

    def make(context, builder, signature, args):
        bits = builder.bitcast(builder.trunc(args[2], I16), ir.VectorType(ir.IntType(1), 16))
        more = builder.select(bits, _splat(builder, args[1], ROW32), ir.Constant(ROW32, [0] * 16))
        return builder.bitcast(builder.add(builder.bitcast(args[0], ROW32), more), ROW)

    return row(row, types.int32, types.uint64), make


@intrinsic
def ones(typing, word):
    return types.int64(types.uint64), lambda context, builder, signature, args: builder.ctpop(args[0])


def _inline(function):
    return nb.njit(inline="always", boundscheck=False)(function)


@_inline
def full(a, b, c):
    return majority(a, b, c), odd(a, b, c)


@_inline
def half(a, b):
    return both(a, b), differ(a, b)


@_inline
def at(rows, index, k):
    return load(rows, np.int64(index[k]) * 8)


@_inline
def add4(p0, p1, rows, index, k):
    a, p0 = full(p0, at(rows, index, k), at(rows, index, k + np.uint64(1)))
    b, p0 = full(p0, at(rows, index, k + np.uint64(2)), at(rows, index, k + np.uint64(3)))
    c, p1 = full(p1, a, b)
    return c, p0, p1


@_inline
def add8(p0, p1, p2, rows, index, k):
    a, p0, p1 = add4(p0, p1, rows, index, k)
    b, p0, p1 = add4(p0, p1, rows, index, k + np.uint64(4))
    c, p2 = full(p2, a, b)
    return c, p0, p1, p2


@_inline
def add16(p0, p1, p2, p3, rows, index, k):
    a, p0, p1, p2 = add8(p0, p1, p2, rows, index, k)
    b, p0, p1, p2 = add8(p0, p1, p2, rows, index, k + np.uint64(8))
    c, p3 = full(p3, a, b)
    return c, p0, p1, p2, p3


def _count(rows, index, first, number, out, to):
    """Store the planes of the sum of rows[index[first : first + number]], number a multiple of 4, at most 4092.

    As many planes are stored as `number` needs; returns how many.
    """
    zero = every(np.int64(0))
    p0 = p1 = p2 = p3 = p4 = p5 = p6 = p7 = p8 = p9 = pa = pb = zero
    k, end = np.uint64(first), np.uint64(first + number)
    while k + np.uint64(32) <= end:
        a, p0, p1, p2, p3 = add16(p0, p1, p2, p3, rows, index, k)
        b, p0, p1, p2, p3 = add16(p0, p1, p2, p3, rows, index, k + np.uint64(16))
        c, p4 = full(p4, a, b)
        c, p5 = half(p5, c)
        c, p6 = half(p6, c)
        c, p7 = half(p7, c)
        if number >= 256:
            c, p8 = half(p8, c)
            c, p9 = half(p9, c)
            c, pa = half(pa, c)
            pb = differ(pb, c)
        k += np.uint64(32)
    if k + np.uint64(16) <= end:
        c, p0, p1, p2, p3 = add16(p0, p1, p2, p3, rows, index, k)
        c, p4 = half(p4, c)
        c, p5 = half(p5, c)
        c, p6 = half(p6, c)
        c, p7 = half(p7, c)
        c, p8 = half(p8, c)
        c, p9 = half(p9, c)
        c, pa = half(pa, c)
        pb = differ(pb, c)
        k += np.uint64(16)
    if k + np.uint64(8) <= end:
        c, p0, p1, p2 = add8(p0, p1, p2, rows, index, k)
        c, p3 = half(p3, c)
        c, p4 = half(p4, c)
        c, p5 = half(p5, c)
        c, p6 = half(p6, c)
        c, p7 = half(p7, c)
        c, p8 = half(p8, c)
        c, p9 = half(p9, c)
        c, pa = half(pa, c)
        pb = differ(pb, c)
        k += np.uint64(8)
    if k < end:
        c, p0, p1 = add4(p0, p1, rows, index, k)
        c, p2 = half(p2, c)
        c, p3 = half(p3, c)
        c, p4 = half(p4, c)
        c, p5 = half(p5, c)
        c, p6 = half(p6, c)
        c, p7 = half(p7, c)
        c, p8 = half(p8, c)
        c, p9 = half(p9, c)
        c, pa = half(pa, c)
        pb = differ(pb, c)
    store(out, to, p0)
    store(out, to + 8, p1)
    store(out, to + 16, p2)
    store(out, to + 24, p3)
    planes = 4
    if number > 15:
        store(out, to + 32, p4)
        store(out, to + 40, p5)
        store(out, to + 48, p6)
        store(out, to + 56, p7)
        planes = 8
    if number > 255:
        store(out, to + 64, p8)
        store(out, to + 72, p9)
        store(out, to + 80, pa)
        store(out, to + 88, pb)
        planes = 12
    return planes


_count_here = _inline(_count)  # inside the innermost loop
_count_there = nb.njit(nogil=True, boundscheck=False)(_count)


@nb.njit(nogil=True, boundscheck=False)
def _spread(planes, to, number, signed, numbers):
    """The sums of 512 lanes, from `number` planes (at most 31), as int32."""
    for group in range(32):
        total = every(np.int64(0))
        word, by = to + (group >> 2), np.uint64(16 * (group & 3))
        for k in range(number):
            value = -(1 << k) if signed and k == number - 1 else 1 << k
            total = add_where(total, np.int32(value), (planes[word + 8 * k] >> by) & np.uint64(0xFFFF))
        store32(numbers, 16 * group, total)


@nb.njit(nogil=True, boundscheck=False)
def _wide(planes, to, number, lane):
    """The signed sum of one lane, from up to 63 planes."""
    total = 0
    for k in range(number):
        bit = np.int64((planes[to + 8 * k + (lane >> 6)] >> np.uint64(lane & 63)) & np.uint64(1))
        total += -(bit << k) if k == number - 1 else bit << k
    return total


def _tick(
    tick, period, frames, jobs, ring, slots, slot_words, valid, v, rows, planes, numbers,
    job, inputs, sources, neurons, segments, index, supports, events, event_index, reads, membrane,
    spike_counts, axon_counts, synapse_counts, sums, neuron_spikes,
):  # fmt: skip
    """One tick of jobs[0] to jobs[1]: gather the active axons, integrate, leak, fire, reset, floor, and count."""
    zero, all_ones = every(np.int64(0)), every(np.int64(-1))
    here = (tick % slots) * slot_words
    for j in range(jobs[0], jobs[1]):
        width, core = job[j, 8], job[j, 10]
        # the job's inputs as rows, then the same inverted, then a row of zeros for padding
        first, many = job[j, 0], job[j, 1] - job[j, 0]
        invert = job[j, 9]
        for k in range(many):
            value = zero
            for s in range(inputs[first + k], inputs[first + k + 1]):
                back = ((tick - sources[s, 1]) % slots) * slot_words
                value = either(value, load(ring, back + 8 * sources[s, 0]))
            store(rows, 8 * k, value)
            if invert:
                store(rows, 8 * (many + k), differ(value, all_ones))
        store(rows, 8 * (2 * many), zero)
        # how many of each support are active: shared by the neurons that have this support
        for s in range(job[j, 4], job[j, 5]):
            to = supports[s, 2]
            got = _count_there(rows, index, supports[s, 0], supports[s, 1], planes, to)
            for k in range(got, width):
                store(planes, to + 8 * k, zero)
        for n in range(job[j, 2], job[j, 3]):
            me, mode, threshold, leak = neurons[n, 0], neurons[n, 1], neurons[n, 2], neurons[n, 3]
            support, constant = neurons[n, 6], neurons[n, 8]
            # the sum over active synapses, as planes 0 to width-1 of the accumulator
            fresh = True
            if support >= 0:
                flip = every(neurons[n, 7])
                for k in range(0, 8 * width, 8):
                    store(planes, k, differ(load(planes, support + k), flip))
                fresh = False
            for s in range(neurons[n, 9], neurons[n, 10]):
                shift = segments[s, 2]
                to = 8 * shift if fresh else 512
                got = _count_here(rows, index, segments[s, 0], segments[s, 1], planes, to)
                if fresh:
                    for k in range(shift):
                        store(planes, 8 * k, zero)
                    for k in range(shift + got, width):
                        store(planes, 8 * k, zero)
                    fresh = False
                else:
                    carry = zero
                    for k in range(shift, min(shift + got, width)):
                        carry, value = full(load(planes, 8 * k), load(planes, to + 8 * (k - shift)), carry)
                        store(planes, 8 * k, value)
                    for k in range(shift + got, width):
                        carry, value = half(load(planes, 8 * k), carry)
                        store(planes, 8 * k, value)
            if fresh:
                for k in range(width):
                    store(planes, 8 * k, zero)
            if mode == 0 and neurons[n, 11] == 0:  # memoryless, and nobody wants its membrane
                bound = constant + leak - threshold
                carry = zero
                for k in range(width - 1):
                    carry = majority(load(planes, 8 * k), every(-((bound >> k) & 1)), carry)
                sign = odd(load(planes, 8 * (width - 1)), every(-((bound >> (width - 1)) & 1)), carry)
                spike = differ(sign, all_ones)
            else:
                bound = constant + leak
                carry, borrow, value = zero, zero, zero
                past = neurons[n, 12]
                old = zero
                more = zero
                for k in range(width):
                    if past >= 0:
                        old = load(v, past + 8 * k)
                        more, value = full(load(planes, 8 * k), old, more)
                    else:
                        value = load(planes, 8 * k)
                    carry, value = full(value, every(-((bound >> k) & 1)), carry)
                    store(planes, 8 * k, value)  # V after step 2
                    borrow, value = full(value, every(-(((-threshold) >> k) & 1)), borrow)
                    store(planes, 512 + 8 * k, value)  # V - threshold
                spike = differ(value, all_ones)
                if neurons[n, 11] and (tick - neurons[n, 13]) % period == 0:
                    frame = (tick - neurons[n, 13]) // period
                    if 0 <= frame < frames and membrane == 1:
                        if width <= 31:
                            _spread(planes, 0, width, True, numbers)
                        for r in range(neurons[n, 14], neurons[n, 15]):
                            target = sums[frame, reads[r]]
                            for lane in range(512):
                                target[lane] += (
                                    numbers[lane] if width <= 31 else _wide(planes, 0, width, lane)
                                )
                    if membrane == 2:
                        target = sums[0, reads[neurons[n, 14]]]
                        if width <= 31:
                            _spread(planes, 0, width, True, numbers)
                        for lane in range(512):
                            target[lane] = numbers[lane] if width <= 31 else _wide(planes, 0, width, lane)
                if past >= 0:
                    source = 512 if mode == 2 else 0
                    keep = spike if mode == 2 else zero
                    if mode == 1:  # zero: V stays only where there is no spike
                        quiet = differ(spike, all_ones)
                        for k in range(0, 8 * width, 8):
                            store(v, past + k, both(load(planes, k), quiet))
                    else:  # subtract, none
                        for k in range(0, 8 * width, 8):
                            store(v, past + k, choose(keep, load(planes, source + k), load(planes, k)))
                    if neurons[n, 5] != 2:  # a floor that can be reached
                        floor = neurons[n, 4]
                        carry, value = zero, zero
                        for k in range(width):
                            carry, value = full(load(v, past + 8 * k), every(-(((-floor) >> k) & 1)), carry)
                        low, to = value, np.int64(0) if neurons[n, 5] == 1 else floor
                        for k in range(width):
                            level = every(-((to >> k) & 1))
                            store(v, past + 8 * k, choose(low, level, load(v, past + 8 * k)))
            store(ring, here + 8 * me, spike)
            # counting, inside the neuron's window
            frame = (tick - neurons[n, 13]) // period
            if 0 <= frame < frames and tick >= neurons[n, 13]:
                for w in range(8):
                    neuron_spikes[me] += ones(ring[here + 8 * me + w] & valid[8 * frame + w])
                if membrane == 0:
                    for r in range(neurons[n, 14], neurons[n, 15]):
                        target = sums[frame, reads[r]]
                        for lane in range(512):
                            bit = (ring[here + 8 * me + (lane >> 6)] >> np.uint64(lane & 63)) & np.uint64(1)
                            target[lane] += np.int64(bit)
        # events of the core: spikes from the ring, axon and synapse events from the gathered rows
        for e in range(job[j, 6], job[j, 7]):
            frame = (tick - events[e, 2]) // period
            if tick < events[e, 2] or frame >= frames:
                continue
            if events[e, 5]:
                got = _count_there(ring[here:], event_index, events[e, 0], events[e, 1], planes, 0)
            else:
                got = _count_there(rows, event_index, events[e, 0], events[e, 1], planes, 0)
            _spread(planes, 0, got, False, numbers)
            if events[e, 5]:
                target = spike_counts[frame, core]
                for lane in range(512):
                    target[lane] += numbers[lane]
            else:
                more_axons, more_synapses = events[e, 3], events[e, 4]
                target, other = axon_counts[frame, core], synapse_counts[frame, core]
                for lane in range(512):
                    target[lane] += more_axons * numbers[lane]
                    other[lane] += more_synapses * numbers[lane]


def compiled():
    """The kernel, from Numba's cache on disk where there is a place for one."""
    try:
        return nb.njit(nogil=True, boundscheck=False, cache=True)(_tick)
    except RuntimeError:  # no writable place for the cache
        return nb.njit(nogil=True, boundscheck=False)(_tick)
