"""Ten thousand random programs: every engine inside the bit-packed simulator says what the slow twin says.

A long run, behind `-m more`; the same laws hold for fewer programs in test_bitwise.py and test_chip.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikebnn.program import Program
from spikebnn.simulate.bitwise import BitwiseSession, compiled_kernels
from spikebnn.simulate.chip import TooWide
from spikebnn.simulate.reference import ReferenceSession
from tests.strategies_program import program_any, program_bits, program_drive, program_layered
from tests.test_bitwise import agrees

PARTS = 8


@pytest.mark.more
@pytest.mark.parametrize("part", range(PARTS))
def test_every_engine_is_the_slow_twin_on_ten_thousand_programs(part: int) -> None:
    kernels = compiled_kernels()
    assert kernels is not None

    @settings(
        max_examples=10_000 // PARTS, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(
        program=program_any() | program_layered(),
        seed=st.integers(0, 10**6),
        density=st.sampled_from([0.05, 0.2, 0.5]),
    )
    def law(program: Program, seed: int, density: float) -> None:
        drive, every = (
            program_drive(program, seed, streams=2, ticks=20, density=density),
            np.arange(program.first[-1]),
        )
        want = ReferenceSession(program).ticks(drive, every)
        made = BitwiseSession(program, kernels, 1)
        for way in (made._side_by_side, made._one_by_one):
            try:
                found = way(drive, every)
            except TooWide:  # the engine for whole chips says so
                continue
            np.testing.assert_array_equal(found.spikes, want.spikes)
            np.testing.assert_array_equal(found.membranes, want.membranes)
        agrees(program, program_bits(program, seed, 6, density))

    law()
