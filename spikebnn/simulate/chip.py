"""Whole chips in real time: one stream, tick by tick, by events, 16-bit membranes; cores shared out to threads.

For programs with state, delays and recurrence that run for long with few streams. Where a number may leave 16 bits the
engine says so at once (`Chip` refuses), or when it happens (`run` refuses), and the other engines take over.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from spikebnn.arrays import I64, U8, Array, aligned, aligned_copy, unpack_bits
from spikebnn.errors import InputError
from spikebnn.program import CLEAR, MEMORYLESS, NO_FLOOR, SUBTRACT, ZERO, Core, Program
from spikebnn.simulate.wiring import wire

GROUP = 32  # neurons side by side
LARGEST = 2**15 - 1
OUT_OF_REACH = 127  # of lanes without a neuron
MIXED = 3
NEAR = 4  # cores whose arrivals are looked up ahead, as in the kernel
LONGEST = 256  # ticks that a spike or a line may be under way
(
    WORD, NEURON, GROUPS, ROW, PLANES, PLANES_END, WORDS, LEAK_STEP, FLOOR_STEP, RESTS, LEAK, FLOOR, LIMIT, WATCHED, WATCH,
    WATCH_END, KIND,
) = range(17)  # fmt: skip


class TooWide(InputError):
    """A number of the program does not fit 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ticks:
    """What happened in some ticks of a chip."""

    spikes: I64  # (cores,)
    axon_events: I64  # (cores,)
    synaptic_events: I64  # (cores,); a synapse that stands in several planes counts in each
    raster: U8 | None  # (ticks, neurons)
    membranes: I64  # (ticks, watched); V after step 2


class Chip:
    """One stream of a program; its state is kept from one `run` to the next."""

    threshold: Array  # of 8 bits where they and the scales fit, else of 16
    scales: Array

    def __init__(self, program: Program, threads: int = 1, watch: Array | None = None) -> None:
        """Lower a program; `TooWide` where it does not fit 16 bits, a delay is over 255 ticks, or spikes carry numbers."""
        self.program, self.wiring = program, wire(program)
        if self.wiring.numbers:
            raise TooWide("some neurons send numbers, and chips here pass on bits; use the simulator reference")
        self.threads = max(1, min(threads, len(program.cores)))
        self.watch = np.zeros(0, np.int64) if watch is None else np.asarray(watch, np.int64)
        self.tick = 0
        self._lower()
        self.rest()

    def rest(self) -> None:
        """Back to V = 0 with nothing under way."""
        self.v = aligned(self.size, np.int16)
        self.ring = np.zeros((self.threads, self.slots * self.words), np.uint64)
        self.hot = np.ones(len(self.program.cores), np.int64)
        self.tick = 0

    def run(self, ticks: int, drive: Array | None = None, record: bool = False) -> Ticks:
        """So many ticks more; drive (ticks, lines) is 1 where a line is active, and none is where there is no drive."""
        cores = len(self.program.cores)
        on = np.zeros((0, 2), np.int64) if drive is None else np.argwhere(drive)
        lit_first = np.searchsorted(on[:, 0], np.arange(ticks + 1))
        lit = np.ascontiguousarray(on[:, 1])
        counts = np.zeros((cores, 3), np.int64)
        out = np.zeros((ticks if record else 0, self.size // GROUP), np.uint32)
        membranes = np.zeros((ticks, len(self.watch)), np.int64)
        gate = np.zeros(1, np.int64)
        work = compiled_kernel()

        def part(me: int) -> int:
            first, last = self.share[me], self.share[me + 1]
            pending = np.zeros(int(self.padded[first:last].sum()) + 1, np.int64)
            rows, scales, heard = (
                np.zeros((NEAR, size), np.int64) for size in (self.events + 1, self.events + 1, 2)
            )
            wrong = work(
                me, self.threads, gate, 0, self.tick, ticks, self.cores, first, last, self.planes, self.crossbar, self.scales,
                self.v, self.threshold, self.leak, self.floor, self.masks, self.hot, self.ring, self.slots, self.words,
                self.to, self.more_first, self.more, lit, lit_first, self.feeds, self.feed_first, pending, rows, scales,
                heard, np.zeros(8, np.uint32), counts, out, self.watching, membranes,
            )  # fmt: skip
            return int(wrong)

        if self.threads == 1:
            wrong = part(0)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                wrong = max(pool.map(part, range(self.threads)))
        self.tick += ticks
        if wrong:
            raise TooWide("a membrane left 16 bits; use the simulator reference, or bitwise on more streams")
        raster = None
        if record:
            bits = np.unpackbits(out.view(np.uint8), axis=1, bitorder="little")
            raster = bits[:, self.lane]
        return Ticks(
            spikes=counts[:, 0],
            axon_events=counts[:, 1],
            synaptic_events=counts[:, 2],
            raster=raster,
            membranes=membranes,
        )

    def _lower(self) -> None:
        program, wiring = self.program, self.wiring
        longest = max(int(wiring.routes[:, 2].max(initial=0)), int(wiring.feeds[:, 2].max(initial=0)), 1)
        if longest >= LONGEST:
            raise TooWide(f"a delay of {longest} ticks is longer than {LONGEST - 1}")
        self.slots = 1 << longest.bit_length()
        neurons = np.array([core.neurons for core in program.cores])
        self.padded = np.maximum(1, -(-neurons // 256)) * 256
        base = np.concatenate([[0], np.cumsum(self.padded)])
        axons = np.array([max(1, -(-core.axons // 64)) for core in program.cores])
        word = np.concatenate([[0], np.cumsum(axons)])
        self.size, self.words = int(base[-1]), int(word[-1])
        self.lane = np.concatenate(
            [b + np.arange(n) for b, n in zip(base, neurons)] or [np.zeros(0, np.int64)]
        )
        self.share = np.searchsorted(base, np.linspace(0, self.size, self.threads + 1)).astype(np.int64)
        self.share[0], self.share[-1] = 0, len(program.cores)
        self.cores = np.zeros((len(program.cores), 17), np.int64)
        self.cores[:, WORD], self.cores[:, NEURON] = word[:-1], base[:-1]
        self.cores[:, GROUPS] = self.cores[:, ROW] = self.padded // GROUP
        self.cores[:, WORDS] = axons
        self._parameters(base)
        self._synapses()
        if max(np.abs(part.astype(np.int64)).max(initial=0) for part in (self.threshold, self.scales)) <= 127:
            self.threshold, self.scales = (  # half of what a tick has to fetch
                aligned_copy(self.threshold, np.int8),
                aligned_copy(self.scales, np.int8),
            )
        self._routes(base, word)
        place = self.lane[self.watch]
        order = np.argsort(place, kind="stable")
        self.watching = np.stack([place[order], order], axis=1).astype(np.int64)
        self.cores[:, WATCH] = np.searchsorted(place[order], base[:-1])
        self.cores[:, WATCH_END] = np.searchsorted(place[order], base[1:])
        self.cores[:, WATCHED] = self.cores[:, WATCH] < self.cores[:, WATCH_END]

    def _parameters(self, base: Array) -> None:
        self.threshold = aligned(self.size, np.int16)
        self.threshold[:] = OUT_OF_REACH
        leak, floor = _Steps(0), _Steps(-LARGEST - 1)
        kinds = np.zeros((self.size, 4), bool)  # memoryless, zero, subtract, floor clears
        for number, core in enumerate(self.program.cores):
            some = slice(int(base[number]), int(base[number]) + core.neurons)
            subtract = core.reset == SUBTRACT
            _narrow("a threshold", np.minimum(core.threshold[subtract], 0))  # one out of reach stays so
            _narrow("a leak", core.leak)
            _narrow("a floor", np.maximum(core.floor, -LARGEST))
            self.threshold[some] = np.clip(core.threshold, -LARGEST - 1, LARGEST)
            at_least = np.where(core.floor == NO_FLOOR, -LARGEST - 1, np.maximum(core.floor, -LARGEST - 1))
            row = self.cores[number]
            padding = core.neurons < self.padded[number]  # lanes without a neuron, whose V stays 0
            row[LEAK], row[LEAK_STEP] = leak.put(core.leak, int(self.padded[number]), whole=bool(padding))
            row[FLOOR], row[FLOOR_STEP] = floor.put(at_least, int(self.padded[number]))
            kinds[some] = np.stack(
                [core.reset == MEMORYLESS, core.reset == ZERO, subtract, core.floor_mode == CLEAR], axis=1
            )
            row[RESTS] = _rests(core)
            plain = (
                (core.reset == core.reset[0]).all() and (core.floor_mode != CLEAR).all()
                if core.neurons
                else False
            )
            row[KIND] = core.reset[0] if plain and core.reset[0] in (MEMORYLESS, ZERO, SUBTRACT) else MIXED
        packed = np.packbits(kinds.reshape(-1, GROUP, 4).transpose(0, 2, 1), axis=2, bitorder="little")
        self.masks = np.ascontiguousarray(packed).view(np.uint32).astype(np.uint64).ravel()
        self.leak, self.floor = leak.joined(), floor.joined()

    def _synapses(self) -> None:
        planes: list[tuple[int, int, int, int]] = []
        bits: list[Array] = []
        scales = _Steps(0)
        size = events = 0
        for number, core in enumerate(self.program.cores):
            row, wide = self.cores[number], int(self.padded[number])
            row[PLANES] = len(planes)
            gain = np.abs(core.leak.astype(np.int64))
            for plane in core.planes:
                _narrow("a weight", plane.scale)
                on = unpack_bits(plane.bits, plane.stop - plane.start)
                gain += np.abs(plane.scale.astype(np.int64)) * on.sum(axis=1, dtype=np.int64)
                across = np.zeros((on.shape[1], wide), np.uint8)
                across[:, : core.neurons] = on.T
                packed = np.packbits(across, axis=1, bitorder="little").view(np.uint32).ravel()
                at, _ = scales.put(plane.scale, wide, whole=True)
                planes.append((plane.start, plane.stop, size, at))
                bits.append(packed)
                size += len(packed)
            row[PLANES_END] = len(planes)
            gain[core.reset == SUBTRACT] += np.maximum(
                -core.threshold[core.reset == SUBTRACT].astype(np.int64), 0
            )
            row[LIMIT] = LARGEST - 1 - int(gain.max(initial=0))
            if row[LIMIT] < 1:
                raise TooWide(f"a sum of core {number} can reach {int(gain.max())}, more than 16 bits hold")
            events = max(events, sum(plane.stop - plane.start for plane in core.planes))
        self.events = events
        self.planes = np.array(planes, np.int64).reshape(-1, 4)
        self.crossbar = aligned(size + 8, np.uint32)
        if bits:
            np.concatenate(bits, out=self.crossbar[:size])
        self.scales = scales.joined()

    def _routes(self, base: Array, word: Array) -> None:
        wiring = self.wiring
        core_of = np.searchsorted(wiring.axon_first, np.arange(wiring.axons), side="right") - 1
        bit = 64 * word[core_of] + np.arange(wiring.axons) - wiring.axon_first[core_of]
        way = bit[wiring.routes[:, 1]] | wiring.routes[:, 2] << 32
        source = self.lane[wiring.routes[:, 0]]
        order = np.argsort(source, kind="stable")
        source, way = source[order], way[order]
        used, first, count = np.unique(source, return_index=True, return_counts=True)
        self.to = np.full(self.size + 1, -1, np.int64)
        single = count == 1
        self.to[used[single]] = way[first[single]]
        several = np.flatnonzero(~single)
        self.to[used[several]] = -2 - np.arange(len(several))
        self.more_first = np.concatenate([[0], np.cumsum(count[several])]).astype(np.int64)
        self.more = np.concatenate(
            [np.zeros(0, np.int64), *(way[first[k] : first[k] + count[k]] for k in several)]
        )
        feeds = wiring.feeds[np.argsort(wiring.feeds[:, 0], kind="stable")]
        self.feeds = np.stack([bit[feeds[:, 1]], feeds[:, 2]], axis=1).astype(np.int64).reshape(-1, 2)
        self.feed_first = np.searchsorted(feeds[:, 0], np.arange(wiring.lines + 1)).astype(np.int64)


class _Steps:
    """Rows of 16-bit numbers, one for each neuron, or one line for a core whose neurons all share it."""

    def __init__(self, otherwise: int) -> None:
        self.otherwise, self.parts, self.size = otherwise, [np.zeros(0, np.int16)], 0
        self.known: dict[int, int] = {}

    def put(self, values: Array, wide: int, whole: bool = False) -> tuple[int, int]:
        """Where the row stands, and its step: 0 where one line serves all groups of 32."""
        same = len(values) > 0 and bool((values == values[0]).all())
        if same and not whole:
            if int(values[0]) not in self.known:
                self.known[int(values[0])] = self._add(np.full(GROUP, values[0], np.int16))
            return self.known[int(values[0])], 0
        row = np.full(wide, self.otherwise, np.int16)
        row[: len(values)] = values
        return self._add(row), GROUP

    def _add(self, row: Array) -> int:
        self.parts.append(row)
        self.size += len(row)
        return self.size - len(row)

    def joined(self) -> Array:
        out = aligned(self.size + GROUP, np.int16)
        np.concatenate(self.parts, out=out[: self.size])
        return out


def _rests(core: Core) -> bool:
    """Whether a core in which nothing arrives changes nothing, once no V reaches its threshold."""
    silent = (core.reset == MEMORYLESS) & (core.threshold > core.leak) & (core.floor <= 0)
    still = (core.reset != MEMORYLESS) & (core.leak == 0)
    return bool((silent | still).all())


def _narrow(what: str, values: Array) -> None:
    if len(values) and int(np.abs(values.astype(np.int64)).max()) > LARGEST:
        raise TooWide(
            f"{what} of {int(values[np.abs(values.astype(np.int64)).argmax()])} does not fit 16 bits"
        )


@lru_cache(maxsize=1)
def compiled_kernel() -> Any:
    """The kernel; Numba must be installed."""
    from spikebnn.simulate.chip_kernels import compiled

    return compiled()
