"""The engine for whole chips: every program tick by tick as the slow twin has it, whatever the threads, or a refusal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.errors import InputError
from spikebnn.program import Program
from spikebnn.simulate import bitwise
from spikebnn.simulate.bitwise import BitwiseSession
from spikebnn.simulate.chip import Chip, TooWide
from spikebnn.simulate.conformance import Vector, vectors
from spikebnn.simulate.recurrent import recurrent
from spikebnn.simulate.reference import ReferenceSession
from spikebnn.simulate.wiring import wire
from tests.strategies_program import program_any, program_drive, program_layered
from tests.test_bitwise import one_core, single


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector.name)
def test_a_rule_of_the_tick_is_obeyed_or_the_program_refused(vector: Vector) -> None:
    every = np.arange(vector.program.first[-1])
    if vector.name == "sums-beyond-2-to-24":
        with pytest.raises(TooWide, match="a weight of 16777216 does not fit 16 bits"):
            Chip(vector.program, 1, every)
        return
    if wire(vector.program).numbers:
        with pytest.raises(TooWide, match="send numbers, and chips here pass on bits"):
            Chip(vector.program, 1, every)
        return
    found = Chip(vector.program, 1, every).run(len(vector.drive), vector.drive, record=True)
    np.testing.assert_array_equal(found.raster, vector.spikes, err_msg=vector.rule)
    np.testing.assert_array_equal(found.membranes, vector.membranes, err_msg=vector.rule)


@settings(max_examples=200, deadline=None)
@given(
    program=program_any(max_cores=5, max_size=20, numbers=False) | program_layered(numbers=False),
    seed=st.integers(0, 99),
    threads=st.sampled_from([1, 1, 2, 3]),
    density=st.sampled_from([0.02, 0.4]),
)
def test_any_program_spikes_as_in_the_slow_twin_and_goes_on_where_it_was(
    program: Program, seed: int, threads: int, density: float
) -> None:
    drive = program_drive(program, seed, streams=1, ticks=30, density=density)
    every = np.arange(program.first[-1])
    want = ReferenceSession(program).ticks(drive, every)
    chip = Chip(program, threads, every)
    try:
        parts = [chip.run(13, drive[0, :13], record=True), chip.run(17, drive[0, 13:], record=True)]
    except TooWide:  # it says so, and nothing is wrong in silence
        assert np.abs(want.membranes).max() > 2000
        return
    np.testing.assert_array_equal(np.concatenate([part.raster for part in parts]), want.spikes[0])
    np.testing.assert_array_equal(np.concatenate([part.membranes for part in parts]), want.membranes[0])
    first = program.first
    by_core = [want.spikes[0][:, a:b].sum() for a, b in pairwise(first)]
    assert sum(part.spikes for part in parts).tolist() == by_core


@settings(max_examples=60, deadline=None)
@given(program=program_any(), seed=st.integers(0, 99))
def test_streams_one_by_one_and_side_by_side_are_the_same(program: Program, seed: int) -> None:
    drive = program_drive(program, seed, streams=3, ticks=20, density=0.3)
    kernels = bitwise.compiled_kernels()
    assert kernels is not None
    session, every = BitwiseSession(program, kernels), np.arange(program.first[-1])
    a, b = session._side_by_side(drive, every), session.ticks(drive, every)
    np.testing.assert_array_equal(a.spikes, b.spikes)
    np.testing.assert_array_equal(a.membranes, b.membranes)


def test_a_membrane_that_leaves_16_bits_ends_the_run_and_never_wraps() -> None:
    grower = single(one_core(np.array([[1000]]), np.array([2**30]), reset=3), 1)
    chip = Chip(grower)
    chip.run(20, np.ones((20, 1), np.uint8))
    with pytest.raises(
        TooWide, match="a membrane left 16 bits; use the simulator reference, or bitwise on more"
    ):
        chip.run(20, np.ones((20, 1), np.uint8))
    session = BitwiseSession(grower, bitwise.compiled_kernels())
    trace = session.ticks(np.ones((1, 60, 1), np.uint8), np.array([0]))
    np.testing.assert_array_equal(trace.membranes[0, :, 0], 1000 * np.arange(1, 61))


def test_lanes_without_a_neuron_never_leak() -> None:
    one = one_core(np.array([[1]]), np.array([30_000]), reset=3)
    object.__setattr__(one, "leak", np.array([1], np.int32))
    chip = Chip(single(one, 1))
    assert chip.run(200).spikes.tolist() == [0]


def test_what_does_not_fit_16_bits_is_refused_with_its_number() -> None:
    with pytest.raises(TooWide, match="a sum of core 0 can reach 40000, more than 16 bits hold"):
        Chip(single(one_core(np.full((1, 40), 1000), np.array([5])), 40))
    late = single(one_core(np.array([[1]]), np.array([1])), 1)
    object.__setattr__(late, "lines", np.array([[0, 0, 0, 300]], np.int32))
    with pytest.raises(TooWide, match="a delay of 300 ticks is longer than 255"):
        Chip(late)


def test_the_recurrent_benchmark_is_exact_on_any_number_of_threads() -> None:
    program = recurrent(6, seed=2)
    want = ReferenceSession(program).ticks(np.zeros((1, 150, 1), np.uint8)).spikes[0]
    assert want.sum() > 1000
    for threads in (1, 2, 4):
        found = Chip(program, threads).run(150, record=True)
        np.testing.assert_array_equal(found.raster, want)
    active = found.axon_events.sum()
    assert abs(found.synaptic_events.sum() / active - 128) < 4  # half of 256 synapses are set


def test_the_recurrent_benchmark_fires_at_20_hz() -> None:
    chip, ticks = Chip(recurrent(16)), 1000
    chip.run(500)
    assert abs(chip.run(ticks).spikes.sum() / (16 * 256) / (1e-3 * ticks) - 20) < 1


def test_the_recurrent_benchmark_is_the_same_for_the_same_seed() -> None:
    a, b, other = recurrent(2, seed=5), recurrent(2, seed=5), recurrent(2, seed=6)
    np.testing.assert_array_equal(a.routes, b.routes)
    np.testing.assert_array_equal(a.cores[1].planes[3].bits, b.cores[1].planes[3].bits)
    assert (a.routes != other.routes).any()
    with pytest.raises(InputError, match="a chip has at least one core, not 0"):
        recurrent(0)
