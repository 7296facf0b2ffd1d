"""Several programs as one, so that a simulator with a high price per run is asked about many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikebnn.arrays import Array
from spikebnn.program import Program
from spikebnn.simulate.wiring import line_count
from tests.strategies_program import make_program


def union(programs: Sequence[Program]) -> Program:
    """The disjoint union: cores, neurons and lines one program after the other; every line is an input."""
    cores, routes, lines = [], [np.zeros((0, 5), np.int64)], [np.zeros((0, 4), np.int64)]
    inputs = 0
    for program in programs:
        first = len(cores)
        cores += program.cores
        routes.append(program.routes + np.array([first, 0, first, 0, 0]))
        lines.append(program.lines + np.array([inputs, first, 0, 0]))
        inputs += line_count(program)
    return make_program(list(cores), np.concatenate(routes), np.concatenate(lines), inputs)


def side_by_side(arrays: Sequence[Array]) -> Array:
    """What the lines of each program do, as what the lines of their union do: joined along the last axis."""
    return np.concatenate(arrays, axis=-1)
