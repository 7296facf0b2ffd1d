"""The two ends of a `MappedNet`: input bits become the spikes of lines, and recorded spikes or membranes become sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikebnn.arrays import I64, U8


def played(bits: U8, period: int, tick: int) -> tuple[I64, I64]:
    """Lines and ticks of the spikes of frames (frames, ticks, inputs) that begin at `tick`, sorted by tick and line."""
    frame, into, line = np.nonzero(bits)
    ticks = tick + frame * period + into
    sort = np.lexsort((line, ticks))
    spikes = np.unique(np.stack([ticks[sort], line[sort]], axis=1), axis=0)
    return spikes[:, 1], spikes[:, 0]


def sums(net: Any, first: int, frames: int) -> I64:
    """Sums (frames, sums) of frames first, first + 1, ... from the monitor `net.readout`."""
    program = net.program
    out = np.tile(program.base.astype(np.int64), (frames, 1))
    if not len(net.outputs):
        return out
    start = np.concatenate([core.start for core in program.cores]).astype(np.int64)
    starts = start[np.array(program.first)[program.outputs[:, 1]] + program.outputs[:, 2]]
    begins = net.first_tick + starts + first * program.period
    if program.readout == "membrane":
        recorded = np.unique(net.outputs)
        v = np.asarray(net.readout.v)
        seen = np.rint(np.asarray(net.readout.t_) / net.tick_seconds).astype(np.int64)
        for row, (sum_, place) in enumerate(zip(program.outputs[:, 0].tolist(), net.outputs.tolist())):
            at = np.searchsorted(seen, begins[row] + np.arange(frames) * program.period)
            out[:, sum_] += v[np.searchsorted(recorded, place), at]
        return out
    low = int(net.outputs.min())
    index = np.asarray(net.readout.i, np.int64) + low
    tick = np.rint(np.asarray(net.readout.t_) / net.tick_seconds).astype(np.int64)
    sort = np.argsort(index, kind="stable")
    index, tick = index[sort], tick[sort]
    for row, (sum_, place) in enumerate(zip(program.outputs[:, 0].tolist(), net.outputs.tolist())):
        fired = tick[np.searchsorted(index, place) : np.searchsorted(index, place, "right")]
        frame = (fired - begins[row]) // program.period
        np.add.at(out, (frame[(frame >= 0) & (frame < frames)], sum_), 1)
    return out
