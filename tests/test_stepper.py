"""The stepper: one tick a call, any program, both engines as the slow twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.errors import InputError
from spikebnn.program import MEMORYLESS, Program
from spikebnn.simulate.conformance import vectors
from spikebnn.simulate.reference import ReferenceSession
from spikebnn.simulate.stepper import PACKED_FROM, Packed, Products, stepper
from tests.strategies_program import program_any, program_drive, program_layered


def stepped(program: Program, drive: np.ndarray, engine: str) -> tuple[np.ndarray, np.ndarray]:
    streams, ticks, _ = drive.shape
    every = np.arange(program.first[-1])
    machine = stepper(program, streams, every, engine)
    assert not machine.spikes(every).any()
    spikes, membranes = [], []
    for tick in range(ticks):
        machine.step(drive[:, tick])
        spikes.append(machine.spikes(every))
        membranes.append(machine.membranes())
    assert machine.tick == ticks
    return np.stack(spikes, axis=1), np.stack(membranes, axis=1)


def compare(program: Program, drive: np.ndarray, engine: str) -> None:
    want = ReferenceSession(program).ticks(drive, np.arange(program.first[-1]))
    spikes, membranes = stepped(program, drive, engine)
    np.testing.assert_array_equal(spikes, want.spikes)
    np.testing.assert_array_equal(membranes, want.membranes)


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector.name)
def test_a_rule_of_the_tick_is_obeyed_step_by_step(vector):
    spikes, membranes = stepped(vector.program, vector.drive[None], "auto")
    np.testing.assert_array_equal(spikes[0], vector.spikes, err_msg=vector.rule)
    np.testing.assert_array_equal(membranes[0], vector.membranes, err_msg=vector.rule)


@settings(max_examples=250, deadline=None)
@given(program=program_any(), seed=st.integers(0, 99), density=st.sampled_from([0.05, 0.4, 0.9]))
def test_any_program_steps_as_in_the_slow_twin(program: Program, seed: int, density: float) -> None:
    compare(program, program_drive(program, seed, streams=3, ticks=25, density=density), "products")


@settings(max_examples=60, deadline=None)
@given(
    program=program_any().filter(lambda p: all((c.reset == MEMORYLESS).all() for c in p.cores))
    | program_layered(),
    seed=st.integers(0, 99),
)
def test_memoryless_programs_step_alike_on_the_packed_kernels(program: Program, seed: int) -> None:
    compare(program, program_drive(program, seed, streams=3, ticks=20, density=0.4), "packed")


def test_more_streams_than_a_block_of_lanes_step_side_by_side():
    program = next(v.program for v in vectors() if v.name == "frames-in-flight")
    compare(program, program_drive(program, 1, streams=515, ticks=4, density=0.5), "packed")


@pytest.mark.parametrize("engine", ["products", "packed"])
def test_a_neuron_may_be_watched_twice_and_in_any_order(engine):
    program = next(v.program for v in vectors() if v.name == "frames-in-flight")
    watch = np.array([3, 0, 3])
    machine, drive = stepper(program, 2, watch, engine), program_drive(program, 1, 2, 5, 0.5)
    want = ReferenceSession(program).ticks(drive, watch).membranes
    for tick in range(5):
        machine.step(drive[:, tick])
        np.testing.assert_array_equal(machine.membranes(), want[:, tick])


def test_the_engine_is_chosen_by_streams_and_by_what_neurons_keep():
    memoryless = next(v.program for v in vectors() if v.name == "frames-in-flight")
    stateful = next(v.program for v in vectors() if v.name == "reset-subtract")
    assert isinstance(stepper(memoryless, 1), Products)
    assert isinstance(stepper(memoryless, PACKED_FROM), Packed)
    assert isinstance(stepper(stateful, PACKED_FROM), Products)


def test_a_wrong_stepper_has_its_sentence():
    program = next(v.program for v in vectors() if v.name == "reset-subtract")
    with pytest.raises(InputError, match="a stepper runs 1 stream or more, and 0 are asked for"):
        stepper(program, 0)
    with pytest.raises(InputError, match="there is no engine 'fast'; known are auto, products, packed"):
        stepper(program, 1, engine="fast")
    with pytest.raises(InputError, match="the packed engine takes memoryless neurons only"):
        stepper(program, 1, engine="packed")
