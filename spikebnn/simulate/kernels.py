"""Machine code for one tick of 512 streams side by side: a neuron's spikes are one row of 512 bits.

No kernel uses `parallel=`, which Numba's cache on disk cannot tell apart; they release the GIL and threads call them.
That cache notices a change of the file that a kernel stands in, and of no other: touch this one after a change of rows.py,
group_kernels.py or level_kernels.py.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN202, TID253
from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from spikebnn.simulate.group_kernels import by_fives, by_fours
from spikebnn.simulate.level_kernels import depth, level
from spikebnn.simulate.lists import DEEP, LEVEL_AT, LONGEST, SUPPORT_AT, Columns
from spikebnn.simulate.pack import pack
from spikebnn.simulate.rows import (
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
    majority,
    odd,
    ones_in,
    soon_read,
    spread,
    store,
    wide,
)
from spikebnn.simulate.transpose import turn_numbers

AHEAD = 24  # rows that are fetched before they are gathered
(FOURS, FOURS_END), (FIVES, FIVES_END) = ((at.me, at.bound) for at in map(Columns, (4, 5)))  # columns of neurons


@nb.njit(nogil=True, boundscheck=False)
def _read_now(tick, period, j, job, neurons, membrane):
    """Whether a membrane of a job is read in this tick."""
    for n in range(job[j, 2], job[j, 3]):
        if neurons[n, 9] and (membrane == 2 or (membrane == 1 and (tick - neurons[n, 11]) % period == 0)):
            return True
    return False


@nb.njit(nogil=True, boundscheck=False)
def _silent(j, ring, rows, awake, backs, job, inputs, sources):
    """Whether it is known that nothing arrives at a job; `awake` ends with the number of lines that are on."""
    if job[j, 11] == 0:
        return False
    lines = awake[len(awake) - 1] > 0
    found = every(np.int64(0))
    for s in range(inputs[job[j, 0]], inputs[job[j, 1]]):
        if lines or sources[s, 1] > 0:
            found = either(found, load(ring, backs[sources[s, 1]] + 8 * np.int64(sources[s, 0])))
    store(rows, 0, found)
    return not (rows[:8] != 0).any()


@nb.njit(nogil=True, boundscheck=False)
def _hush(j, ring, here, job, neurons, fours, fives, shorts, supports):
    """No neuron of a job fires."""
    zero = every(np.int64(0))
    for n in range(job[j, 2], job[j, 3]):
        store(ring, here + 8 * neurons[n, 0], zero)
        for row in range(neurons[n, 14], neurons[n, 15]):
            store(ring, here + 8 * row, zero)
    for n in range(job[j, 16], job[j, 17]):
        store(ring, here + 8 * np.int64(shorts[n, 0]), zero)
    for s in range(job[j, 4], job[j, 5]):
        for q in range(supports[s, 2], supports[s, 3]):
            for k in range(FOURS, FOURS_END):
                store(ring, here + 8 * np.int64(fours[q, k]), zero)
        for q in range(supports[s, 4], supports[s, 5]):
            for k in range(FIVES, FIVES_END):
                store(ring, here + 8 * np.int64(fives[q, k]), zero)
        for n in range(supports[s, 6], supports[s, 7]):
            store(ring, here + 8 * np.int64(shorts[n, 0]), zero)


@nb.njit(nogil=True, boundscheck=False)
def _gather(first, many, invert, ring, backs, inputs, sources, rows):
    """A job's inputs as rows, then rows of zeros for padding, then the inputs inverted."""
    all_ones = every(np.int64(-1))
    begin, end = np.int64(inputs[first]), np.int64(inputs[first + many]) - 1
    if np.int64(inputs[first + many]) - begin == many:  # one source each
        for k in range(many):
            s = begin + k
            soon_read(
                ring, backs[sources[min(s + AHEAD, end), 1]] + 8 * np.int64(sources[min(s + AHEAD, end), 0])
            )
            store(rows, 8 * k, load(ring, backs[sources[s, 1]] + 8 * np.int64(sources[s, 0])))
    else:
        for k in range(many):
            s, last = np.int64(inputs[first + k]), np.int64(inputs[first + k + 1])
            value = load(ring, backs[sources[s, 1]] + 8 * np.int64(sources[s, 0]))
            for more in range(s + 1, last):
                value = either(value, load(ring, backs[sources[more, 1]] + 8 * np.int64(sources[more, 0])))
            store(rows, 8 * k, value)
    if invert:
        for k in range(many):
            store(rows, 8 * (many + 4 + k), differ(load(rows, 8 * k), all_ones))
    for k in range(many, many + 4):
        store(rows, 8 * k, every(np.int64(0)))


@nb.njit(nogil=True, boundscheck=False)
def _make(first, end, made, ring, sources):
    """Rows of what arrives from several sources, or is inverted."""
    for m in range(first, end):
        value = every(np.int64(0))
        for s in range(made[m, 1], made[m, 2]):
            value = either(value, load(ring, 8 * np.int64(sources[s, 0])))
        store(ring, 8 * np.int64(made[m, 0]), differ(value, every(-np.int64(made[m, 3]))))


@nb.njit(nogil=True, boundscheck=False)
def _add(counts, frame, core, more, numbers):
    """Add so many times the numbers of 512 lanes; no view is made of the counts, as that takes as long."""
    times = counts.dtype.type(more)
    for lane in range(512):
        counts[frame, core, lane] += times * numbers[lane]


@nb.njit(nogil=True, boundscheck=False)
def _wake(
    tick, period, frames, wakes, first, last, rows, index, iota, planes, numbers, hot, counts, core
):
    """Count the neurons of which an input is active: one row for those that hear the same, summed where as many do."""
    e = first
    while e < last:
        start, weight = wakes[e, 2], wakes[e, 3]
        frame = (tick - start) // period
        some = np.int64(0)  # groups so far
        while e < last and wakes[e, 2] == start and wakes[e, 3] == weight and some < LONGEST:
            at, left = np.int64(wakes[e, 0]), np.int64(wakes[e, 1])
            found = every(np.int64(0))
            while left > 0:
                found = either(
                    either(
                        either(load(rows, np.int64(index[at])), load(rows, np.int64(index[at + 1]))),
                        either(load(rows, np.int64(index[at + 2])), load(rows, np.int64(index[at + 3]))),
                    ),
                    found,
                )  # fmt: skip
                at += 4
                left -= 4
                if left > 0 and filled(found):
                    left = 0
            store(hot, 8 * some, found)
            some += 1
            e += 1
        if tick < start or frame >= frames:
            continue
        for k in range(some, (some + 3) & -4):
            store(hot, 8 * k, every(np.int64(0)))
        got = count_there(hot, iota, 0, (some + 3) & -4, planes, 0)
        spread(planes, 0, got, False, numbers)
        _add(counts, frame, core, weight, numbers)


@nb.njit(nogil=True, boundscheck=False)
def _bring(taps, first, size, rows, near):
    """Put the inputs of a support, and padding, into `near`."""
    for k in range(size):
        store(near, 8 * k, load(rows, 8 * np.int64(taps[first + k])))
    for k in range(size, size + 4):
        store(near, 8 * k, every(np.int64(0)))


@nb.njit(nogil=True, boundscheck=False)
def _sum_support(size, rows, iota, planes):
    """Store the inverted sum of a support's inputs."""
    got, all_ones = count_there(rows, iota, 0, (size + 3) & -4, planes, SUPPORT_AT), every(np.int64(-1))
    for k in range(got):
        store(planes, SUPPORT_AT + 8 * k, differ(load(planes, SUPPORT_AT + 8 * k), all_ones))
    for k in range(got, DEEP):
        store(planes, SUPPORT_AT + 8 * k, all_ones)


@nb.njit(nogil=True, boundscheck=False)
def _by_lists(
    shorts, first, end, deep, silent, tick, period, frames, rows, index, planes, ring, here, valid, neuron_spikes
):  # fmt: skip
    """Fire memoryless neurons that each sum one list, by itself or against the sum of a support."""
    none, all_ones = every(np.int64(0)), every(np.int64(-1))
    for n in range(first, end):
        me, at, number, bound = (
            np.int64(shorts[n, 0]), np.int64(shorts[n, 1]), np.int64(shorts[n, 2]), np.int64(shorts[n, 3])
        )  # fmt: skip
        if silent:
            spike = every(np.int64(-shorts[n, 5]))
        elif shorts[n, 7]:  # twice the list, against the sum of all that the neuron hears
            got = count_here(rows, index, at, number, planes, 512)
            level(planes, bound, got, max(deep, got + 2), LEVEL_AT)
            more = none
            for k in range(0, 8 * got, 8):
                more = majority(load(planes, 512 + k), load(planes, LEVEL_AT + k), more)
            more = both(more, load(planes, LEVEL_AT + 8 * got))
            spike = differ(differ(more, load(planes, LEVEL_AT + 8 * got + 8)), every(np.int64(shorts[n, 6])))
        elif number == 4 and bound == 1:  # any of them
            spike = either(
                either(load(rows, np.int64(index[at])), load(rows, np.int64(index[at + 1]))),
                either(load(rows, np.int64(index[at + 2])), load(rows, np.int64(index[at + 3]))),
            )
        else:
            got = count_here(rows, index, at, number, planes, 512)
            spike = all_ones
            for k in range(got):
                spike = majority(load(planes, 512 + 8 * k), every(-((~bound >> k) & 1)), spike)
        store(ring, here + 8 * me, spike)
        frame = (tick - shorts[n, 4]) // period
        if 0 <= frame < frames and tick >= shorts[n, 4]:
            neuron_spikes[me] += ones_in(both(spike, load(valid, 8 * frame)))


def _tick(
    tick, period, frames, jobs, ring, slots, slot_words, valid, v, rows, near, planes, numbers, hot, iota,
    backs, awake, job, inputs, sources, neurons, segments, index, row_index, made, fours, fives, shorts, supports, taps,
    events, spike_index, wakes, reads, membrane, spike_counts, axon_counts, synapse_counts, update_counts, sums,
    neuron_spikes,
):  # fmt: skip
    """One tick of jobs[0] to jobs[1]: gather the active axons, integrate, leak, fire, reset, floor, and count."""
    zero, all_ones = every(np.int64(0)), every(np.int64(-1))
    here = (tick % slots) * slot_words
    for back in range(slots):
        backs[back + 1] = ((tick - back) % slots) * slot_words
    direct = jobs[2] != 0  # all rows stand where they are
    brought = counted = np.int64(-1)  # the support whose inputs are in `near`, and the events that `arrived` has
    arrived = numbers[512:]
    for j in range(jobs[0], jobs[1]):
        width, core = job[j, 8], job[j, 10]
        silent = _silent(j, ring, rows, awake, backs, job, inputs, sources)
        at_rest = job[j, 11] == 2 and awake[j] == 0
        if silent and at_rest and not _read_now(tick, period, j, job, neurons, membrane):
            _hush(j, ring, here, job, neurons, fours, fives, shorts, supports)
            continue
        base = rows
        if direct:
            base = ring
            _make(job[j, 18], job[j, 19], made, ring, sources)
        elif not silent:
            _gather(job[j, 0], job[j, 1] - job[j, 0], job[j, 9], ring, backs, inputs, sources, rows)
        for s in range(job[j, 4], job[j, 5]):  # memoryless neurons that hear the same
            local = base
            if supports[s, 0] >= 0:
                local = near
                if not silent and not (direct and supports[s, 0] == brought):
                    _bring(taps, supports[s, 0], supports[s, 1], base, near)
                    brought = supports[s, 0]
            by_fours(
                fours, supports[s, 2], supports[s, 3], silent, tick, period, frames, local, index, planes, ring, here, valid,
                neuron_spikes,
            )  # fmt: skip
            by_fives(
                fives, supports[s, 4], supports[s, 5], silent, tick, period, frames, local, index, planes, ring, here, valid,
                neuron_spikes,
            )  # fmt: skip
            if supports[s, 6] < supports[s, 7]:
                if not silent:
                    _sum_support(supports[s, 1], local, iota, planes)
                _by_lists(
                    shorts, supports[s, 6], supports[s, 7], depth(supports[s, 1]), silent, tick, period, frames, local, index,
                    planes, ring, here, valid, neuron_spikes,
                )  # fmt: skip
        _by_lists(
            shorts, job[j, 16], job[j, 17], 0, silent, tick, period, frames, base, row_index, planes, ring, here, valid,
            neuron_spikes,
        )  # fmt: skip
        for n in range(job[j, 2], job[j, 3]):
            me, mode, threshold, leak = neurons[n, 0], neurons[n, 1], neurons[n, 2], neurons[n, 3]
            constant, segment, last = neurons[n, 6], neurons[n, 7], neurons[n, 8]
            if silent:  # the sum is 0, whichever way it is made
                constant, last = 0, segment
            # the sum over active synapses, as planes 0 to width-1 of the accumulator
            fresh = True
            for s in range(segment, last):
                shift = segments[s, 2]
                to = 8 * shift if fresh else 512
                got = count_here(base, row_index, segments[s, 0], segments[s, 1], planes, to)
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
            if mode == 0 and neurons[n, 9] == 0:  # memoryless, and nobody wants its membrane
                bound = constant + leak - threshold
                carry = zero
                for k in range(width - 1):
                    carry = majority(load(planes, 8 * k), every(-((bound >> k) & 1)), carry)
                sign = odd(load(planes, 8 * (width - 1)), every(-((bound >> (width - 1)) & 1)), carry)
                spike = differ(sign, all_ones)
            else:
                bound = constant + leak
                carry, borrow, value = zero, zero, zero
                past = neurons[n, 10]
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
                if neurons[n, 9] and (tick - neurons[n, 11]) % period == 0:
                    frame = (tick - neurons[n, 11]) // period
                    if 0 <= frame < frames and membrane == 1:
                        if width <= 31:
                            spread(planes, 0, width, True, numbers)
                        for r in range(neurons[n, 12], neurons[n, 13]):
                            target = sums[frame, reads[r]]
                            for lane in range(512):
                                target[lane] += numbers[lane] if width <= 31 else wide(planes, 0, width, lane)
                    if membrane == 2:
                        target = sums[0, reads[neurons[n, 12]]]
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
                            rest = every(-((to >> k) & 1))
                            store(v, past + 8 * k, choose(low, rest, load(v, past + 8 * k)))
            store(ring, here + 8 * me, spike)
            for row in range(
                neurons[n, 14], neurons[n, 15]
            ):  # the number that the spike carries: V after step 2
                store(ring, here + 8 * row, both(load(planes, 8 * (row - neurons[n, 14])), spike))
            # counting, inside the neuron's window
            frame = (tick - neurons[n, 11]) // period
            if 0 <= frame < frames and tick >= neurons[n, 11]:
                neuron_spikes[me] += ones_in(both(spike, load(valid, 8 * frame)))
                if membrane == 0:
                    for r in range(neurons[n, 12], neurons[n, 13]):
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
                got = count_there(
                    ring[here + 8 * events[e, 6] :], spike_index, events[e, 0], events[e, 1], planes, 0
                )
                spread(planes, 0, got, False, numbers)
                _add(spike_counts, frame, core, 1, numbers)
                if events[e, 5] == 2:
                    _add(update_counts, frame, core, 1, numbers)
                continue
            if not direct or events[e, 0] != counted:
                got = count_there(base, row_index, events[e, 0], events[e, 1], planes, 0)
                spread(planes, 0, got, False, arrived)
                counted = events[e, 0]
            if events[e, 3]:
                _add(axon_counts, frame, core, events[e, 3], arrived)
            if events[e, 4]:
                _add(synapse_counts, frame, core, events[e, 4], arrived)
        if not silent:
            _wake(
                tick, period, frames, wakes, job[j, 14], job[j, 15], base, row_index, iota, planes, numbers, hot,
                update_counts, core,
            )  # fmt: skip


_one_tick, _pack = (nb.njit(nogil=True, boundscheck=False)(kernel) for kernel in (_tick, pack))


@nb.njit(nogil=True, boundscheck=False)
def _move(numbers, first, lanes, out, more):
    """Write numbers (columns, 512) of a block to those of its frames, out (frames, columns); or add them, if `more`."""
    columns = len(numbers)
    source, to = numbers.reshape(-1), out.reshape(-1)
    for left in range(0, columns, 8):
        many = min(8, columns - left)
        for top in range(0, lanes & -8, 8):
            last = 512 * (columns - 1) + top
            turn_numbers(
                source, 512 * left + top, 512, last, to, columns * (first + top) + left, columns, many, more
            )
        for lane in range(lanes & -8, lanes):
            for column in range(left, left + many):
                old = out[first + lane, column] if more else 0
                out[first + lane, column] = old + numbers[column, lane]


def _frames(
    eights, many, first, end, squares, packed, line_rows, lines,
    jobs, ring, slots, slot_words, valid, v, rows, near, planes, numbers, hot, iota,
    backs, awake, job, inputs, sources, neurons, segments, index, row_index, made, fours, fives, shorts, supports, taps,
    events, spike_index, wakes, reads, membrane, spike_counts, axon_counts, synapse_counts, update_counts, sums,
    neuron_spikes, out_spikes, out_axons, out_synapses, out_updates, out_sums,
):  # fmt: skip
    """Frames first to end of a program through which frames stream, 512 at a time, each in one tick.

    Counts are written, sums added. Row k of `line_rows` is line lines[k], and always on where there is no such line.
    Returns whether all bytes are 0 or 1.
    """
    for block in range(first, end, 512):
        lanes = min(512, end - block)
        for word in range(8):
            left = min(64, max(0, lanes - 64 * word))
            valid[word] = ~np.uint64(0) >> np.uint64(64 - left) if left else np.uint64(0)
        spike_counts[:] = 0
        axon_counts[:] = 0
        synapse_counts[:] = 0
        update_counts[:] = 0
        sums[:] = 0
        if not _pack(eights[block : block + lanes], many, squares, packed):
            return False
        for k in range(len(lines)):
            if lines[k] < many:
                store(line_rows, 8 * k, load(packed, 8 * lines[k]))
        _one_tick(
            0, 1, 1, jobs, ring, slots, slot_words, valid, v, rows, near, planes, numbers, hot, iota,
            backs, awake, job, inputs, sources, neurons, segments, index, row_index, made, fours, fives, shorts, supports,
            taps, events, spike_index, wakes, reads, membrane, spike_counts, axon_counts, synapse_counts, update_counts, sums,
            neuron_spikes,
        )  # fmt: skip
        _move(spike_counts[0], block, lanes, out_spikes, False)
        _move(axon_counts[0], block, lanes, out_axons, False)
        _move(synapse_counts[0], block, lanes, out_synapses, False)
        _move(update_counts[0], block, lanes, out_updates, False)
        _move(sums[0], block, lanes, out_sums, True)
    return True


def compiled() -> tuple[Any, ...]:
    """The kernels (tick, pack, frames), from Numba's cache on disk where there is a place for one."""
    kernels = _tick, pack, _frames
    try:
        return tuple(nb.njit(nogil=True, boundscheck=False, cache=True)(kernel) for kernel in kernels)
    except RuntimeError:  # no writable place for the cache
        return tuple(nb.njit(nogil=True, boundscheck=False)(kernel) for kernel in kernels)
