"""Simulators: a registry by name, and `run`, which takes data and returns a `Run`."""

from __future__ import annotations

import math
import time

import numpy as np

from spikebnn.arrays import Array
from spikebnn.encode import decode, encode
from spikebnn.program import Program
from spikebnn.run import Counts, Run, joined_updates
from spikebnn.sbnn import digest
from spikebnn.simulate import registry
from spikebnn.simulate.layout import FRAMES_PER_STREAM
from spikebnn.simulate.protocol import Answer, Session, Simulator, Trace
from spikebnn.simulate.registry import SIMULATORS

__all__ = ["SIMULATORS", "Answer", "Session", "Simulator", "Trace", "registry", "run"]

BIT_BYTES = 1 << 28  # memory for the input bits of one batch of frames


def run(program: Program, x: Array, simulator: str = "bitwise", record: bool = False) -> Run:
    """Present the frames `x` (frames, *input shape) to a program and collect sums, scores, classes and counts.

    With `record` the run holds every neuron's spikes per frame too. Frames are taken in batches, which changes
    no answer.
    """
    chosen = registry.simulator(simulator)
    data = np.asarray(x)
    session = chosen.load(program)
    unit = 32 * FRAMES_PER_STREAM
    step = unit * max(1, BIT_BYTES // max(1, program.inputs * program.encoder.ticks * unit))
    if data.ndim == 0:
        encode(program.encoder, data)
    answers, seconds = [], 0.0
    for first in range(0, max(1, len(data)), step):
        bits = encode(program.encoder, data[first : first + step])
        began = time.perf_counter()
        answers.append(session.frames(bits, record))
        seconds += time.perf_counter() - began
    sums = np.concatenate([answer.sums for answer in answers])
    scores = decode(program.decoder, sums)
    flat = scores.reshape(len(scores), math.prod(scores.shape[1:]))
    counts = [answer.counts for answer in answers]
    rasters = [answer.raster for answer in answers if answer.raster is not None]
    return Run(
        program=digest(program),
        target=program.target,
        simulator=chosen.name,
        version=chosen.version,
        frames=len(data),
        sums=sums,
        scores=scores,
        classes=flat.argmax(axis=1) if flat.shape[1] else np.zeros(len(flat), np.int64),
        counts=Counts(
            spikes=np.concatenate([c.spikes for c in counts]),
            axon_events=np.concatenate([c.axon_events for c in counts]),
            synaptic_events=np.concatenate([c.synaptic_events for c in counts]),
            neuron_spikes=np.sum([c.neuron_spikes for c in counts], axis=0, dtype=np.int64),
            active_updates=joined_updates(counts),
        ),
        seconds=seconds,
        raster=np.concatenate(rasters) if record else None,
    )
