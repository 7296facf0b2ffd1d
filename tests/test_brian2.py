"""The simulator made of Brian2 obeys the tick law: random programs equal the slow twin, spike for spike from tick 0."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from dataclasses import replace

import brian2 as b2
import numpy as np
import pytest
from brian2.devices.device import reset_device
from hypothesis import given, settings
from hypothesis import strategies as st

import spikebnn
from spikebnn.brian2 import batch, simulator, vendor
from spikebnn.brian2.links import links
from spikebnn.errors import SimulatorMissing
from spikebnn.program import NO_FLOOR, NONE
from spikebnn.simulate import registry
from spikebnn.simulate.reference import Reference
from tests.strategies_program import (
    make_core,
    make_program,
    program_any,
    program_bits,
    program_drive,
    program_layered,
)
from tests.strategies_union import side_by_side, union
from tests.test_every_simulator import same

SEVERAL = st.lists(program_any() | program_layered(max_size=12), min_size=12, max_size=12)


def agrees(program, drive):
    """Every spike and membrane of a drive."""
    watch = np.arange(program.first[-1])
    want = Reference().load(program).ticks(drive, watch)
    got = registry.simulator("brian2").load(program).ticks(drive, watch)
    np.testing.assert_array_equal(got.spikes, want.spikes)
    np.testing.assert_array_equal(got.membranes, want.membranes)


@settings(max_examples=30)
@given(programs=SEVERAL, seed=st.integers(0, 99), density=st.sampled_from([0.05, 0.4, 0.9]))
def test_any_program_spikes_as_in_the_slow_twin_tick_by_tick(programs, seed, density):
    drives = [program_drive(program, seed, streams=3, ticks=25, density=density) for program in programs]
    agrees(union(programs), side_by_side(drives))


@pytest.mark.more
@settings(max_examples=300)
@given(
    programs=SEVERAL,
    seed=st.integers(0, 99),
    streams=st.integers(1, 9),
    density=st.sampled_from([0.05, 0.4, 0.9]),
)
def test_thousands_of_programs_spike_as_in_the_slow_twin(programs, seed, streams, density):
    drives = [program_drive(program, seed, streams, ticks=40, density=density) for program in programs]
    agrees(union(programs), side_by_side(drives))


@settings(max_examples=15)
@given(programs=st.lists(program_any(), min_size=4, max_size=4), seed=st.integers(0, 99))
def test_the_union_of_programs_does_what_each_does_alone(programs, seed):
    drives = [program_drive(program, seed, streams=2, ticks=20, density=0.4) for program in programs]
    alone = [Reference().load(program).ticks(drive).spikes for program, drive in zip(programs, drives)]
    together = Reference().load(union(programs)).ticks(side_by_side(drives)).spikes
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=-1))


@settings(max_examples=12)
@given(program=program_any(), seed=st.integers(0, 99), record=st.booleans())
def test_frames_are_counted_as_in_the_slow_twin(program, seed, record):
    bits = program_bits(program, seed, frames=10, density=0.4)
    want = Reference().load(program).frames(bits, record)
    same(registry.simulator("brian2").load(program).frames(bits, record), want)


@settings(max_examples=8)
@given(program=program_any(), seed=st.integers(0, 99), streams=st.integers(20, 70))
def test_many_streams_share_words_and_words_share_a_run(program, seed, streams):
    agrees(program, program_drive(program, seed, streams, ticks=12, density=0.4))


def test_streams_that_one_run_has_no_room_for_take_several(monkeypatch):
    rng = np.random.default_rng(0)
    program = dense(rng, 40, 30)
    monkeypatch.setattr(simulator, "ROOM", 1)
    session = registry.simulator("brian2").load(program)
    drive = program_drive(program, 0, streams=2 * session.lanes.count + 3, ticks=6, density=0.5)
    want = Reference().load(program).ticks(drive)
    np.testing.assert_array_equal(session.ticks(drive).spikes, want.spikes)


def dense(rng, axons, neurons, scale=1, reset=0, threshold=None):
    """One core, all to all, weights of plus and minus `scale`, lines on its axons."""
    plus = rng.random((neurons, axons)) < 0.5
    core = make_core(
        axons,
        [(0, axons, np.full(neurons, scale), plus), (0, axons, np.full(neurons, -scale), ~plus)],
        np.full(neurons, 1) if threshold is None else threshold,
        np.zeros(neurons),
        np.full(neurons, reset),
        np.full(neurons, NO_FLOOR),
        np.zeros(neurons),
        np.zeros(neurons),
    )
    return make_program([core], [], [(k, 0, k, 0) for k in range(axons)], axons)


def test_lanes_are_as_many_as_the_widest_sum_allows():
    rng = np.random.default_rng(1)
    cut = batch.lanes(links(dense(rng, 1024, 3)))
    assert (cut.base, cut.count) == (1025, 6)
    cut = batch.lanes(links(dense(rng, 2, 3, scale=2**31 - 1)))
    assert (cut.base, cut.count) == (2**32 - 1, 1)
    cut = batch.lanes(links(make_program([dense(rng, 1, 1, scale=0).cores[0]], [], [], 1)))
    assert (cut.base, cut.count) == (2, 62)


@pytest.mark.parametrize("scale", [1, 2**15, 2**31 - 1])
def test_the_largest_and_the_least_sum_in_one_word_do_not_touch(scale):
    """Neighbouring streams drive a neuron to the two ends of its range."""
    core = dense(np.random.default_rng(2), 6, 8, scale).cores[0]
    program = make_program([core], [], [(k, 0, k, 0) for k in range(6)], 6)
    of = links(program)
    ends = np.zeros((of.neurons * 2, 2, 6), np.uint8)
    ends[2 * of.neuron[of.weight > 0], 0, of.axon[of.weight > 0]] = 1
    ends[2 * of.neuron[of.weight < 0] + 1, 0, of.axon[of.weight < 0]] = 1
    agrees(program, ends)


def test_a_membrane_grows_past_32_bits():
    rng = np.random.default_rng(3)
    agrees(dense(rng, 4, 5, 2**31 - 1, NONE, np.full(5, 2**31 - 1)), np.ones((3, 40, 4), np.uint8))


def test_a_delay_of_a_hundred_ticks_and_several_delays_of_one_source():
    one = dense(np.random.default_rng(4), 4, 3).cores[0]
    routes = [(0, 0, 0, 0, 1), (0, 0, 0, 1, 100), (0, 1, 0, 1, 2), (0, 1, 0, 2, 1)]
    program = make_program([one], routes, [(0, 0, 3, 0), (0, 0, 2, 90), (1, 0, 0, 15)], 2)
    agrees(program, program_drive(program, 0, 3, 220, 0.1))


def test_a_drive_without_streams_or_ticks_has_an_empty_trace():
    program = dense(np.random.default_rng(5), 3, 2)
    session = registry.simulator("brian2").load(program)
    for streams, ticks in ((0, 5), (5, 0)):
        trace = session.ticks(np.zeros((streams, ticks, 3), np.uint8), np.array([0, 0, 1]))
        assert trace.spikes.shape == (streams, ticks, 2)
        assert trace.membranes.shape == (streams, ticks, 3)


def test_calls_of_one_session_do_not_remember_each_other_and_two_sessions_take_turns():
    rng = np.random.default_rng(6)
    programs = [dense(rng, 9, 5, reset=2, threshold=np.arange(1, 6)), dense(rng, 9, 7, reset=3)]
    sessions = [registry.simulator("brian2").load(program) for program in programs]
    drives = [program_drive(program, 1, 2, 15, 0.5) for program in programs]
    wants = [Reference().load(program).ticks(drive) for program, drive in zip(programs, drives)]
    for _ in range(2):
        for session, drive, want in zip(sessions, drives, wants):
            np.testing.assert_array_equal(session.ticks(drive).spikes, want.spikes)
            np.testing.assert_array_equal(session.ticks(drive[:1, :4]).spikes, want.spikes[:1, :4])


def test_a_session_that_is_gone_leaves_nothing_behind():
    program = dense(np.random.default_rng(7), 9, 5)
    gone = []
    for _ in range(3):
        session = registry.simulator("brian2").load(program)
        session.ticks(np.ones((2, 3, 9), np.uint8))
        made = session._batch[1]
        gone += [weakref.ref(made.network), weakref.ref(made.axons), weakref.ref(made)]
        del session, made
    gc.collect()
    assert [reference() for reference in gone] == [None] * len(gone)


def test_the_users_brian2_is_left_as_it_was():
    """Preferences, the default clock, magic objects, and a group of the same name."""
    b2.start_scope()
    group = b2.NeuronGroup(1, "v : 1", name="spikebnn_neurons")
    before = (b2.prefs.as_file, b2.defaultclock.dt_ + 0, b2.magic_network.schedule, b2.get_device())
    agrees(dense(np.random.default_rng(8), 9, 5), np.ones((2, 3, 9), np.uint8))
    b2.run(1 * b2.ms)
    assert before == (b2.prefs.as_file, b2.defaultclock.dt_ + 0, b2.magic_network.schedule, b2.get_device())
    assert group.v[0] == 0


def test_a_schedule_that_a_user_prefers_changes_nothing():
    old = b2.prefs.core.network.default_schedule
    b2.prefs.core.network.default_schedule = ["start", "resets", "synapses", "thresholds", "groups", "end"]
    try:
        program = dense(np.random.default_rng(9), 9, 5)
        agrees(program, program_drive(program, 1, 2, 9, 0.5))
    finally:
        b2.prefs.core.network.default_schedule = old


def test_a_device_that_compiles_programs_is_left_alone_and_comes_back(tmp_path):
    b2.set_device("cpp_standalone", build_on_run=False, directory=str(tmp_path))
    try:
        mine = b2.get_device()
        program = dense(np.random.default_rng(12), 9, 5)
        agrees(program, program_drive(program, 1, 2, 9, 0.5))
        assert b2.get_device() is mine
        assert mine.build_options == {"directory": str(tmp_path)}
        assert not mine.build_on_run
    finally:
        b2.get_device().reinit()
        reset_device()
    assert b2.get_device() is b2.all_devices["runtime"]


def test_a_run_says_nothing(tmp_path):
    code = """
import numpy as np
import spikebnn
from spikebnn.simulate import registry
from spikebnn.simulate.conformance import vectors
v = w = x = t = i = np.arange(3)  # names that stand in equations
vector = next(vector for vector in vectors() if vector.name == "delays-1-to-15")
registry.simulator("brian2").load(vector.program).ticks(vector.drive[None])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "error, brian2, numpy, sentence",
    [
        (
            ModuleNotFoundError("No module named 'brian2'", name="brian2"), None, "2.3.5",
            'Brian2 is not installed; install it with: pip install "spikebnn[brian2]"',
        ),
        (
            AttributeError("ptp"), "2.9.0", "2.4.1",
            "Brian2 2.9.0 does not work with NumPy 2.4.1, it needs NumPy before 2.4; "
            'install one with: pip install "numpy<2.4", or both with: pip install "spikebnn[brian2]"',
        ),
        (
            ImportError("libm.so.9"), "2.10.1", "2.5.0",
            "Brian2 2.10.1 is installed and cannot be imported (libm.so.9); "
            'install it anew with: pip install "spikebnn[brian2]"',
        ),
    ],
)  # fmt: skip
def test_why_brian2_cannot_be_used_is_one_sentence(error, brian2, numpy, sentence):
    assert vendor.why_not(error, brian2, numpy) == sentence


def test_without_brian2_the_command_line_ends_with_code_3_and_the_line_that_installs_it(tmp_path):
    program = replace(dense(np.random.default_rng(10), 3, 2), target="loihi-sim")
    program.save(tmp_path / "net.sbnn")
    np.savez(tmp_path / "x.npz", x=np.ones((2, 3), np.uint8))
    code = f"""
import sys
sys.modules["brian2"] = None
from spikebnn.cli import main
sys.exit(main(["run", {str(tmp_path / "net.sbnn")!r}, "--data", {str(tmp_path / "x.npz")!r}, "--simulator", "brian2"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == (
        "spikebnn: error: the simulator brian2 cannot be used: Brian2 is not installed; "
        'install it with: pip install "spikebnn[brian2]"'
    )


def test_the_version_is_brian2s():
    assert registry.simulator("brian2").version == b2.__version__
    program = dense(np.random.default_rng(11), 3, 2)
    done = spikebnn.run(program, np.ones((5, 3), np.uint8), simulator="brian2")
    assert (done.simulator, done.version) == ("brian2", b2.__version__)
    assert issubclass(SimulatorMissing, ImportError)
