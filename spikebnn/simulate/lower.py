"""A program lowered to tables for the bit-packed kernel: which rows each neuron sums, and how.

An axon is only a name for the spikes that arrive on it, so axons of one core with the same sources become one
input row, and a neuron's planes become one integer weight per row. Weights of -1, 0, +1 of memoryless neurons are summed
as `spikebnn.simulate.lists` says; those of others as sum(x where +1) + sum(1 - x where -1) - const; larger weights go
bit by bit. Where frames stream, rows are read where they stand; in a run of ticks each job gathers those of its inputs.

A spike that carries a number is a row for each of its bits, which weighs that power of two more, beside the row of the
spike itself, which is counted and weighs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import I32, I64, Array, distinct
from spikebnn.program import FORGETS, MEMORYLESS, NO_FLOOR, SUBTRACT, ZERO, Core, Program
from spikebnn.simulate.arriving import heard, joined, sources, weights
from spikebnn.simulate.lists import (
    FIVE,
    FOUR,
    LONGEST,
    PADDING,
    SHORT_COLUMNS,
    WORDS,
    ZERO_ROW,
    Columns,
    Lists,
    against,
    alone,
    groups,
    in_place,
    supports,
    words,
)
from spikebnn.simulate.wiring import Wiring

FEW = 8  # kinds of events that are counted one by one; more are counted bit by bit
NO_STATE, NO_LEVEL = -1, 2
ME, MODE, THRESHOLD, LEAK, FLOOR, FLOOR_MODE, CONSTANT, SEGMENTS = range(8)
SEGMENTS_END, MEMBRANE, STATE, START, READS, READS_END, BITS, BITS_END = range(8, 16)
INPUTS, INPUTS_END, NEURONS, NEURONS_END, SUPPORTS, SUPPORTS_END, EVENTS, EVENTS_END, WIDTH, INVERT, CORE = (
    range(11)
)
RESTS, V_FIRST, V_END, WAKES, WAKES_END, SHORTS, SHORTS_END, MADE, MADE_END = range(11, 20)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The kernel's tables; columns of `job` and `neurons` are named above."""

    job: I64  # (jobs, 20); RESTS: 1 looks whether anything arrives, 2 is passed over where not and V = 0
    inputs: I32  # (inputs + 1,); first source of each input, over all jobs
    sources: I32  # (sources, 2): row of a slot and 1 + delay; or row behind the last slot, and 0
    taps: I64  # (rows behind the last slot, 2): line, or the number of lines for what is always on, and its delay
    neurons: I64  # (neurons, 16); all that are in none of the next three
    segments: I64  # (segments, 3): first in index, number, shift
    index: Array  # (entries,); words of the inputs of a support, and of zeros behind them
    row_index: I32  # (entries,); words of the inputs of the job, of zeros, and of inverted inputs
    fours: I32  # four neurons each; columns in `spikebnn.simulate.lists`
    fives: I32  # five each
    shorts: I32  # neurons that sum one list
    supports: I64  # (supports, 8): first in `near`, -1 for all inputs of the job, number, then of the last three, with ends
    near: I32  # (entries,); inputs of a job, or rows, that are those of a support
    events: I64  # (groups, 7): first in its index, number, start, per axon event, per synaptic event, spikes, first row
    spike_index: I32  # (entries,); words of rows, from a core's first neuron on
    made: I32  # (rows, 4): row, first source, end of them, whether it is inverted; what no other row is
    direct: bool  # the rows are those of the ring and behind it; otherwise each job gathers its inputs
    behind: int  # rows behind the last slot
    iota: Array  # words of rows that follow each other
    wakes: I32  # (groups, 4): first in index, number, start, neurons that hear these inputs
    reads: I64  # (rows,); sum of each output row, by neuron
    gain: I64  # (neurons, 2): what one tick can add to V and take from it
    slots: int  # ticks that the ring of rows remembers
    rows: int  # rows of a slot: neurons, a row that is never on, and the bits of numbers
    work: int  # rows that one tick adds
    alike: int  # groups of wakes in a job, at most, or inputs of a support
    state: int  # words of membrane planes


def lower(program: Program, wiring: Wiring, collapsed: bool, watch: Array | None = None) -> Plan:
    """The tables of a program; `collapsed` treats a frame as one tick, which needs `streaming`.

    `watch`: the sums are the membranes of these neurons, in rising order, in place of the readout's.
    """
    build = _Build(program, wiring, collapsed, watch)
    order = range(len(program.cores))
    tasks = [(int(start), number) for number in order for start in np.unique(program.cores[number].start)]
    if collapsed:
        for start, number in sorted(tasks):
            build.job(number, np.flatnonzero(program.cores[number].start == start), start)
    else:
        for number in order:
            build.job(number, np.arange(program.cores[number].neurons), None)
    return build.plan()


def fit(plan: Plan, ticks: int) -> Plan:
    """The tables for a run of so many ticks: widths of membranes, and thresholds and floors that no run can reach cut."""
    neurons, job = plan.neurons.copy(), plan.job.copy()
    up, down = plan.gain.T * max(1, ticks)
    mode, threshold = neurons[:, MODE], neurons[:, THRESHOLD]
    once = np.isin(mode, FORGETS)
    up, down = np.where(once, plan.gain[:, 0], up), np.where(once, plan.gain[:, 1], down)
    up = np.where(mode == ZERO, np.minimum(up, np.maximum(threshold, 0) + plan.gain[:, 0]), up)
    floored = ~once & (neurons[:, FLOOR] != NO_FLOOR)
    down = np.where(floored, np.minimum(down, plan.gain[:, 1] - neurons[:, FLOOR]), down)
    reach = np.maximum(up, down) + 1
    neurons[:, THRESHOLD] = np.clip(threshold, -reach, reach)
    never = once | (neurons[:, FLOOR] == NO_FLOOR) | (neurons[:, FLOOR] < -reach)
    neurons[never, FLOOR], neurons[never, FLOOR_MODE] = 0, NO_LEVEL
    state = 0
    for number, (first, stop) in enumerate(job[:, [NEURONS, NEURONS_END]].tolist()):
        width = int(2 * reach[first:stop].max(initial=1) + 2).bit_length() + 1
        if width > 60:
            raise OverflowError(
                f"membranes of core {int(job[number, CORE])} can reach {int(reach[first:stop].max())}"
            )
        job[number, WIDTH] = width
        kept = first + np.flatnonzero(~once[first:stop])
        neurons[kept, STATE] = state + 8 * width * np.arange(len(kept))
        job[number, V_FIRST], state = state, state + 8 * width * len(kept)
        job[number, V_END] = state
    return replace(plan, neurons=neurons, job=job, state=state)


def _share(table: I64, index: Array, made: int) -> None:
    """Let what has the same rows begin at the same place, so that it is done once; rows from `made` on change."""
    seen: dict[bytes, int] = {}
    for entry in table:
        rows = index[entry[0] : entry[0] + entry[1]]
        if rows.max(initial=0) < made:
            entry[0] = seen.setdefault(rows.tobytes(), int(entry[0]))


def _rests(core: Core) -> bool:
    """Whether no neuron fires or moves from V = 0 where nothing arrives."""
    forgets = np.isin(core.reset, FORGETS) & (core.threshold > core.leak)
    stays = (core.leak == 0) & (core.threshold > 0) & (core.floor <= 0)
    return bool((forgets & (core.floor <= 0) | stays).all())


class _Build:
    """Grows the tables job by job."""

    def __init__(self, program: Program, wiring: Wiring, collapsed: bool, watch: Array | None) -> None:
        self.program, self.wiring, self.collapsed, self.watch = program, wiring, collapsed, watch
        self.fed = sources(program, wiring, collapsed)
        self.lists, self.row_lists, self.spike_lists = Lists(), Lists(), Lists()
        self.work = self.alike = 0
        many = [int(top).bit_length() if top > 1 else 0 for top in wiring.payload.tolist()]  # bits of numbers
        self.bits = np.concatenate([[0], np.cumsum(many)]).astype(np.int64)
        self.jobs: list[I64] = []
        self.ends: list[Array] = [np.zeros(1, np.int64)]
        self.columns: dict[str, list[Array]] = {
            name: [np.zeros((0, width), np.int64)]
            for name, width in (
                ("sources", 2), ("neurons", 16), ("segments", 3), ("fours", Columns(4).width), ("fives", Columns(5).width),
                ("shorts", SHORT_COLUMNS), ("supports", 8), ("near", 1), ("events", 7), ("wakes", 4), ("reads", 1),
                ("gain", 2),
            )
        }  # fmt: skip
        self.sizes = dict.fromkeys(self.columns, 0)

    def put(self, name: str, rows: Array) -> int:
        """Append rows to a table; the number of its first one."""
        self.columns[name].append(rows.astype(np.int64))
        self.sizes[name] += len(rows)
        return self.sizes[name] - len(rows)

    def job(self, number: int, some: Array, start: int | None) -> None:
        """One job: the neurons `some` of a core, all of it or those with this start."""
        core, fed, low = self.program.cores[number], self.fed, int(self.wiring.axon_first[number])
        axon_start = self.wiring.axon_start[low : low + core.axons]
        weight, reached = weights(core)[some], joined(core)[some]
        mine = np.ones(core.axons, bool) if start is None else reached.any(axis=0) | (axon_start == start)
        axon = np.flatnonzero(mine & (fed.key[low : low + core.axons] >= 0))
        _, at, inverse = np.unique(fed.key[low + axon], return_index=True, return_inverse=True)
        inverse, k = inverse.ravel(), len(at)
        start_of = fed.first[low + axon[at]]
        many = fed.first[low + axon[at] + 1] - start_of
        rows = np.arange(int(many.sum())) + np.repeat(start_of - (np.cumsum(many) - many), many)
        first_source = self.put("sources", np.stack([fed.row[rows], fed.delay[rows]], axis=1))
        first_input = sum(map(len, self.ends)) - 1
        self.ends.append(first_source + np.cumsum(many))
        by = np.argsort(inverse, kind="stable")
        merged = weight[:, axon[by]]
        if k < len(axon):  # some axons carry the same spikes
            merged = np.add.reduceat(merged, np.searchsorted(inverse[by], np.arange(k)), axis=1)
        merged = self._numbers(merged, rows[np.cumsum(many) - many])
        k = merged.shape[1]
        if self.collapsed:
            inputs = first_input + np.arange(k)
            self.row_lists.place = np.concatenate([inputs, np.full(PADDING, ZERO_ROW), -2 - inputs]).astype(
                np.int32
            )
        first = dict(self.sizes)
        table, gain = self._parameters(number, some, merged)
        invert, first["shorts"] = self._sums(table, merged, gain)
        hears = heard(reached[:, axon], inverse, len(at))
        echoes = self._echoes(table, merged, hears)
        self._events(number, some, echoes, start, axon, inverse, k)
        self._wakes(number, some[~echoes], hears[~echoes], k)
        row = np.zeros(20, np.int64)
        row[[INPUTS, INPUTS_END, INVERT, CORE]] = first_input, first_input + k, invert, number
        row[RESTS] = 0 if self.collapsed else 1 + _rests(core)
        for name, begin, end in (
            ("neurons", NEURONS, NEURONS_END), ("supports", SUPPORTS, SUPPORTS_END), ("events", EVENTS, EVENTS_END),
            ("wakes", WAKES, WAKES_END), ("shorts", SHORTS, SHORTS_END),
        ):  # fmt: skip
            row[[begin, end]] = first[name], self.sizes[name]
        self.alike = max(self.alike, int(row[WAKES_END] - row[WAKES]))
        self.jobs.append(row)

    def _numbers(self, weight: Array, entry: I64) -> Array:
        """The weights (neurons, inputs) with an input more for each bit of numbers; entry k of `fed` begins input k."""
        source = self.fed.row[entry]
        source = np.where(source < self.wiring.neurons, source, -1)
        many = np.where(source < 0, 0, np.diff(self.bits)[source]) if len(source) else source
        at = np.repeat(np.arange(len(source)), many)
        if not len(at):
            return weight
        bit = np.arange(len(at)) - np.repeat(np.cumsum(many) - many, many)
        row = -1 - (self.bits[source[at]] + bit)  # placed behind all neurons, when these are known
        first = self.put("sources", np.stack([row, self.fed.delay[entry[at]]], axis=1))
        self.ends.append(first + 1 + np.arange(len(at)))
        return np.concatenate([np.where(many > 0, 0, weight), weight[:, at] << bit], axis=1)

    def _sums(self, table: Array, weight: Array, gain: Array) -> tuple[bool, int]:
        """Put the neurons into the tables by which they are summed; whether inverted inputs are read, and the first short."""
        size = np.count_nonzero(weight, axis=1)
        small = np.abs(weight).max(axis=1, initial=0) <= 1
        quick = (
            (table[:, MODE] == MEMORYLESS)
            & (table[:, READS] == table[:, READS_END])
            & small
            & (size <= LONGEST)
        )
        quick &= table[:, BITS] == table[:, BITS_END]
        me, start, bound = table[:, ME], table[:, START], table[:, LEAK] - table[:, THRESHOLD]
        which, shared = supports(weight, quick)
        for k, inputs in enumerate(shared):
            some = np.flatnonzero(which == k)
            near = -1 if len(inputs) == weight.shape[1] and not self.collapsed else self._near(inputs)
            self._alike(weight[np.ix_(some, inputs)] > 0, near, me[some], bound[some], start[some])
        one = np.flatnonzero(quick & (which < 0))
        minus = weight[one] < 0
        rows = alone(weight[one] > 0, minus, me[one], bound[one], start[one], self.row_lists)
        first = self.put("shorts", rows)
        self.work += int(rows[:, 2].sum())
        slow = np.flatnonzero(~quick)
        invert = self._segments(table, weight, slow, small)
        self.put("neurons", table[slow])
        self.put("gain", gain[slow])
        return invert or bool(minus.any()), first

    def _near(self, inputs: Array) -> int:
        """Inputs of the job at hand as those of a support."""
        place = self.row_lists.place
        return self.put("near", (inputs if place is None else place[inputs])[:, None])

    def _alike(self, plus: Array, near: int, me: I64, bound: I64, start: I64) -> None:
        """Neurons that share a support, whose inputs stand at `near`, -1 for all; plus (neurons, inputs), 0/1."""
        inputs = plus.shape[1]
        kinds = "fours", "fives", "shorts"
        begun = [self.sizes[kind] for kind in kinds]
        if inputs >= FOUR:
            many = 5 if inputs >= FIVE else 4
            at, nobody = Columns(many), self.wiring.neurons
            for value in np.unique(start).tolist():
                some = np.flatnonzero(start == value)
                rows = groups(plus[some], me[some], bound[some], value, nobody, self.lists, many)
                self.put(kinds[many - 4], rows)
                self.work += int(rows[:, at.number : at.kind].sum())
        else:
            rows = against(plus, me, bound, start, self.lists)
            self.put("shorts", rows)
            self.work += int(rows[:, 2].sum())
        self.work += inputs
        self.alike = max(self.alike, inputs)
        ends = [self.sizes[kind] for kind in kinds]
        self.put("supports", np.array([[near, inputs, *np.stack([begun, ends], axis=1).ravel()]]))

    def _segments(self, table: Array, weight: Array, slow: I64, small: Array) -> bool:
        """Write how each of the neurons `slow` sums into its row of `table`; whether inverted inputs are read."""
        weight, small = weight[slow], small[slow]
        plus, minus, count = (weight == 1) & small[:, None], (weight == -1) & small[:, None], len(slow)
        constant, zero = -minus.sum(axis=1), weight.shape[1]
        gap = np.zeros((count, PADDING), bool)
        parts = [(np.arange(count), np.concatenate([plus, gap, minus], axis=1), np.zeros(count, np.int64))]
        large = np.flatnonzero(~small)
        for bit in range(int(np.abs(weight).max(initial=0)).bit_length() if len(large) else 0):
            has = (np.abs(weight[large]) >> bit & 1).astype(bool)
            down = has & (weight[large] < 0)
            constant[large] -= down.sum(axis=1) << bit
            wanted = np.concatenate([has & ~down, gap[large], down], axis=1)
            parts.append((large, wanted, np.full(len(large), bit)))
        owner, wanted, shift = (np.concatenate(column) for column in zip(*parts))
        invert = bool(wanted[:, zero:].any())
        pieces = []
        for k in range(0, max(1, wanted.shape[1]), LONGEST):
            row, column = np.nonzero(wanted[:, k : k + LONGEST])
            first, number = self.row_lists.put(column + k, np.bincount(row, minlength=len(wanted)), zero)
            pieces.append(np.stack([first, number, shift, owner], axis=1))
            self.work += int(number.sum())
        rows = np.concatenate(pieces)
        rows = rows[rows[:, 1] > 0]
        rows = rows[np.argsort(rows[:, 3], kind="stable")]
        base = self.put("segments", rows[:, :3])
        table[slow, SEGMENTS] = base + np.searchsorted(rows[:, 3], np.arange(count))
        table[slow, SEGMENTS_END] = base + np.searchsorted(rows[:, 3], np.arange(count), side="right")
        table[slow, CONSTANT] = constant
        return invert

    def _parameters(self, number: int, some: Array, weight: Array) -> tuple[Array, Array]:
        """The neurons' table with their own numbers, and how far a tick can move each up and down."""
        core, readout = self.program.cores[number], self.program.readout
        table = np.zeros((len(some), 16), np.int64)
        table[:, ME] = self.wiring.neuron_first[number] + some
        table[:, MODE], table[:, THRESHOLD], table[:, LEAK] = (
            core.reset[some],
            core.threshold[some],
            core.leak[some],
        )
        table[:, FLOOR], table[:, FLOOR_MODE] = core.floor[some], core.floor_mode[some]
        table[:, START] = 0 if self.collapsed else core.start[some]
        table[:, STATE] = NO_STATE
        table[:, BITS] = self.wiring.neurons + 1 + self.bits[table[:, ME]]
        table[:, BITS_END] = self.wiring.neurons + 1 + self.bits[table[:, ME] + 1]
        if self.watch is None:
            outputs = self.program.outputs[self.program.outputs[:, 1] == number]
            outputs = outputs[np.argsort(outputs[:, 2], kind="stable")]
            outputs = outputs[np.isin(outputs[:, 2], some)]
            first = self.put("reads", outputs[:, :1])
            table[:, READS] = first + np.searchsorted(outputs[:, 2], some)
            table[:, READS_END] = first + np.searchsorted(outputs[:, 2], some, side="right")
            table[:, MEMBRANE] = (table[:, READS] < table[:, READS_END]) & (readout == "membrane")
        else:
            on = np.isin(table[:, ME], self.watch)
            first = self.put("reads", np.searchsorted(self.watch, table[on, ME])[:, None])
            table[:, READS] = first + np.cumsum(on) - on
            table[:, READS_END], table[:, MEMBRANE] = table[:, READS] + on, on
        leak, threshold = table[:, LEAK], table[:, THRESHOLD]
        up = np.maximum(weight, 0).sum(axis=1) + np.maximum(leak, 0)
        up += np.where(table[:, MODE] == SUBTRACT, np.maximum(-threshold, 0), 0)
        return table, np.stack([up, np.maximum(-weight, 0).sum(axis=1) + np.maximum(-leak, 0)], axis=1)

    def _echoes(self, table: Array, weight: Array, hears: Array) -> Array:
        """Neurons that spike just where an input is active, so that their spikes are their updates."""
        if self.wiring.numbers:
            return np.zeros(len(table), bool)
        least = table[:, THRESHOLD] - table[:, LEAK]
        enough = (np.where(hears, weight, 1) >= np.maximum(least, 1)[:, None]) | ~hears
        out: Array = (table[:, MODE] == MEMORYLESS) & (least > 0) & enough.all(axis=1) & hears.any(axis=1)
        return out

    def _events(
        self,
        number: int,
        some: Array,
        echoes: Array,
        start: int | None,
        axon: Array,
        inverse: Array,
        zero: int,
    ) -> None:
        """What is counted in this job, by start of the window; `zero` is its row that is never on."""
        core, low = self.program.cores[number], int(self.wiring.axon_first[number])
        neurons = int(self.wiring.neuron_first[number])
        for echo in (False, True):
            own = some[echoes == echo]
            for value in np.unique(core.start[own]).tolist():
                mine, at = own[core.start[own] == value], 0 if self.collapsed else value
                self._group(mine, self.wiring.neurons - neurons, at, 0, 0, 1 + echo, neurons)
        k = int(inverse.max(initial=-1)) + 1
        axon_start, fanout = self.wiring.axon_start[low + axon], self.wiring.fanout[low + axon]
        for value in np.unique(axon_start).tolist():
            if start is not None and value != start:
                continue
            own = axon_start == value
            axons = np.bincount(inverse[own], minlength=k)
            synapses = np.rint(np.bincount(inverse[own], fanout[own].astype(float), minlength=k)).astype(
                np.int64
            )
            kinds = np.unique(np.stack([axons, synapses], axis=1)[axons > 0], axis=0).tolist()
            at = 0 if self.collapsed else value
            if len(kinds) <= FEW:
                for a, s in kinds:
                    self._group(np.flatnonzero((axons == a) & (synapses == s)), zero, at, a, s)
            else:
                for counts, is_axon in ((axons, 1), (synapses, 0)):
                    for bit in range(int(counts.max()).bit_length()):
                        one = 1 << bit
                        on = np.flatnonzero(counts >> bit & 1)
                        self._group(on, zero, at, one * is_axon, one * (1 - is_axon))

    def _wakes(self, number: int, some: Array, hears: Array, zero: int) -> None:
        """Which neurons hear the same inputs, by start of the window; `hears` (neurons, inputs) says where a synapse is."""
        starts = self.program.cores[number].start[some]
        for value in np.unique(starts).tolist():
            own = hears[starts == value]
            first_of, count, _ = distinct(own)
            deaf = ~own[first_of].any(axis=1)
            first_of, count = first_of[~deaf], count[~deaf]
            order = np.argsort(count, kind="stable")
            at, entries = self.row_lists.add(own[first_of[order]], zero)
            start = np.full(len(order), 0 if self.collapsed else value)
            self.put("wakes", np.stack([at, entries, start, count[order]], axis=1))

    def _group(
        self, rows: Array, zero: int, start: int, axons: int, synapses: int, spikes: int = 0, neurons: int = 0
    ) -> None:
        """Rows that are counted together: inputs, or spikes (1; 2 for updates too) of neurons from number `neurons` on."""
        for k in range(0, len(rows), LONGEST):
            some = rows[k : k + LONGEST]
            lists = self.spike_lists if spikes else self.row_lists
            first, number = lists.put(some, np.array([len(some)]), zero)
            self.put("events", np.array([[first[0], number[0], start, axons, synapses, spikes, neurons]]))

    def plan(self) -> Plan:
        """All tables, joined."""
        columns = {name: np.ascontiguousarray(np.concatenate(rows)) for name, rows in self.columns.items()}
        columns["reads"], columns["near"] = columns["reads"].ravel(), columns["near"].ravel()
        sources, neurons = columns["sources"], self.wiring.neurons
        outside = sources[:, 0] >= neurons
        slots = 1 + int(sources[~outside, 1].max(initial=0))
        taps, which = np.unique(sources[outside] - np.array([neurons, 0]), axis=0, return_inverse=True)
        number, rows = sources[:, 0] < 0, neurons + 1 + int(self.bits[-1])
        sources[number, 0] = neurons - sources[number, 0]
        sources[outside, 0], sources[outside, 1] = slots * rows + which.ravel(), -1
        sources[:, 1] += 1
        jobs, inputs = np.array(self.jobs, np.int64).reshape(-1, 20), np.concatenate(self.ends)
        row_index, made, extra = self.row_lists.join(), np.zeros((0, 4), np.int64), 0
        if self.collapsed:
            ends = jobs[:, [INPUTS, INPUTS_END]]
            own = in_place(ends, inputs, sources[:, 0], row_index, slots * rows + len(taps), neurons)
            row_index, columns["near"], made = own.row[row_index], own.row[columns["near"]], own.made
            jobs[:, [MADE, MADE_END]], extra = own.ends, own.most
            arriving = columns["events"][columns["events"][:, 5] == 0]
            for table, index in ((columns["supports"], columns["near"]), (arriving, row_index)):
                _share(table, index, slots * rows + len(taps))
            columns["events"][columns["events"][:, 5] == 0] = arriving
        for name in ("sources", "fours", "fives", "shorts", "wakes", "near"):
            columns[name] = columns[name].astype(np.int32)
        last = max(self.alike + PADDING, *(int(part.max(initial=0)) for part in self.lists.parts))
        kind = np.uint16 if WORDS * last < 2**16 else np.int32
        return Plan(
            job=jobs,
            taps=taps,
            inputs=inputs.astype(np.int32),
            work=self.work,
            alike=self.alike,
            index=words(self.lists.join(), kind),
            row_index=words(row_index, np.int32),
            spike_index=words(self.spike_lists.join(), np.int32),
            iota=words(np.arange(self.alike + PADDING), kind),
            made=made.astype(np.int32),
            direct=self.collapsed,
            behind=len(taps) + extra,
            slots=slots,
            rows=rows,
            state=0,
            **columns,
        )
