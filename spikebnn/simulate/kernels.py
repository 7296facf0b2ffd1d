"""Machine code for one tick of 512 streams side by side: a neuron's spikes are one row of 512 bits.

No kernel uses `parallel=`, which Numba's cache on disk cannot tell apart; they release the GIL and threads call them.
That cache notices a change of the file that a kernel stands in, and of no other: touch this one after a change of rows.py.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN202, TID253
from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spikebnn.simulate.pack import pack
from spikebnn.simulate.rows import (
    I64,
    ROW,
    WORDS,
    Sum,
    both,
    choose,
    count_here,
    count_there,
    differ,
    either,
    every,
    filled,
    full,
    half,
    load,
    lowest,
    majority,
    majority_of,
    odd,
    odd_of,
    ones,
    spread,
    store,
    wide,
)

SIZES = ((6, 9), (8, 10), (12, 12))  # planes that count an input class, and those for the sum over all of them
QUADS_AT = 1024  # in planes: 0 the accumulator, 512 a summand, 1024 four neurons and their classes, then the supports


@intrinsic
def _classes(typing, rows, index, lists, quad, planes, to):
    """Count the classes of four neurons that share a support: an input's class says which of them weigh it +1.

    lists[quad] holds (first, number) of classes 15, 7, 14, 6, ... 8, 0 and then which of SIZES is enough. Stored at
    word `to`: the planes of the sum of classes 8 to 15, and from to + 96 * (c + 1) on those of c and c + 8 together.
    """

    def make(context, builder, signature, args):
        b = builder
        data = [context.make_array(signature.args[k])(context, b, args[k]).data for k in (0, 1, 4)]
        table = b.gep(
            context.make_array(signature.args[2])(context, b, args[2]).data,
            [b.mul(args[3], ir.Constant(I64, 33))],
        )
        top = b.gep(data[2], [args[5]])

        def number(value):
            return ir.Constant(I64, value)

        def plane(base, k):
            return b.bitcast(b.gep(base, [number(WORDS * k)]), ROW.as_pointer())

        def write(value, where):
            b.store(value, where).align = 64

        def read(where):
            value = b.load(where)
            value.align = 64
            return value

        zero = ir.Constant(ROW, [0] * WORDS)
        for k in range(12):
            write(zero, plane(top, k))

        def body(planes, most):
            made = Sum(b, data[0], data[1], None, planes)
            with cgutils.for_range(b, number(8)) as loop:
                entry = b.gep(table, [b.mul(loop.index, number(4))])
                first, many, second, more = (b.load(b.gep(entry, [number(k)])) for k in range(4))
                for p in made.p:
                    b.store(zero, p)
                made.add(first, b.add(first, many), 32)
                carry = zero
                for k in range(most):
                    old = read(plane(top, k))
                    if k < planes:
                        own = b.load(made.p[k])
                        write(odd_of(b, old, own, carry), plane(top, k))
                        carry = majority_of(b, old, own, carry)
                    else:
                        write(b.xor(old, carry), plane(top, k))
                        carry = b.and_(old, carry)
                made.add(second, b.add(second, more), 32)
                goal = b.gep(top, [b.mul(b.sub(number(8), loop.index), number(96))])
                for k in range(most):
                    write(b.load(made.p[k]) if k < planes else zero, plane(goal, k))

        size = b.load(b.gep(table, [number(32)]))
        for kind, (planes, most) in enumerate(SIZES):
            with b.if_then(b.icmp_signed("==", size, number(kind))):
                body(planes, most)
        return context.get_dummy_value()

    return types.void(rows, index, lists, types.int64, planes, types.int64), make


@nb.njit(nogil=True, boundscheck=False)
def _four(rows, index, quads, quad, planes):
    """How many active inputs each of four neurons weighs +1, as planes at word QUADS_AT + 96 * neuron; returns how many."""
    to, most = QUADS_AT + 384, SIZES[quads[quad, 32]][1]
    _classes(rows, index, quads, quad, planes, to)
    c0 = c1 = c2 = c3 = c4 = c5 = c6 = c7 = every(np.int64(0))
    for k in range(0, 8 * most, 8):
        store(planes, QUADS_AT + 288 + k, load(planes, to + k))
        at = to + 96 + k
        q1, q2, q3 = load(planes, at + 96), load(planes, at + 192), load(planes, at + 288)
        q4, q5, q6, q7 = (
            load(planes, at + 384), load(planes, at + 480), load(planes, at + 576), load(planes, at + 672)
        )  # fmt: skip
        c0, s = full(q4, q5, c0)
        c1, t = full(q6, q7, c1)
        c2, s = full(s, t, c2)
        store(planes, QUADS_AT + 192 + k, s)
        c3, r1 = full(q1, q5, c3)
        c4, r2 = full(q2, q6, c4)
        c5, r3 = full(q3, q7, c5)
        c6, s = full(r2, r3, c6)
        store(planes, QUADS_AT + 96 + k, s)
        c7, s = full(r1, r3, c7)
        store(planes, QUADS_AT + k, s)
    return most


@nb.njit(nogil=True, boundscheck=False)
def _read_now(tick, period, j, job, neurons, membrane):
    """Whether a membrane of a job is read in this tick."""
    for n in range(job[j, 2], job[j, 3]):
        if neurons[n, 11] and (membrane == 2 or (membrane == 1 and (tick - neurons[n, 13]) % period == 0)):
            return True
    return False


@nb.njit(nogil=True, boundscheck=False)
def _silent(tick, j, ring, slots, slot_words, rows, awake, job, inputs, sources):
    """Whether it is known that nothing arrives at a job; `awake` ends with the number of lines that are on."""
    if job[j, 11] == 0:
        return False
    lines = awake[len(awake) - 1] > 0
    found = every(np.int64(0))
    for s in range(inputs[job[j, 0]], inputs[job[j, 1]]):
        back = ((tick - sources[s, 1]) % slots) * slot_words if sources[s, 1] >= 0 else 0
        if lines or sources[s, 1] >= 0:
            found = either(found, load(ring, back + 8 * sources[s, 0]))
    store(rows, 0, found)
    return not (rows[:8] != 0).any()


@nb.njit(nogil=True, boundscheck=False)
def _wake(tick, period, frames, wakes, first, last, rows, event_index, planes, counts, core):
    """Count the neurons of which an input is active, each group of equal hearing at one look."""
    whole, since = np.int64(0), np.int64(0)  # neurons that found input in every lane, in the frame `since`
    for e in range(first, last):
        frame = (tick - wakes[e, 2]) // period
        if tick < wakes[e, 2] or frame >= frames:
            continue
        found = every(np.int64(0))
        for k in range(wakes[e, 0], wakes[e, 0] + wakes[e, 1], 4):
            for n in range(k, k + 4):
                found = either(found, load(rows, 8 * event_index[n]))
            if filled(found):
                break
        if frame != since or e == first:
            if whole:
                for lane in range(512):
                    counts[since, core, lane] += whole
            whole, since = np.int64(0), frame
        if filled(found):
            whole += wakes[e, 3]
        else:
            store(planes, 0, found)
            target = counts[frame, core]
            for word in range(8):
                value = planes[word]
                while value != 0:
                    target[64 * word + np.int64(lowest(value))] += wakes[e, 3]
                    value &= value - np.uint64(1)
    if whole:
        for lane in range(512):
            counts[since, core, lane] += whole


def _tick(
    tick, period, frames, jobs, ring, slots, slot_words, valid, v, rows, planes, numbers,
    awake, job, inputs, sources, neurons, segments, index, quads, supports, events, event_index, wakes, reads,
    membrane, spike_counts, axon_counts, synapse_counts, update_counts, sums, neuron_spikes,
):  # fmt: skip
    """One tick of jobs[0] to jobs[1]: gather the active axons, integrate, leak, fire, reset, floor, and count."""
    zero, all_ones = every(np.int64(0)), every(np.int64(-1))
    here = (tick % slots) * slot_words
    most = np.int64(12)  # planes of the last four neurons
    for j in range(jobs[0], jobs[1]):
        width, core = job[j, 8], job[j, 10]
        silent = _silent(tick, j, ring, slots, slot_words, rows, awake, job, inputs, sources)
        at_rest = job[j, 11] == 2 and awake[j] == 0
        if silent and at_rest and not _read_now(tick, period, j, job, neurons, membrane):
            for n in range(job[j, 2], job[j, 3]):
                store(ring, here + 8 * neurons[n, 0], zero)
                for row in range(neurons[n, 18], neurons[n, 19]):
                    store(ring, here + 8 * row, zero)
            continue
        # the job's inputs as rows, then the same inverted, then a row of zeros for padding
        first, many = job[j, 0], job[j, 1] - job[j, 0]
        invert = job[j, 9]
        for k in range(0 if silent else many):
            value = zero
            for s in range(inputs[first + k], inputs[first + k + 1]):
                back = ((tick - sources[s, 1]) % slots) * slot_words if sources[s, 1] >= 0 else 0
                value = either(value, load(ring, back + 8 * sources[s, 0]))
            store(rows, 8 * k, value)
            if invert:
                store(rows, 8 * (many + k), differ(value, all_ones))
        store(rows, 8 * (2 * many), zero)
        # how many of each support are active: shared by the neurons that have this support
        for s in range(job[j, 4], job[j, 4] if silent else job[j, 5]):
            to = supports[s, 2]
            got = count_there(rows, index, supports[s, 0], supports[s, 1], planes, to)
            for k in range(got, width):
                store(planes, to + 8 * k, zero)
        for n in range(job[j, 2], job[j, 3]):
            me, mode, threshold, leak = neurons[n, 0], neurons[n, 1], neurons[n, 2], neurons[n, 3]
            support, constant, ready = neurons[n, 6], neurons[n, 8], neurons[n, 17]
            segment, last = neurons[n, 9], neurons[n, 10]
            if silent:  # the sum is 0, whichever way it is made
                support, ready, constant, last = -1, -1, 0, segment
            elif neurons[n, 16] >= 0:
                most = _four(rows, index, quads, neurons[n, 16], planes)
            # the sum over active synapses, as planes 0 to width-1 of the accumulator
            fresh = True
            unread = mode == 0 and neurons[n, 11] == 0  # memoryless, and nobody wants its membrane
            if ready >= 0 and unread:
                pass
            elif ready >= 0:  # twice those weighed +1, less all of the support
                carry, more = zero, zero
                for k in range(width):
                    carry, value = full(differ(load(planes, support + 8 * k), all_ones), more, carry)
                    store(planes, 8 * k, value)
                    more = load(planes, ready + 8 * k) if k < most else zero
                fresh = False
            elif support >= 0:
                flip = every(neurons[n, 7])
                for k in range(0, 8 * width, 8):
                    store(planes, k, differ(load(planes, support + k), flip))
                fresh = False
            for s in range(segment, last):
                shift = segments[s, 2]
                to = 8 * shift if fresh else 512
                got = count_here(rows, index, segments[s, 0], segments[s, 1], planes, to)
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
            if fresh and ready < 0:
                for k in range(width):
                    store(planes, 8 * k, zero)
            if ready >= 0 and unread:  # the same, compared as it is made
                bound = constant + leak - threshold
                carry, over, more, value = zero, zero, zero, zero
                for k in range(width):
                    carry, value = full(differ(load(planes, support + 8 * k), all_ones), more, carry)
                    over, value = full(value, every(-((bound >> k) & 1)), over)
                    more = load(planes, ready + 8 * k) if k < most else zero
                spike = differ(value, all_ones)
            elif unread:
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
                            spread(planes, 0, width, True, numbers)
                        for r in range(neurons[n, 14], neurons[n, 15]):
                            target = sums[frame, reads[r]]
                            for lane in range(512):
                                target[lane] += numbers[lane] if width <= 31 else wide(planes, 0, width, lane)
                    if membrane == 2:
                        target = sums[0, reads[neurons[n, 14]]]
                        if width <= 31:
                            spread(planes, 0, width, True, numbers)
                        for lane in range(512):
                            target[lane] = numbers[lane] if width <= 31 else wide(planes, 0, width, lane)
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
            for row in range(
                neurons[n, 18], neurons[n, 19]
            ):  # the number that the spike carries: V after step 2
                store(ring, here + 8 * row, both(load(planes, 8 * (row - neurons[n, 18])), spike))
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
        if job[j, 11] == 2:
            awake[j] = 0
            for word in range(job[j, 12], job[j, 13]):
                if v[word] != 0:
                    awake[j] = 1
                    break
        # events of the core: spikes from the ring, axon and synapse events from the gathered rows
        for e in range(job[j, 6], job[j, 7]):
            frame = (tick - events[e, 2]) // period
            if tick < events[e, 2] or frame >= frames or (silent and not events[e, 5]):
                continue
            if events[e, 5]:
                got = count_there(ring[here:], event_index, events[e, 0], events[e, 1], planes, 0)
            else:
                got = count_there(rows, event_index, events[e, 0], events[e, 1], planes, 0)
            spread(planes, 0, got, False, numbers)
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
        if not silent:
            _wake(
                tick,
                period,
                frames,
                wakes,
                job[j, 14],
                job[j, 15],
                rows,
                event_index,
                planes,
                update_counts,
                core,
            )


def compiled() -> tuple[Any, Any]:
    """The kernels (tick, pack), from Numba's cache on disk where there is a place for one."""
    try:
        return tuple(nb.njit(nogil=True, boundscheck=False, cache=True)(kernel) for kernel in (_tick, pack))
    except RuntimeError:  # no writable place for the cache
        return tuple(nb.njit(nogil=True, boundscheck=False)(kernel) for kernel in (_tick, pack))
