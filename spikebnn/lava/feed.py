"""Frames for a MappedNet's `s_in`, and the steps in which the answers stand in a sink's columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.encode import encode
from spikebnn.errors import InputError
from spikebnn.program import Program


def present(program: Program, x: Array, batch: int = 1, dtype: type = np.int32) -> Array:
    """Spikes that present the frames `x` (frames, *input shape), ready for Lava's source.RingBuffer(data=...).

    The result is (inputs, steps), or with a batch (batch, inputs, steps): copy b of the network gets frames b,
    b + batch, b + 2 * batch, ... A frame starts every `program.period` steps, and the steps end with the one in
    which the last frame's sums leave the network; see `step_of`.
    """
    given: Any = batch
    if type(given) is bool or not isinstance(given, (int, np.integer)) or given < 1:
        raise InputError(f"batch is the number of copies side by side, 1 or more, and {batch!r} was given")
    bits = encode(program.encoder, np.asarray(x))  # (frames, presentation ticks, inputs)
    rounds = -(-len(bits) // batch)
    out: Array = np.zeros((batch, program.inputs, step_of(program, rounds - 1) + 1 if rounds else 0), dtype)
    for number, frame in enumerate(bits):
        step = number // batch * program.period
        out[number % batch, :, step : step + len(frame)] = frame.T
    return out[0] if batch == 1 else out


def step_of(program: Program, frame: int) -> int:
    """The step (a sink's column, counted from 0) from which on `sums_out` and `class_out` hold a frame's answer.

    They hold it for `program.period` steps. The step is one more than the program's own latency, because what
    a network does in a tick leaves it in the next step.
    """
    if frame < 0:
        raise InputError(f"frames are counted from 0, and the step of frame {frame} is asked for")
    return frame * program.period + complete(program)


def complete(program: Program) -> int:
    """Ticks from a frame's first until its sums are complete."""
    starts = [int(program.cores[core].start[neuron]) for _, core, neuron in program.outputs.tolist()]
    return max(
        max(starts, default=0) + (program.period if program.readout == "spikes" else 1), program.latency
    )
