"""Random programs in Lava, hundreds at a time: both models of a MappedNet spike as the slow twin does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spikebnn.arrays import door
from spikebnn.errors import InputError
from spikebnn.lava.ordinary import check_ordinary
from spikebnn.lava.simulator import LavaSession, all_out
from spikebnn.program import Program
from spikebnn.simulate.conformance import vectors
from spikebnn.simulate.reference import ReferenceSession
from tests.strategies_lava import program_ordinary, union
from tests.strategies_program import program_any, program_drive, program_layered

TOGETHER = 40  # programs in one run of Lava: starting a graph costs more than running it
TICKS = 20
Case = tuple[Program, int, float]  # program, seed and density of its drive


def drawn(strategy: st.SearchStrategy[Program], many: int) -> list[Case]:
    """Hypothesis' examples, collected; they are run together afterwards."""
    cases: list[Case] = []

    @settings(
        max_examples=many,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(program=strategy, seed=st.integers(0, 99), density=st.sampled_from([0.05, 0.4, 0.9]))
    def collect(program: Program, seed: int, density: float) -> None:
        cases.append((program, seed, density))

    collect()
    assert len(cases) >= many
    return cases


def different(
    cases: list[Case], session: Callable[[Program], LavaSession], streams: int, watched: bool
) -> list[str]:
    """Where Lava leaves the slow twin, by the number of the case; runs `TOGETHER` programs at once."""
    wrong = []
    for first in range(0, len(cases), TOGETHER):
        some = cases[first : first + TOGETHER]
        drives = [program_drive(program, seed, streams, TICKS, density) for program, seed, density in some]
        joined = union([program for program, _, _ in some])
        watch = np.arange(joined.first[-1] if watched else 0)
        got = session(joined).ticks(np.concatenate(drives, axis=2), watch)
        at = 0
        for number, ((program, seed, density), drive) in enumerate(zip(some, drives)):
            mine = slice(at, at + program.first[-1])
            want = ReferenceSession(program).ticks(drive, np.arange(program.first[-1] if watched else 0))
            for what, found, wanted in (
                ("spikes", got.spikes[:, :, mine], want.spikes),
                ("membranes", got.membranes[:, :, mine], want.membranes),
            ):
                if not np.array_equal(found, wanted):
                    place = np.argwhere(found != wanted)[0].tolist()
                    wrong.append(
                        f"case {first + number} (seed {seed}, density {density}): {what} differ first at {place}"
                    )
            at = mine.stop
    return wrong


@pytest.mark.parametrize("many", [320, pytest.param(6000, marks=pytest.mark.more)])
def test_any_program_spikes_in_one_process_as_in_the_slow_twin(many):
    cases = drawn(program_any() | program_layered(max_size=12), many)
    assert different(cases, LavaSession, streams=2, watched=True) == []


@pytest.mark.parametrize("many", [320, pytest.param(6000, marks=pytest.mark.more)])
@pytest.mark.parametrize("tag", ["fixed_pt", "floating_pt"])
def test_memoryless_programs_spike_in_dense_and_lifreset_as_in_the_slow_twin(tag, many):
    cases = drawn(program_ordinary(), many if tag == "fixed_pt" else many // 4)

    def session(program: Program) -> LavaSession:
        return LavaSession(program, "ordinary", tag)

    assert different(cases, session, streams=1, watched=False) == []


def test_the_vectors_that_dense_and_lifreset_can_be_are_obeyed_and_the_others_refused():
    taken, reasons = [], ("keep their membrane", "delays up to", "one bit", "a bias mantissa", "a weight of", "send numbers")
    for vector in vectors():
        try:
            check_ordinary(all_out(union([vector.program])))
            taken.append(vector)
        except InputError as why:
            assert any(reason in str(why) for reason in reasons), vector.name
    assert {"fire-at-equality", "threshold-zero-and-below", "recurrence-one-tick"} <= {v.name for v in taken}
    for ticks in sorted({len(vector.drive) for vector in taken}):
        some = [vector for vector in taken if len(vector.drive) == ticks]
        session = LavaSession(union([vector.program for vector in some]), "ordinary")
        got = session.ticks(np.concatenate([vector.drive for vector in some], axis=1)[None]).spikes[0]
        np.testing.assert_array_equal(got, np.concatenate([vector.spikes for vector in some], axis=1))


def test_the_comparison_notices_another_threshold():
    """The test of the test: Lava is given a program that never fires."""
    case = next(v.program for v in vectors() if v.name == "planes-add")

    def never(program: Program) -> LavaSession:
        core = program.cores[0]
        deaf = replace(core, threshold=door(np.full(core.neurons, 2**31 - 1), np.int32))
        return LavaSession(replace(program, cores=(deaf, *program.cores[1:])))

    assert different([(case, 1, 0.9)], never, streams=1, watched=True)[0].startswith(
        "case 0 (seed 1, density 0.9): spikes differ"
    )
