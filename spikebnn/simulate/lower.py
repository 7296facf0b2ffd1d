"""A program lowered to tables for the bit-packed kernel: which rows each neuron sums, and how.

An axon is only a name for the spikes that arrive on it, so axons of one core with the same sources become one
input row, and a neuron's planes become one integer weight per row. Weights of -1, 0, +1 are summed as
sum(x where +1) + sum(1 - x where -1) - const, or, where neurons share their support S, as
2 * sum(x where +1) - sum(x in S), which takes half the rows; larger weights go bit by bit.

A spike that carries a number is a row for each of its bits, which weighs that power of two more, beside the row of the
spike itself, which is counted and weighs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import I64, Array, distinct
from spikebnn.program import FORGETS, NO_FLOOR, SUBTRACT, ZERO, Core, Program
from spikebnn.simulate.arriving import heard, joined, sources, weights
from spikebnn.simulate.wiring import Wiring

LONGEST = 4092  # rows in one list; the kernel counts up to 4095
SHARED = (4, 16)  # a support is summed once if so many neurons share it, and it has so many rows
FEW = 8  # kinds of events that are counted one by one; more are counted bit by bit
FOUR = 192  # rows of a support from which on four neurons are summed together, input class by input class
NO_SUPPORT, NO_STATE, NO_LEVEL, NO_QUAD = -1, -1, 2, -1
QUADS_AT, SUPPORTS_AT = 1024, 2560  # words in the kernel's planes
ME, MODE, THRESHOLD, LEAK, FLOOR, FLOOR_MODE, SUPPORT, FLIP = range(8)
CONSTANT, SEGMENTS, SEGMENTS_END, MEMBRANE, STATE, START, READS, READS_END, QUAD, READY, BITS, BITS_END = (
    range(8, 20)
)
INPUTS, INPUTS_END, NEURONS, NEURONS_END, SUPPORTS, SUPPORTS_END, EVENTS, EVENTS_END, WIDTH, INVERT, CORE = (
    range(11)
)
RESTS, V_FIRST, V_END, WAKES, WAKES_END = range(11, 16)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The kernel's tables; columns of `job` and `neurons` are named above."""

    job: I64  # (jobs, 16); RESTS: 1 looks whether anything arrives, 2 is passed over where not and V = 0
    inputs: I64  # (inputs + 1,); first source of each input, over all jobs
    sources: I64  # (sources, 2): row of a slot and delay; or row behind the last slot, and -1
    taps: I64  # (rows behind the last slot, 2): line, or the number of lines for what is always on, and its delay
    neurons: I64  # (neurons, 20)
    segments: I64  # (segments, 3): first in index, number, shift
    index: Array  # (entries,); input rows of the job, inverted ones behind, a zero row last
    quads: I64  # (quads, 33): first and number of 16 input classes, and how many planes they need
    supports: I64  # (supports, 3): first in index, number, word in planes
    events: (
        I64  # (groups, 6): first in event_index, number, start, per axon event, per synaptic event, is spikes
    )
    event_index: Array  # (entries,) int32
    wakes: I64  # (groups, 4): first in event_index, number, start, neurons that hear these inputs
    reads: I64  # (rows,); sum of each output row, by neuron
    gain: I64  # (neurons, 2): what one tick can add to V and take from it
    slots: int  # ticks that the ring of rows remembers
    rows: int  # rows of a slot: neurons, a row that is never on, and the bits of numbers
    state: int  # words of membrane planes


def lower(program: Program, wiring: Wiring, collapsed: bool) -> Plan:
    """The tables of a program; `collapsed` treats a frame as one tick, which needs `streaming`."""
    build = _Build(program, wiring, collapsed)
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


def _rests(core: Core) -> bool:
    """Whether no neuron fires or moves from V = 0 where nothing arrives."""
    forgets = np.isin(core.reset, FORGETS) & (core.threshold > core.leak)
    stays = (core.leak == 0) & (core.threshold > 0) & (core.floor <= 0)
    return bool((forgets & (core.floor <= 0) | stays).all())


class _Lists:
    """Lists of row numbers end to end, each padded with the zero row to a multiple of four."""

    def __init__(self) -> None:
        self.parts: list[Array] = [np.zeros(0, np.int32)]
        self.size = 0

    def add(self, wanted: Array, zero: int) -> tuple[Array, Array, Array]:
        """One list per row of a 0/1 matrix, or more where it is too long: (first, number, row), empty ones left out."""
        step = LONGEST if int(wanted.sum(axis=1).max(initial=0)) > LONGEST else max(1, wanted.shape[1])
        found = [
            self.chunk(wanted[:, k : k + step], k, zero) for k in range(0, max(1, wanted.shape[1]), step)
        ]
        first, number, row = (np.concatenate(column) for column in zip(*found))
        order = np.argsort(row, kind="stable")
        return first[order], number[order], row[order]

    def chunk(self, wanted: Array, shift: int, zero: int) -> tuple[Array, Array, Array]:
        """One list per row of a 0/1 matrix, however long, whose first column is number `shift`."""
        row, column = np.nonzero(wanted)
        used, start, count = np.unique(row, return_index=True, return_counts=True)
        number = -(-count // 4) * 4
        first = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
        entries = np.full(int(first[-1]), zero, np.int32)
        entries[np.repeat(first[:-1] - start, count) + np.arange(len(row))] = column + shift
        self.parts.append(entries)
        self.size += len(entries)
        return first[:-1] + self.size - len(entries), number, used

    def join(self, kind: type[np.generic]) -> Array:
        return np.concatenate(self.parts).astype(kind)


class _Build:
    """Grows the tables job by job."""

    def __init__(self, program: Program, wiring: Wiring, collapsed: bool) -> None:
        self.program, self.wiring, self.collapsed = program, wiring, collapsed
        self.fed = sources(program, wiring, collapsed)
        self.lists, self.event_lists = _Lists(), _Lists()
        many = [int(top).bit_length() if top > 1 else 0 for top in wiring.payload.tolist()]  # bits of numbers
        self.bits = np.concatenate([[0], np.cumsum(many)]).astype(np.int64)
        self.jobs: list[list[int]] = []
        self.ends: list[Array] = [np.zeros(1, np.int64)]
        self.columns: dict[str, list[Array]] = {
            name: [np.zeros((0, width), np.int64)]
            for name, width in (
                ("sources", 2), ("neurons", 20), ("segments", 3), ("quads", 33), ("supports", 3), ("events", 6),
                ("wakes", 4), ("reads", 1), ("gain", 2),
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
        rows = np.concatenate(
            [np.zeros(0, np.int64), *(np.arange(fed.first[a], fed.first[a + 1]) for a in low + axon[at])]
        )
        many = (fed.first[low + axon[at] + 1] - fed.first[low + axon[at]]).astype(np.int64)
        first_source = self.put("sources", np.stack([fed.row[rows], fed.delay[rows]], axis=1))
        first_input = sum(map(len, self.ends)) - 1
        self.ends.append(first_source + np.cumsum(many))
        merged = np.zeros((len(some), k), np.int64)
        if k:
            by = np.argsort(inverse, kind="stable")
            merged = np.add.reduceat(weight[:, axon[by]], np.searchsorted(inverse[by], np.arange(k)), axis=1)
        merged = self._numbers(merged, rows[np.cumsum(many) - many])
        k = merged.shape[1]
        supports, neurons, events = (self.sizes[name] for name in ("supports", "neurons", "events"))
        table, invert = self._sums(merged)
        gain = self._parameters(table, number, some, merged)
        self._events(number, some, start, axon, inverse, 2 * k)
        wakes = self._wakes(number, some, reached[:, axon], inverse, 2 * k)
        order = np.argsort(table[:, SUPPORT] * (table[:, READY] != NO_QUAD), kind="stable")
        self.put("neurons", table[order])
        self.put("gain", gain[order])
        ends = [
            neurons,
            self.sizes["neurons"],
            supports,
            self.sizes["supports"],
            events,
            self.sizes["events"],
        ]
        rests = 0 if self.collapsed else 1 + _rests(core)
        self.jobs.append(
            [first_input, first_input + k, *ends, 0, invert, number, rests, 0, 0, wakes, self.sizes["wakes"]]
        )

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

    def _sums(self, weight: Array) -> tuple[Array, int]:
        """The neurons' table with segments, supports and constants; and 1 where inverted inputs are read."""
        count, k = weight.shape
        table = np.zeros((count, 20), np.int64)
        table[:, QUAD] = table[:, READY] = NO_QUAD
        plus, minus, size = weight == 1, weight == -1, (weight != 0).sum(axis=1)
        small = (np.abs(weight) <= 1).all(axis=1)
        support, offset = self._supports(weight, small & (size >= SHARED[1]) & (size <= LONGEST))
        shared = support >= 0
        table[:, SUPPORT] = offset
        # x summed where +1, and 1 - x where -1; with a support only the shorter of the two, twice
        by_plus = shared & (plus.sum(axis=1) <= minus.sum(axis=1))
        by_plus |= self._quads(table, weight, support, size)
        alone = table[:, READY] == NO_QUAD
        plus &= (small & alone & (by_plus | ~shared))[:, None]
        minus &= (small & ~by_plus)[:, None]
        table[by_plus, FLIP] = -1
        table[:, CONSTANT] = np.where(by_plus, 1, -minus.sum(axis=1) * np.where(shared, 2, 1))
        parts = [(np.arange(count), np.concatenate([plus, minus], axis=1), shared.astype(np.int64))]
        large = np.flatnonzero(~small)
        for bit in range(int(np.abs(weight).max(initial=0)).bit_length() if len(large) else 0):
            has = (np.abs(weight[large]) >> bit & 1).astype(bool)
            down = has & (weight[large] < 0)
            table[large, CONSTANT] -= down.sum(axis=1) << bit
            parts.append((large, np.concatenate([has & ~down, down], axis=1), np.full(len(large), bit)))
        owner, wanted, shift = (np.concatenate(column) for column in zip(*parts))
        order = np.argsort(owner, kind="stable")
        first, number, row = self.lists.add(wanted[order], 2 * k)
        base = self.put("segments", np.stack([first, number, shift[order][row]], axis=1))
        table[:, SEGMENTS] = base + np.searchsorted(owner[order][row], np.arange(count))
        table[:, SEGMENTS_END] = base + np.searchsorted(owner[order][row], np.arange(count), side="right")
        return table, int(wanted[:, k:].any())

    def _quads(self, table: Array, weight: Array, support: Array, size: Array) -> Array:
        """Put neurons of one large support together by fours, as far as they go; returns who is in."""
        taken = np.zeros(len(weight), bool)
        for number in np.unique(support[(support >= 0) & (size >= FOUR)]):
            member = np.flatnonzero(support == number)
            four = member[: len(member) // 4 * 4].reshape(-1, 4)
            if not len(four):
                continue
            code = ((weight[four] > 0) << np.arange(4)[:, None]).sum(axis=1)
            order = np.array([[c + 8, c] for c in range(7, -1, -1)]).ravel()  # 15, 7, 14, 6, ... 8, 0
            wanted = (code[:, None] == order[:, None]) & (order[:, None] > 0)
            first, count, row = self.lists.add(wanted.reshape(-1, weight.shape[1]), 2 * weight.shape[1])
            rows = np.zeros((len(four) * 16, 2), np.int64)
            rows[row] = np.stack([first, count], axis=1)
            both, whole = wanted.sum(axis=2).reshape(-1, 8, 2).sum(axis=2).max(axis=1), size[member[0]]
            enough = np.where((both < 64) & (whole < 512), 0, np.where((both < 256) & (whole < 1024), 1, 2))
            base = self.put("quads", np.concatenate([rows.reshape(len(four), 32), enough[:, None]], axis=1))
            table[four[:, 0], QUAD] = base + np.arange(len(four))
            table[four, READY] = QUADS_AT + 96 * np.arange(4)
            taken[four] = True
        return taken

    def _supports(self, weight: Array, able: Array) -> tuple[Array, Array]:
        """Number of each neuron's shared support within the job, and its word in `planes`; -1 for none."""
        support = np.full(len(weight), NO_SUPPORT)
        _, _, which = distinct(weight != 0)
        often = np.bincount(which[able], minlength=len(weight))[which] >= SHARED[0]
        patterns, at, inverse = np.unique(which[able & often], return_index=True, return_inverse=True)
        if len(patterns):
            support[able & often] = inverse.ravel()
            member = np.flatnonzero(able & often)[at]
            first, number, _ = self.lists.add(weight[member] != 0, 2 * weight.shape[1])
            self.put(
                "supports", np.stack([first, number, SUPPORTS_AT + 512 * np.arange(len(patterns))], axis=1)
            )
        return support, np.where(support >= 0, SUPPORTS_AT + 512 * support, NO_SUPPORT)

    def _parameters(self, table: Array, number: int, some: Array, weight: Array) -> Array:
        """The neurons' own numbers, what they add to the sums, and how far a tick can move them."""
        core, readout = self.program.cores[number], self.program.readout
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
        outputs = self.program.outputs[self.program.outputs[:, 1] == number]
        outputs = outputs[np.argsort(outputs[:, 2], kind="stable")]
        outputs = outputs[np.isin(outputs[:, 2], some)]
        first = self.put("reads", outputs[:, :1])
        table[:, READS] = first + np.searchsorted(outputs[:, 2], some)
        table[:, READS_END] = first + np.searchsorted(outputs[:, 2], some, side="right")
        table[:, MEMBRANE] = (table[:, READS] < table[:, READS_END]) & (readout == "membrane")
        leak, threshold = table[:, LEAK], table[:, THRESHOLD]
        up = np.maximum(weight, 0).sum(axis=1) + np.maximum(leak, 0)
        up += np.where(table[:, MODE] == SUBTRACT, np.maximum(-threshold, 0), 0)
        return np.stack([up, np.maximum(-weight, 0).sum(axis=1) + np.maximum(-leak, 0)], axis=1)

    def _events(
        self, number: int, some: Array, start: int | None, axon: Array, inverse: Array, zero: int
    ) -> None:
        """What is counted in this job, by start of the window; `zero` is its row that is never on."""
        core, low = self.program.cores[number], int(self.wiring.axon_first[number])
        silent = self.wiring.neurons
        for value in np.unique(core.start[some]).tolist():
            mine = np.zeros((1, self.wiring.neurons), bool)
            mine[0, self.wiring.neuron_first[number] + some[core.start[some] == value]] = True
            self._group(mine, silent, 0 if self.collapsed else value, 0, 0, 1)
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
                    self._group(((axons == a) & (synapses == s))[None], zero, at, a, s, 0)
            else:
                for counts, is_axon in ((axons, 1), (synapses, 0)):
                    for bit in range(int(counts.max()).bit_length()):
                        one = 1 << bit
                        self._group(
                            (counts >> bit & 1 == 1)[None], zero, at, one * is_axon, one * (1 - is_axon), 0
                        )

    def _wakes(self, number: int, some: Array, reached: Array, inverse: Array, zero: int) -> int:
        """Which neurons hear the same inputs, by start of the window; `reached` (neurons, axons) says where a synapse is."""
        first = self.sizes["wakes"]
        hears = heard(reached, inverse, int(inverse.max(initial=-1)) + 1)
        starts = self.program.cores[number].start[some]
        for value in np.unique(starts).tolist():
            own = hears[starts == value]
            first_of, count, _ = distinct(own)
            wanted = own[first_of]
            at, entries, row = self.event_lists.chunk(wanted, 0, zero)
            start = np.full(len(row), 0 if self.collapsed else value)
            self.put("wakes", np.stack([at, entries, start, count[row]], axis=1))
        return first

    def _group(self, wanted: Array, zero: int, start: int, axons: int, synapses: int, spikes: int) -> None:
        first, number, _ = self.event_lists.add(wanted, zero)
        for f, n in zip(first.tolist(), number.tolist()):
            self.put("events", np.array([[f, n, start, axons, synapses, spikes]]))

    def plan(self) -> Plan:
        """All tables, joined."""
        columns = {name: np.ascontiguousarray(np.concatenate(rows)) for name, rows in self.columns.items()}
        widest = 2 * max((job[INPUTS_END] - job[INPUTS] for job in self.jobs), default=0)
        columns["reads"] = columns["reads"].ravel()
        sources, neurons = columns["sources"], self.wiring.neurons
        outside = sources[:, 0] >= neurons
        slots = 1 + int(sources[~outside, 1].max(initial=0))
        taps, which = np.unique(sources[outside] - np.array([neurons, 0]), axis=0, return_inverse=True)
        number, rows = sources[:, 0] < 0, neurons + 1 + int(self.bits[-1])
        sources[number, 0] = neurons - sources[number, 0]
        sources[outside, 0], sources[outside, 1] = slots * rows + which.ravel(), -1
        return Plan(
            job=np.array(self.jobs, np.int64).reshape(-1, 16),
            taps=taps,
            inputs=np.concatenate(self.ends).astype(np.int64),
            index=self.lists.join(np.uint16 if widest < 2**16 else np.int32),
            event_index=self.event_lists.join(np.int32),
            slots=slots,
            rows=rows,
            state=0,
            **columns,
        )
