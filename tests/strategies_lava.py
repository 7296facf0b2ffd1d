"""Programs for Lava's tests: many programs side by side as one, and programs that Dense and LIFReset can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from spikebnn.arrays import door
from spikebnn.program import NO_FLOOR, Program
from spikebnn.simulate.wiring import line_count
from spikebnn.threshold import Encoder, plain_readout
from tests.strategies_program import make_core, make_program


def union(programs: list[Program]) -> Program:
    """Programs side by side as one: cores and lines in order, all lines as inputs; run it with a joined drive."""
    core = line = 0
    routes, lines = [], []
    for program in programs:
        routes.append(program.routes + np.array([core, 0, core, 0, 0]))
        lines.append(program.lines + np.array([line, core, 0, 0]))
        core += len(program.cores)
        line += line_count(program)
    return replace(
        programs[0],
        cores=tuple(core for program in programs for core in program.cores),
        routes=door(np.concatenate(routes), np.int32, None, 5),
        lines=door(np.concatenate(lines), np.int32, None, 4),
        inputs=line,
        controls=door(np.zeros((0, 2)), np.int32, None, 2),
        period=1,
        readout="spikes",
        outputs=door(np.zeros((0, 3)), np.int32, None, 3),
        base=door(np.zeros(1), np.int32),
        decoder=plain_readout(1),
        encoder=Encoder(kind="values", shape=(line,), dtype="uint8", low=0, high=1, ticks=1),
    )


@st.composite
def program_ordinary(draw: st.DrawFn) -> Program:
    """A memoryless program that Dense, Sparse and LIFReset can be: delays of one tick, one source to an axon."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    largest = draw(st.sampled_from([1, 2, 30, 120]))
    cores, axons, sizes = [], rng.integers(1, 12, draw(st.integers(1, 3))), []
    for number, wide in enumerate(axons.tolist()):
        size = int(rng.integers(1, 12))
        sizes.append(size)
        bits = rng.random((size, wide)) < rng.choice([0.2, 0.6, 1.0])
        one, other = np.zeros((2, size), np.int64) + rng.integers(1, largest + 1, (2, size)) * np.array(
            [[1], [-1]]
        )
        planes = [(0, wide, one, bits & (rng.random(bits.shape) < 0.6)), (0, wide, other, bits)]
        if largest > 100:
            planes = planes[:1]
        threshold = rng.integers(-2 * largest, 3 * largest + 1, size)
        threshold[rng.random(size) < 0.1] = 2**31 - 1
        floor = np.where(rng.random(size) < 0.5, NO_FLOOR, -rng.integers(0, 4, size))
        cores.append(
            make_core(
                wide,
                planes,
                threshold,
                rng.integers(-largest, largest + 1, size),
                np.zeros(size),
                floor,
                np.zeros(size),
                rng.integers(0, 3, size),
                number,
            )
        )
    inputs = int(rng.integers(1, 6))
    routes, lines = [], []
    for core, wide in enumerate(axons.tolist()):
        sources = [(k,) for k in range(inputs)] + [
            (k, n) for k, size in enumerate(sizes) for n in range(size)
        ]
        for axon in range(wide):
            pick = int(rng.integers(0, len(sources) + 1 + len(sources) // 5))
            if pick < len(sources):  # each source once to a core: weights of several axons would be added
                source = sources[pick] if largest < 30 else sources.pop(pick)
                if len(source) == 1:
                    lines.append((*source, core, axon, 0))
                else:
                    routes.append((*source, core, axon, 1))
    if routes:
        routes.append(routes[0])  # said twice, heard once
    return make_program(cores, routes, lines, inputs, outputs=[(0, 0, 0)], base=[0])
