"""A program lowered for following events: each frame alone, neurons side by side, only active inputs are touched.

The frame's signals are one row of bits: the lines, then the neurons of every job in their order, then the joined
signals of axons that several spikes share. A job is a set of neurons that read the same signals: the cores of one
start that hear the same sources become one job, so that an active input adds one long row of weights, not one per core.
Needs `arriving.streaming`: period 1, memoryless, and each axon carries what belongs to the frame of its window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, U64, Array, aligned, aligned_copy, distinct
from spikebnn.program import Program
from spikebnn.simulate.arriving import Fed, heard, joined, sources, weights
from spikebnn.simulate.wiring import Wiring

BLOCK = 8  # words of a row: 512 neurons
(
    WORDS_FIRST, WORDS_END, JOIN_FIRST, JOIN_END, SEGMENTS, SEGMENTS_END, OUT, BLOCKS, LEVEL, WIDTH, ZERO_ROW, FULL,
    GROUPS, GROUPS_END, TALLIES, TALLIES_END, READS, READS_END, NEURONS, FEW, RUNS, RUNS_END, WAKES, WAKES_END, STARTS,
    SLOTS, PLANES, DIRECT,
) = range(28)  # fmt: skip
SPARSE = (
    1.5  # rows of weights for each input up to which inputs are numbered by their place among the signals
)
STARTS_OF = (
    (110, 8),
    (2030, 12),
    (32750, 16),
)  # inputs of a job, and planes that hold what a sum lacks or has too much
STARTS_BYTES = 1 << 26  # memory for the planes with which sums begin, 1 KB each
MOST_ROWS = 2**16 // BLOCK - 3  # of a job, and two more
SMALL = 64  # neurons of a job up to which each is counted on its own, over all inputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """The kernel's tables; the columns of `job` are named above."""

    job: I64  # (jobs, 28); STARTS, SLOTS (0 for none) and PLANES of sums that begin below 0; DIRECT: bits number the rows
    word: I64  # (entries, 2): signal word that a job reads, and where its 64 inputs stand in `number`, or its first row
    mask: U64  # (entries,); which bits of the word the job reads
    number: Array  # (64 * entries,) uint16; aligned; word of the row of the input that a bit of a word is
    joins: I64  # (joins, 3): signal bit, first in `joined`, end
    joined: I64  # (entries,); signal bits that are one input together
    segments: I64  # (segments, 3): first word in weights, shift, sign
    weights: U64  # rows of 512 neurons, by segment, input and block; aligned
    levels: U64  # planes of -(threshold - leak), by job, block and plane; aligned
    low: I64  # -(threshold - leak), by neuron, of jobs of few neurons
    groups: (
        I64  # (groups, 5): first of `runs`, or -1 for all inputs, end, core, axon and synaptic events of each
    )
    tallies: I64  # (tallies, 3): first of `runs`, end, core whose spikes these are
    wakes: I64  # (groups, 5): first of `runs`, end, core, neurons that hear these signals, inputs that they do not hear
    runs: I64  # (runs, 3): first signal word, first word in `masks`, words; all multiples of 8
    masks: U64  # which bits of a run are meant; aligned
    reads: I64  # (reads, 3): lane of the job, sum, what V has more than the sum less its level
    signals: int  # words of a frame
    first: int  # word of the first neuron
    behind: int  # word behind the last neuron
    steady: int  # the signal bit that is always on; -1 where none is needed
    bit: I64  # (neurons,); signal bit of every neuron
    lines: int
    blocks: int  # rows of 512 neurons, over all jobs
    starts: int  # slots for the planes with which sums begin, over all jobs


def follow(program: Program, wiring: Wiring) -> Course:
    """The tables of a streaming program."""
    build = _Build(program, wiring)
    for start in np.unique(wiring.start).tolist():
        build.step(start)
    return build.course()


def course_fits(program: Program, wiring: Wiring, most: int) -> bool:
    """Whether a course can be had: the words of a job's rows have 16 bits, and the weights take at most so many bytes.

    They are rows of 512 neurons for every axon, of two signs and each power of two. Sums have at most 30 bits.
    """
    size = reach = 0
    for core in program.cores:
        scales = [
            (plane.stop - plane.start) * int(np.abs(plane.scale.astype(np.int64)).max(initial=0))
            for plane in core.planes
        ]
        reach = max(reach, sum(scales))
        largest = max((int(np.abs(plane.scale).max(initial=0)) for plane in core.planes), default=0)
        size += 2 * largest.bit_length() * core.axons * -(-core.neurons // (64 * BLOCK)) * 8 * BLOCK
    return (
        size <= most and reach < 2**30 and max((core.axons for core in program.cores), default=0) <= MOST_ROWS
    )


@dataclass(slots=True, eq=False)
class _Member:
    """The neurons of one core that have one start, and the signals that their axons carry."""

    core: int
    some: Array  # neurons of the core
    axon: Array  # axons that hear something and belong to this start
    input: Array  # (axons,); place of the axon's signal among the job's inputs
    weight: Array  # (neurons, inputs)
    hears: Array  # (neurons, inputs) bool; where there is a synapse
    counted: Array  # (axons,) bool; events of the axon are counted with this start


class _Build:
    """Grows the tables job by job, in the order of the windows."""

    def __init__(self, program: Program, wiring: Wiring) -> None:
        self.program, self.wiring = program, wiring
        self.fed: Fed = sources(program, wiring, True)
        self.signal = np.full(wiring.neurons + wiring.lines + 1, -1, np.int64)  # row of `fed` -> signal bit
        self.signal[wiring.neurons : wiring.neurons + wiring.lines] = np.arange(wiring.lines)
        self.words = -(-(wiring.lines + 1) // 64)
        self.words += -self.words % BLOCK
        self.first = self.words
        self.signal[-1] = wiring.lines
        self.steady = wiring.lines if (self.fed.row == wiring.neurons + wiring.lines).any() else -1
        self.columns: dict[str, list[Array]] = {
            name: [np.zeros((0, width) if width else 0, np.int64)]
            for name, width in (
                ("word", 2), ("joins", 3), ("joined", 0), ("segments", 3), ("groups", 5), ("tallies", 3), ("wakes", 5),
                ("runs", 3), ("reads", 3), ("number", 0),
            )
        }  # fmt: skip
        self.sizes = dict.fromkeys(self.columns, 0)
        self.mask: list[U64] = [np.zeros(0, np.uint64)]
        self.masks: list[U64] = []
        self.mask_words = 0
        self.jobs: list[list[int]] = []
        self.weights: list[U64] = []
        self.levels: list[U64] = []
        self.lows: list[Array] = [np.zeros(0, np.int64)]
        self.low_size = 0
        self.weight_words = self.level_words = 0
        self.blocks = self.starts = 0
        self.seen: dict[bytes, int] = {}  # sources that are one input together -> signal bit

    def put(self, name: str, rows: Array) -> int:
        self.columns[name].append(np.asarray(rows, np.int64))
        self.sizes[name] += len(rows)
        return self.sizes[name] - len(rows)

    def step(self, start: int) -> None:
        """All jobs whose windows begin at `start`: cores with the same inputs together."""
        groups: dict[bytes, list[tuple[Array, _Member]]] = {}
        for number, core in enumerate(self.program.cores):
            some = np.flatnonzero(core.start == start)
            if len(some):
                keys, member = self._member(number, some, start)
                groups.setdefault(keys.tobytes(), []).append((keys, member))
        for members in groups.values():
            self._job(members[0][0], [member for _, member in members])

    def _member(self, number: int, some: Array, start: int) -> tuple[Array, _Member]:
        core, low = self.program.cores[number], int(self.wiring.axon_first[number])
        axon_start = self.wiring.axon_start[low : low + core.axons]
        weight, reached = weights(core)[some], joined(core)[some]
        mine = (reached.any(axis=0) | (axon_start == start)) & (self.fed.key[low : low + core.axons] >= 0)
        axon = np.flatnonzero(mine)
        keys, inverse = np.unique(self.fed.key[low + axon], return_inverse=True)
        inverse = inverse.ravel()
        merged = np.zeros((len(some), len(keys)), np.int64)
        if len(keys):
            by = np.argsort(inverse, kind="stable")
            first = np.searchsorted(inverse[by], np.arange(len(keys)))
            merged = np.add.reduceat(weight[:, axon[by]], first, axis=1)
        return keys, _Member(
            core=number,
            some=some,
            axon=axon,
            input=inverse,
            weight=merged,
            hears=heard(reached[:, axon], inverse, len(keys)),
            counted=axon_start[axon] == start,
        )

    def _job(self, keys: Array, members: list[_Member]) -> None:
        wiring, fed = self.wiring, self.fed
        first_join = self.sizes["joins"]
        bits = np.empty(len(keys), np.int64)
        low = int(wiring.axon_first[members[0].core])
        for k in range(len(keys)):
            axon = low + int(members[0].axon[np.flatnonzero(members[0].input == k)[0]])
            bits[k] = self._bit(fed.row[fed.first[axon] : fed.first[axon + 1]])
        weight = np.concatenate([member.weight for member in members])
        neuron = np.concatenate([wiring.neuron_first[m.core] + m.some for m in members])
        blocks = max(1, -(-len(neuron) // (64 * BLOCK)))
        out = self.words
        self.words += blocks * BLOCK
        self.signal[neuron] = 64 * out + np.arange(len(neuron))
        few = int(len(neuron) <= SMALL)
        words, first_word, place, direct = self._inputs(bits)
        rows, order = (64 * words, place) if direct else (len(bits), np.arange(len(bits)))
        first_run, end_run, at = self._runs(bits) if few else (0, 0, place)
        program = self.program
        threshold = np.concatenate([program.cores[m.core].threshold[m.some] for m in members]).astype(
            np.int64
        )
        leak = np.concatenate([program.cores[m.core].leak[m.some] for m in members]).astype(np.int64)
        high, below = np.maximum(weight, 0).sum(axis=1), np.maximum(-weight, 0).sum(axis=1)
        level = np.clip(threshold - leak, -below, high + 1)  # a threshold out of reach stays out of reach
        full = int(bool(len(keys)) and bool((np.abs(weight) == 1).all()))
        segments, end = self._few(weight, full, at) if few else self._rows(weight, blocks, full, rows, order)
        reads = self._reads(members, level + leak)
        reach = int((high + below).max(initial=0) + np.abs(level).max(initial=0)) + 2
        width = reach.bit_length() + 1
        first_level = self._low(level) if few else self._level(level, blocks, width)
        first_read = self.put("reads", reads)
        groups, tallies = self._events(members, bits), self._tallies(members, out)
        wakes = self._wakes(members, bits)
        self.jobs.append(
            [
                first_word, first_word + words, first_join, self.sizes["joins"], segments, end, out, blocks, first_level,
                width, rows, full, groups, self.sizes["groups"], tallies, self.sizes["tallies"],
                first_read, self.sizes["reads"], len(neuron), few, first_run, end_run,
                wakes, self.sizes["wakes"], *self._starts(len(bits), blocks, full and not few), direct,
            ]
        )  # fmt: skip
        self.blocks += blocks

    def _bit(self, rows: Array) -> int:
        """The signal bit of an axon's sources, a new joined one where they are several."""
        if len(rows) == 1:
            return int(self.signal[rows[0]])
        name = rows.tobytes()
        if name not in self.seen:
            first = self.put("joined", self.signal[rows])
            self.seen[name] = -1 - len(self.seen)  # placed behind all neurons, when these are known
            self.put("joins", np.array([[self.seen[name], first, first + len(rows)]]))
        return self.seen[name]

    def _inputs(self, bits: Array) -> tuple[int, int, Array, bool]:
        """Which words hold the inputs: how many, the first entry, the place of each input, and whether places number rows."""
        word = np.where(bits >= 0, bits // 64, -1 - (-1 - bits) // 64)
        place = np.where(bits >= 0, bits % 64, (-1 - bits) % 64)
        used, which = np.unique(word, return_inverse=True)
        which = which.ravel()
        mask = np.zeros(len(used), np.uint64)
        np.bitwise_or.at(mask, which, np.uint64(1) << place.astype(np.uint64))
        direct = 64 * len(used) <= min(SPARSE * len(bits), MOST_ROWS)
        first = 0
        if not direct:
            number = np.zeros(64 * len(used), np.int64)
            number[64 * which + place] = BLOCK * np.arange(len(bits))
            first = self.put("number", number)
        self.mask.append(mask)
        entry = self.put("word", np.stack([used, first + 64 * np.arange(len(used))], axis=1))
        return len(used), entry, 64 * which + place, direct

    def _rows(self, weight: Array, blocks: int, full: int, count: int, order: Array) -> tuple[int, int]:
        """Weights by block, `count` rows of 512 neurons, input k in row order[k]; then one of zeros and one of ones."""
        parts = []
        for own, shift, sign in _parts(weight, full):
            wide = np.zeros((blocks, count + 2, 64 * BLOCK), bool)
            for block in range(blocks):
                mine = own[64 * BLOCK * block : 64 * BLOCK * (block + 1)]
                wide[block, order, : len(mine)] = mine.T
                wide[block, count + 1, : len(mine)] = True
            parts.append((wide, shift, sign))
        return self._segments(parts)

    def _starts(self, inputs: int, blocks: int, able: int) -> tuple[int, int, int]:
        """Room for the planes with which a block's sums begin, for each length of a list: first slot, slots, planes."""
        planes = next((number for most, number in STARTS_OF if inputs <= most), 0)
        slots = 2 * (-(-inputs // 16) + 1)
        if not able or not planes or 1024 * (self.starts + blocks * slots) > STARTS_BYTES:
            return -1, 0, 0
        first, self.starts = self.starts, self.starts + blocks * slots
        return first, slots, planes

    def _few(self, weight: Array, full: int, place: Array) -> tuple[int, int]:
        """Weights by neuron, each a row of all inputs at their places in the job's runs; a multiple of eight rows."""
        wide = int(place.max(initial=-1)) // (64 * BLOCK) + 1
        parts = []
        for own, shift, sign in _parts(weight, full):
            rows = np.zeros((-(-len(own) // 8) * 8, 64 * BLOCK * wide), bool)
            rows[: len(own), place] = own
            parts.append((rows, shift, sign))
        return self._segments(parts)

    def _segments(self, parts: list[tuple[Array, int, int]]) -> tuple[int, int]:
        rows = []
        for own, shift, sign in parts:
            packed = np.packbits(own, axis=-1, bitorder="little").view(np.uint64).ravel()
            self.weights.append(packed)
            rows.append([self.weight_words, shift, sign])
            self.weight_words += len(packed)
        first = self.put("segments", np.array(rows, np.int64).reshape(-1, 3))
        return first, first + len(rows)

    def _low(self, level: Array) -> int:
        self.lows.append(-level)
        self.low_size += len(level)
        return self.low_size - len(level)

    def _level(self, level: Array, blocks: int, width: int) -> int:
        wide = np.zeros(64 * BLOCK * blocks, np.int64)
        wide[: len(level)] = -level
        wide[len(level) :] = -1  # lanes of no neuron never fire: nothing ever arrives there
        planes = (wide[:, None] >> np.arange(width) & 1).astype(bool).reshape(blocks, 64 * BLOCK, width)
        packed = np.packbits(planes.transpose(0, 2, 1), axis=2, bitorder="little")
        first, self.level_words = self.level_words, self.level_words + blocks * width * BLOCK
        self.levels.append(np.ascontiguousarray(packed).view(np.uint64).ravel())
        return first

    def _reads(self, members: list[_Member], more: Array) -> Array:
        """Rows (lane, sum, what is added to V) of the outputs that this job gives."""
        lane, rows = 0, [np.zeros((0, 3), np.int64)]
        for member in members:
            outputs = self.program.outputs[self.program.outputs[:, 1] == member.core].astype(np.int64)
            outputs = outputs[np.isin(outputs[:, 2], member.some)]
            at = lane + np.searchsorted(member.some, outputs[:, 2])
            rows.append(np.stack([at, outputs[:, 0], more[at]], axis=1))
            lane += len(member.some)
        return np.concatenate(rows)

    def _events(self, members: list[_Member], bits: Array) -> int:
        """Groups of signals with equal (axons, synapses) in one core."""
        first = self.sizes["groups"]
        for member in members:
            low = int(self.wiring.axon_first[member.core])
            own = member.counted
            axons = np.bincount(member.input[own], minlength=len(bits))
            fanout = self.wiring.fanout[low + member.axon[own]].astype(float)
            synapses = np.rint(np.bincount(member.input[own], fanout, minlength=len(bits))).astype(np.int64)
            kinds, which = np.unique(np.stack([axons, synapses], axis=1), axis=0, return_inverse=True)
            which = which.ravel()
            if len(kinds) <= 12:
                parts = [(which == k, int(a), int(s)) for k, (a, s) in enumerate(kinds.tolist()) if a]
            else:
                parts = [
                    (counts >> bit & 1 == 1, is_axon << bit, (1 - is_axon) << bit)
                    for counts, is_axon in ((axons, 1), (synapses, 0))
                    for bit in range(int(counts.max()).bit_length())
                ]
            for some, a, s in parts:
                if some.all():
                    self.put("groups", np.array([[-1, -1, member.core, a, s]]))
                    continue
                at, end, _ = self._runs(bits[some])
                self.put("groups", np.array([[at, end, member.core, a, s]]))
        return first

    def _wakes(self, members: list[_Member], bits: Array) -> int:
        """Groups of neurons of one core that hear the same signals."""
        first = self.sizes["wakes"]
        for member in members:
            place, count, _ = distinct(member.hears)
            for wanted, many in zip(member.hears[place], count.tolist()):
                if wanted.any():
                    at, end, _ = (0, 0, 0) if wanted.all() else self._runs(bits[wanted])
                    self.put("wakes", np.array([[at, end, member.core, many, len(bits) - wanted.sum()]]))
        return first

    def _tallies(self, members: list[_Member], out: int) -> int:
        """Which words of the job's outputs are spikes of which core."""
        first, lane = self.sizes["tallies"], 0
        for member in members:
            at, end, _ = self._runs(64 * out + lane + np.arange(len(member.some)))
            self.put("tallies", np.array([[at, end, member.core]]))
            lane += len(member.some)
        return first

    def _runs(self, bits: Array) -> tuple[int, int, Array]:
        """Signal bits as runs of whole rows with masks: first run, end, and the place of each bit in these rows.

        Joined signals, numbered below zero, keep a number below zero until their place is known.
        """
        lane = 64 * BLOCK
        row = np.where(bits >= 0, bits // lane, -1 - (-1 - bits) // lane)
        place = np.where(bits >= 0, bits % lane, (-1 - bits) % lane)
        used, which = np.unique(row, return_inverse=True)
        masks = np.zeros((len(used), lane), bool)
        masks[which.ravel(), place] = True
        self.masks.append(np.packbits(masks, axis=1, bitorder="little").view(np.uint64).ravel())
        alone = used < 0  # joined signals stand in falling order
        cut = np.flatnonzero(alone | (np.diff(used, prepend=-9) != 1) | (used == 0))
        many = np.diff(np.append(cut, len(used)))
        first = self.put(
            "runs", np.stack([used[cut] * BLOCK, self.mask_words + cut * BLOCK, many * BLOCK], axis=1)
        )
        self.mask_words += len(used) * BLOCK
        return first, first + len(cut), lane * which.ravel() + place

    def course(self) -> Course:
        """All tables, joined; the joined signals find their place behind the neurons."""
        columns = {name: np.ascontiguousarray(np.concatenate(rows)) for name, rows in self.columns.items()}
        behind = self.words
        for name, size in (("word", 1), ("joins", 64)):
            table = columns[name]
            own = table[:, 0] < 0
            table[own, 0] = size * behind - 1 - table[own, 0]
        runs = columns["runs"]
        runs[runs[:, 0] < 0, 0] = behind - BLOCK - runs[runs[:, 0] < 0, 0]
        words = behind + -(-len(self.seen) // 64)
        return Course(
            job=np.array(self.jobs, np.int64).reshape(-1, 28),
            weights=_joined(self.weights),
            levels=_joined(self.levels),
            low=np.concatenate(self.lows),
            signals=words + -words % BLOCK,
            first=self.first,
            behind=behind,
            steady=self.steady,
            bit=self.signal[: self.wiring.neurons].copy(),
            lines=self.wiring.lines,
            blocks=self.blocks,
            starts=self.starts,
            number=aligned_copy(columns.pop("number"), np.uint16),
            **columns,
            mask=np.concatenate(self.mask),
            masks=_joined(self.masks),
        )


def _parts(weight: Array, full: int) -> list[tuple[Array, int, int]]:
    """Which synapses have which power of two with which sign; for weights of ±1 throughout only those of +1, twice."""
    if full:
        return [(weight > 0, 1, 1)]
    out = []
    for bit in range(int(np.abs(weight).max(initial=0)).bit_length()):
        has = (np.abs(weight) >> bit & 1).astype(bool)
        out += [
            (own, bit, sign) for sign, own in ((1, has & (weight > 0)), (-1, has & (weight < 0))) if own.any()
        ]
    return out


def _joined(parts: list[U64]) -> U64:
    """The parts end to end, with a row of zeros behind them, on a 64-byte boundary."""
    out: U64 = aligned(sum(map(len, parts)) + BLOCK, np.uint64)
    if parts:
        np.concatenate(parts, out=out[:-BLOCK])
    return out
