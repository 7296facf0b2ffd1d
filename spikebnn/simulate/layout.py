"""How frames become streams of ticks: presentation, control pulses, and which frames share a stream.

Frames are cut into streams of `FRAMES_PER_STREAM` consecutive frames, which run side by side, each from
rest; inside a stream frames follow each other every `period` ticks, as on the chip. The cut depends on the
number of frames alone, so every simulator sees the same ticks, and no answer depends on threads or memory.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikebnn.arrays import I64, U8, Array
from spikebnn.errors import InputError
from spikebnn.program import Program
from spikebnn.run import Counts, joined_updates
from spikebnn.simulate.protocol import Answer, Trace
from spikebnn.simulate.tally import Tally
from spikebnn.simulate.wiring import Wiring, last_tick, line_count

FRAMES_PER_STREAM = 4
BIT = np.dtype(np.uint8)
BLOCK_BYTES = 1 << 28  # memory for one block of streams

Feed = Callable[[int], U8]  # tick -> (streams, lines)
Note = Callable[[int, U8, U8, I64], None]  # tick, active axons, spikes, V after step 2; all (streams, ...)


def check_bits(program: Program, bits: Array) -> U8:
    """The input bits as they must be, or one sentence."""
    out = check_shape(program, bits)
    check_values(out)
    return out


def check_shape(program: Program, bits: Array) -> U8:
    """The same, before anybody looks at the values."""
    if bits.ndim != 3 or bits.shape[2] != program.inputs:
        raise InputError(
            f"input bits have shape {bits.shape}, and the program takes (frames, ticks, {program.inputs})"
        )
    if bits.dtype == BIT and bits.flags.c_contiguous:
        return bits
    out = np.ascontiguousarray(bits, dtype=BIT)
    if out.size and (bits.dtype.kind not in "bui" or out.dtype != bits.dtype and int(bits.max()) > 1):
        raise InputError(f"input bits are 0 or 1, and the largest here is {bits.max()}")
    return out


def check_values(bits: U8) -> None:
    """The values as they must be, or one sentence."""
    if bits.size and int(bits.max()) > 1:
        raise other_value(bits)


def other_value(bits: U8) -> InputError:
    """What is said of bits that are neither 0 nor 1."""
    return InputError(f"input bits are 0 or 1, and the largest here is {bits.max()}")


def check_drive(program: Program, drive: Array) -> U8:
    """The drive as it must be, or one sentence."""
    lines = line_count(program)
    if drive.ndim != 3 or drive.shape[2] != lines:
        raise InputError(
            f"the drive has shape {drive.shape}, and the program takes (streams, ticks, {lines})"
        )
    out = np.ascontiguousarray(drive, dtype=np.uint8)
    if out.size and int(out.max()) > 1:
        raise InputError(f"a drive is 0 or 1, and the largest value here is {drive.max()}")
    return out


def streams(frames: int) -> list[tuple[int, int]]:
    """First and last-plus-one frame of each stream."""
    return [(k, min(k + FRAMES_PER_STREAM, frames)) for k in range(0, frames, FRAMES_PER_STREAM)]


def blocks(frames: int, bytes_per_stream: int) -> list[tuple[int, int]]:
    """First and last-plus-one frame of blocks of whole streams that fit the memory for one block."""
    step = FRAMES_PER_STREAM * max(1, BLOCK_BYTES // max(1, bytes_per_stream))
    return [(k, min(k + step, frames)) for k in range(0, frames, step)]


def stacked(bits: U8) -> U8:
    """Frames (frames, ticks, inputs) as (streams, frames per stream, ticks, inputs); missing frames at the end are silent."""
    per = min(FRAMES_PER_STREAM, len(bits))
    missing = -len(bits) % max(1, per)
    padded = np.concatenate([bits, np.zeros((missing, *bits.shape[1:]), np.uint8)]) if missing else bits
    return padded.reshape(-1, per, *bits.shape[1:]) if per else padded.reshape(0, 0, *bits.shape[1:])


def feed(program: Program, frames: U8) -> Feed:
    """The lines of every tick for frames (streams, frames, ticks, inputs) of `stacked`."""
    count, many, ticks, inputs = frames.shape
    lines = line_count(program)
    phase, control = program.controls[:, 1] % program.period, program.controls[:, 0]

    def at(tick: int) -> U8:
        out = np.zeros((count, lines), np.uint8)
        for frame in range(
            max(0, -(-(tick - ticks + 1) // program.period)), min(many - 1, tick // program.period) + 1
        ):
            out[:, :inputs] |= frames[:, frame, tick - frame * program.period]
        out[:, control[phase == tick % program.period]] = 1
        return out

    return at


def drive(program: Program, bits: U8) -> U8:
    """The whole drive (streams, ticks, lines) for input bits (frames, ticks, inputs)."""
    frames = stacked(bits)
    at = feed(program, frames)
    ticks = last_tick(program, frames.shape[1])
    rows = [at(tick) for tick in range(ticks)] or [np.zeros((len(frames), line_count(program)), np.uint8)][:0]
    return np.stack(rows, axis=1) if rows else np.zeros((len(frames), 0, line_count(program)), np.uint8)


def watched(program: Program) -> Array:
    """Neurons whose membranes a readout needs; none where it counts spikes."""
    if program.readout != "membrane":
        return np.zeros(0, np.int64)
    return np.unique(np.array(program.first, np.int64)[program.outputs[:, 1]] + program.outputs[:, 2])


def frames_by_ticks(
    program: Program, wiring: Wiring, run: Callable[[U8, Array], Trace], bits: U8, record: bool = False
) -> Answer:
    """Frames through a simulator that only knows ticks: `run(drive, watch)` is called for blocks of streams.

    Axon and synapse events follow from the spikes, so a host simulator need not count them.
    """
    bits = check_bits(program, bits)
    watch = watched(program)
    ticks = last_tick(program, min(FRAMES_PER_STREAM, len(bits)))
    parts = []
    for first, stop in blocks(
        len(bits), ticks * (wiring.neurons + wiring.lines + wiring.axons + 8 * len(watch))
    ):
        piece = bits[first:stop]
        lines = drive(program, piece)
        trace = run(lines, watch)
        tally = Tally(program, wiring, len(piece), min(FRAMES_PER_STREAM, len(piece)), record)
        active = arrivals(wiring, lines, trace.spikes)
        membranes = np.zeros((len(lines), wiring.neurons), np.int64)
        for tick in range(lines.shape[1]):
            membranes[:, watch] = trace.membranes[:, tick]
            tally.tick(tick, active[:, tick], trace.spikes[:, tick], membranes)
        parts.append(tally.answer())
    return join(parts, program, wiring, record)


def arrivals(wiring: Wiring, lines: U8, spikes: U8) -> U8:
    """Active axons (streams, ticks, axons) that follow from the lines' drive and the spikes."""
    count, ticks, _ = lines.shape
    out = np.zeros((count, ticks, wiring.axons), np.uint8)
    for rows, source in ((wiring.feeds, lines), (wiring.routes, spikes)):
        for delay in np.unique(rows[:, 2]).tolist():
            some = rows[rows[:, 2] == delay]
            while len(some):
                axons, at = np.unique(some[:, 1], return_index=True)
                out[:, delay:, axons] |= source[:, : max(0, ticks - delay), some[at, 0]]
                some = np.delete(some, at, axis=0)
    return out


def join(parts: list[Answer], program: Program, wiring: Wiring, record: bool) -> Answer:
    """Answers to consecutive blocks of frames as one."""
    if not parts:
        parts = [Tally(program, wiring, 0, 0, record).answer()]
    counts = [part.counts for part in parts]
    rasters = [part.raster for part in parts if part.raster is not None]
    return Answer(
        sums=np.concatenate([part.sums for part in parts]),
        counts=Counts(
            spikes=np.concatenate([c.spikes for c in counts]),
            axon_events=np.concatenate([c.axon_events for c in counts]),
            synaptic_events=np.concatenate([c.synaptic_events for c in counts]),
            neuron_spikes=np.sum([c.neuron_spikes for c in counts], axis=0, dtype=np.int64),
            active_updates=joined_updates(counts),
        ),
        raster=np.concatenate(rasters) if record else None,
    )
