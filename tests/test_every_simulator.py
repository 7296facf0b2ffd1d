"""Every simulator in the registry obeys the tick law: conformance vectors, random programs, frames and counts."""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.errors import InputError, SimulatorMissing
from spikebnn.program import Program
from spikebnn.simulate import Answer, Simulator, registry, run
from spikebnn.simulate.conformance import Vector, vectors
from spikebnn.simulate.layout import FRAMES_PER_STREAM, frames_by_ticks
from spikebnn.simulate.wiring import wire
from tests.strategies_program import program_any, program_bits, program_drive, program_layered

EVERY = sorted(registry.SIMULATORS)  # a simulator whose package is missing fails here: the tests need them all
OURS = ("bitwise", "reference")  # those quick enough to ask thousands of times; the others' random programs have files of their own
OTHERS = tuple(name for name in OURS if name != "reference")
VECTORS = vectors()
COUNTS = ("spikes", "axon_events", "synaptic_events", "neuron_spikes", "active_updates")


@cache
def simulator(name: str) -> Simulator:
    return registry.simulator(name)


def same(got: Answer, want: Answer) -> None:
    """Two answers are equal to the last event."""
    np.testing.assert_array_equal(got.sums, want.sums)
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(got.counts, name), getattr(want.counts, name), err_msg=name)
    assert (got.raster is None) == (want.raster is None)
    if got.raster is not None and want.raster is not None:
        np.testing.assert_array_equal(got.raster, want.raster)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
@pytest.mark.parametrize("name", EVERY)
def test_a_rule_of_the_tick_is_obeyed(name: str, vector: Vector) -> None:
    program = vector.program
    trace = simulator(name).load(program).ticks(vector.drive[None], np.arange(program.first[-1]))
    np.testing.assert_array_equal(trace.spikes[0], vector.spikes, err_msg=vector.rule)
    np.testing.assert_array_equal(trace.membranes[0], vector.membranes, err_msg=vector.rule)


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.frames], ids=lambda vector: vector.name)
@pytest.mark.parametrize("name", EVERY)
def test_frames_and_their_events_are_counted_in_windows(name: str, vector: Vector) -> None:
    want = vector.frames
    assert want is not None
    assert len(want.bits) <= FRAMES_PER_STREAM  # one stream, as the vector was worked out
    answer = simulator(name).load(vector.program).frames(want.bits)
    np.testing.assert_array_equal(answer.sums, want.sums)
    for kind in ("spikes", "axon_events", "synaptic_events"):
        np.testing.assert_array_equal(getattr(answer.counts, kind), getattr(want, kind), err_msg=kind)


def test_the_vectors_are_what_their_script_derives(tmp_path: Path) -> None:
    script = Path(__file__).parent.parent / "sims" / "conformance" / "make.py"
    spec = importlib.util.spec_from_file_location("conformance_make", script)
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(tmp_path)
    written = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.json")}
    kept = {path.name: path.read_text("utf-8") for path in script.parent.glob("*.json")}
    assert written == kept
    assert len(kept) >= 20


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=250, deadline=None)
@given(program=program_any(), seed=st.integers(0, 99), density=st.sampled_from([0.05, 0.4, 0.9]))
def test_any_program_spikes_as_in_the_slow_twin_tick_by_tick(
    name: str, program: Program, seed: int, density: float
) -> None:
    drive = program_drive(program, seed, streams=3, ticks=25, density=density)
    watch = np.arange(program.first[-1])
    want = simulator("reference").load(program).ticks(drive, watch)
    got = simulator(name).load(program).ticks(drive, watch)
    np.testing.assert_array_equal(got.spikes, want.spikes)
    np.testing.assert_array_equal(got.membranes, want.membranes)


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=200, deadline=None)
@given(program=program_any(), seed=st.integers(0, 99), record=st.booleans())
def test_any_program_counts_as_in_the_slow_twin_frame_by_frame(
    name: str, program: Program, seed: int, record: bool
) -> None:
    bits = program_bits(program, seed, frames=10, density=0.4)
    want = simulator("reference").load(program).frames(bits, record)
    same(simulator(name).load(program).frames(bits, record), want)


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=150, deadline=None)
@given(program=program_layered(), seed=st.integers(0, 99))
def test_a_layered_program_counts_as_in_the_slow_twin(name: str, program: Program, seed: int) -> None:
    bits = program_bits(program, seed, frames=9, density=0.4)
    same(
        simulator(name).load(program).frames(bits, True),
        simulator("reference").load(program).frames(bits, True),
    )


@settings(max_examples=60, deadline=None)
@given(program=program_any(), seed=st.integers(0, 99))
def test_events_follow_from_the_spikes_alone(program: Program, seed: int) -> None:
    """What an adapter to a host simulator relies on: it reports spikes, and `frames_by_ticks` counts the rest."""
    bits = program_bits(program, seed, frames=10, density=0.4)
    session = simulator("reference").load(program)
    same(frames_by_ticks(program, wire(program), session.ticks, bits, True), session.frames(bits, True))


@pytest.mark.parametrize("name", OURS)
@settings(max_examples=40, deadline=None)
@given(program=program_layered(max_size=12), seed=st.integers(0, 99))
def test_a_frame_of_a_layered_program_does_not_depend_on_its_neighbours(
    name: str, program: Program, seed: int
) -> None:
    bits = program_bits(program, seed, frames=6, density=0.5)
    session = simulator(name).load(program)
    together = session.frames(bits, True)
    for frame in range(6):
        alone = session.frames(bits[frame : frame + 1], True)
        np.testing.assert_array_equal(alone.sums[0], together.sums[frame])
        np.testing.assert_array_equal(alone.counts.axon_events[0], together.counts.axon_events[frame])
        assert alone.raster is not None
        assert together.raster is not None
        np.testing.assert_array_equal(alone.raster[0], together.raster[frame])


@pytest.mark.parametrize("name", EVERY)
def test_a_run_of_no_frames_is_an_empty_run(name: str) -> None:
    program = next(v.program for v in VECTORS if v.name == "frames-in-flight")
    answer = simulator(name).load(program).frames(np.zeros((0, 1, 2), np.uint8), True)
    assert answer.sums.shape == (0, 2)
    assert answer.counts.spikes.shape == (0, 2)
    assert answer.counts.neuron_spikes.tolist() == [0, 0, 0, 0]
    outcome = run(program, np.zeros((0, 2), np.uint8), name)
    assert outcome.frames == 0
    assert outcome.classes.shape == (0,)


@pytest.mark.parametrize("name", EVERY)
def test_a_run_holds_scores_classes_counts_and_names(name: str) -> None:
    program = next(v.program for v in VECTORS if v.name == "frames-in-flight")
    outcome = run(program, np.array([[1, 1], [1, 0], [0, 1]], np.uint8), name, record=True)
    assert outcome.sums.tolist() == [[0, 1], [0, 1], [0, -1]]
    assert outcome.scores.tolist() == [[0.0, 1.0], [0.0, 1.0], [0.0, -1.0]]
    assert outcome.classes.tolist() == [1, 1, 0]
    assert (outcome.simulator, outcome.frames, outcome.target) == (name, 3, "conformance")
    assert outcome.raster is not None
    assert outcome.raster.sum(axis=0).tolist() == outcome.counts.neuron_spikes.tolist()


@pytest.mark.parametrize("name", EVERY)
def test_a_wrong_drive_has_its_sentence(name: str) -> None:
    program = VECTORS[0].program
    session = simulator(name).load(program)
    with pytest.raises(
        InputError, match=r"the drive has shape \(1, 2, 9\), and the program takes \(streams, ticks, "
    ):
        session.ticks(np.zeros((1, 2, 9), np.uint8))
    with pytest.raises(InputError, match="a drive is 0 or 1, and the largest value here is 3"):
        session.ticks(np.full((1, 2, program.inputs), 3, np.uint8))
    with pytest.raises(InputError, match="input bits are 0 or 1, and the largest here is 2"):
        session.frames(np.full((1, 1, program.inputs), 2, np.uint8))


def test_an_unknown_simulator_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="there is no simulator 'fast'; known are bitwise, .*reference"):
        registry.simulator("fast")


def test_the_installed_simulators_are_those_that_can_be_made() -> None:
    assert {"bitwise", "reference"} <= set(registry.installed())
    assert all(registry.simulator(name).name == name for name in registry.installed())


def test_a_simulator_whose_package_is_missing_is_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint(name="far", value="a_package_that_is_not_there:make", group=registry.GROUP)
    near = EntryPoint(name="near", value="spikebnn.simulate.reference:Reference", group=registry.GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [entry, near])
    assert "far" not in registry.installed()
    assert "near" in registry.installed()
    with pytest.raises(
        SimulatorMissing, match="the simulator far cannot be loaded: No module named 'a_package_that"
    ):
        registry.simulator("far")
    with pytest.raises(InputError, match="known are bitwise, .*far, .*near, reference"):
        registry.simulator("fast")
