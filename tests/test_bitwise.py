"""The bit-packed engine where its own machinery has corners: blocks, threads, long lists, wide numbers, no Numba."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.errors import InputError
from spikebnn.program import NO_FLOOR, Core, Program
from spikebnn.simulate import bitwise, lists
from spikebnn.simulate import lower as lowering
from spikebnn.simulate.arriving import streaming
from spikebnn.simulate.bitwise import BitwiseSession
from spikebnn.simulate.blas import BlasSession
from spikebnn.simulate.lanes import Out
from spikebnn.simulate.lower import fit, lower
from spikebnn.simulate.reference import ReferenceSession
from spikebnn.simulate.wiring import wire
from tests.strategies_program import (
    make_core,
    make_program,
    program_any,
    program_bits,
    program_drive,
    program_layered,
)


def session(program: Program, threads: int = 1) -> BitwiseSession:
    kernels = bitwise.compiled_kernels()
    assert kernels is not None
    return BitwiseSession(program, kernels, threads)


def one_core(weight: np.ndarray, threshold: np.ndarray, reset: int = 0) -> Core:
    """A core of dense integer weights (neurons, axons), as planes of powers of two."""
    count, axons = weight.shape
    planes: list[tuple[int, int, Any, Any]] = []
    for bit in range(int(np.abs(weight).max(initial=0)).bit_length()):
        for sign in (1, -1):
            on = (np.abs(weight) >> bit & 1 == 1) & (np.sign(weight) == sign)
            planes.append((0, axons, np.full(count, sign << bit), on))
    none = np.zeros(count, np.int64)
    return make_core(axons, planes, threshold, none, none + reset, none + NO_FLOOR, none, none)


def single(core: Core, inputs: int, readout: str = "membrane", period: int = 1) -> Program:
    lines = [(k, 0, k, 0) for k in range(inputs)]
    outputs = [(k, 0, k) for k in range(core.neurons)]
    return make_program([core], [], lines, inputs, (), period, readout, outputs, [0] * core.neurons)


def unread(core: Core, inputs: int) -> Program:
    """The core where nobody reads its membranes: its first neuron's spikes go to the only one of a second core."""
    last = one_core(np.ones((1, 1), int), np.ones(1, int))
    last = replace(last, x=1, start=np.ones(1, np.int32), layer=np.ones(1, np.int32))
    lines = [(k, 0, k, 0) for k in range(inputs)]
    return make_program([core, last], [(0, 0, 1, 0, 1)], lines, inputs, (), 1, "membrane", [(0, 1, 0)], [0])


def agrees(program: Program, bits: np.ndarray, threads: int = 1) -> None:
    """However frames go through the engine, it says what the slow twin says."""
    want = ReferenceSession(program).frames(bits, True)
    made = session(program, threads)
    found = [made.frames(bits, True), made.frames(bits)]
    if made.streaming and bits.shape[1] == 1 and len(bits):
        follow = (made.streamed._follow,) if made.streamed._may_follow(1) else ()
        for way in (*follow, made.streamed._side_by_side):
            out = Out(len(bits), len(program.cores), program, made.wiring, True)
            spikes = [
                way(bits, out, slice(k, min(k + 512, len(bits)))) for k in range(0, len(bits), 512)
            ]
            found.append(out.answer(spikes))
    for got in found:
        np.testing.assert_array_equal(got.sums, want.sums)
        if got.raster is not None:
            np.testing.assert_array_equal(got.raster, want.raster)
        for name in ("spikes", "axon_events", "synaptic_events", "neuron_spikes", "active_updates"):
            np.testing.assert_array_equal(getattr(got.counts, name), getattr(want.counts, name), err_msg=name)


@pytest.mark.parametrize("inputs", [1, 64, 700])
@pytest.mark.parametrize("count", [1, 64, 65, 512, 513, 1300])
def test_any_number_of_neurons_side_by_side_is_exact(count: int, inputs: int) -> None:
    rng = np.random.default_rng(count + inputs)
    for kinds in ([-1, 1], [-1, 0, 1], [-6, 0, 1, 5]):
        weight = rng.choice(kinds, (count, inputs))
        program = single(one_core(weight, rng.integers(-9, 9, count)), inputs)
        bits = program_bits(program, 0, 5, 0.4)
        bits[0], bits[1] = 0, 1
        agrees(program, bits)


@pytest.mark.parametrize("inputs", [3, 15, 17, 95, 97, 110, 300, 1023, 2031])
@pytest.mark.parametrize("count", [1, 3, 4, 6, 70, 530])
def test_neurons_that_hear_the_same_and_are_not_read_are_exact(count: int, inputs: int) -> None:
    """By fours and fives, by one list each, and by 512 side by side, with thresholds in and far out of reach."""
    rng = np.random.default_rng(count * inputs)
    dense = rng.choice([-1, 1], (count, inputs))
    patches = (rng.random((1 + count // 5, inputs)) < 0.6)[rng.integers(0, 1 + count // 5, count)]
    for weight in (dense, dense * patches, np.abs(dense), -np.abs(dense) * patches):
        threshold = rng.integers(-6, 7, count) + rng.choice([0, 0, 0, inputs, -inputs, 2**30, -(2**30)], count)
        program = unread(one_core(weight, threshold), inputs)
        bits = program_bits(program, 0, 9, 0.4)
        bits[0], bits[1], bits[2, 0, 1:] = 0, 1, 0
        assert session(program).streaming
        agrees(program, bits)


@pytest.mark.parametrize("least", [-1, 1])
@pytest.mark.parametrize("inputs", [3, 17, 97, 300])
@pytest.mark.parametrize("count", [1, 4, 6, 70])
def test_neurons_that_hear_the_same_are_silent_where_nothing_arrives(count: int, inputs: int, least: int) -> None:
    """Ticks with and without input take turns: what fired does not stay in the ring of spikes."""
    rng = np.random.default_rng(count * inputs)
    for weight in (rng.choice([-1, 1], (count, inputs)), rng.choice([-1, 0, 1], (1, inputs)) * np.ones((count, 1), int)):
        program = unread(one_core(weight, rng.integers(least, 4, count)), inputs)
        drive = np.zeros((12, 24, inputs), np.uint8)
        drive[:, ::3] = rng.random((12, 8, inputs)) < 0.5
        watch = np.array([count])
        got, want = session(program).ticks(drive, watch), ReferenceSession(program).ticks(drive, watch)
        np.testing.assert_array_equal(got.spikes, want.spikes)
        np.testing.assert_array_equal(got.membranes, want.membranes)


@pytest.mark.parametrize(("four", "five"), [(1, 10**6), (1, 1), (10**6, 10**6)])
def test_small_programs_are_exact_by_fours_by_fives_and_by_lists(
    four: int, five: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ways of large layers, forced upon small programs with state, delays and windows of many ticks."""
    monkeypatch.setattr(lists, "SHARED", (1, 1))
    monkeypatch.setattr(lowering, "FOUR", four)
    monkeypatch.setattr(lowering, "FIVE", five)

    @settings(max_examples=150, deadline=None)
    @given(program=program_any(), seed=st.integers(0, 99), density=st.sampled_from([0.05, 0.3, 0.8]))
    def law(program: Program, seed: int, density: float) -> None:
        agrees(program, program_bits(program, seed, 5, density))
        drive = program_drive(program, seed, 9, 14, density)
        got, want = session(program).ticks(drive), ReferenceSession(program).ticks(drive)
        np.testing.assert_array_equal(got.spikes, want.spikes)

    law()


@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 32, 63, 64, 255, 256, 700])
@pytest.mark.parametrize("many", [4, 5])
def test_groups_with_classes_of_any_size_are_exact(many: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One class is large, all of its inputs are on or off, and thresholds lie where sums do and far beyond them."""
    monkeypatch.setattr(lowering, "FIVE", 1 if many == 5 else 10**6)
    rng = np.random.default_rng(size)
    for pattern in (2**many - 1, 0, 6, 2 ** (many - 1)):
        sign = 2 * (pattern >> np.arange(3 * many + 1) % many & 1) - 1
        rest = rng.choice([-1, 1], (len(sign), 100))
        weight = np.concatenate([np.tile(sign[:, None], size), rest], axis=1)
        inputs = size + 100
        for threshold in (rng.integers(-9, 9, len(sign)), rng.integers(-2, 3, len(sign)) * inputs, sign * size):
            program = unread(one_core(weight, threshold), inputs)
            bits = program_bits(program, 0, 9, 0.5)
            bits[0], bits[1], bits[2:5, 0, :size], bits[5:7, 0, :size] = 0, 1, 1, 0
            agrees(program, bits)


@settings(max_examples=120, deadline=None)
@given(program=program_layered(max_size=90), seed=st.integers(0, 99), density=st.sampled_from([0.05, 0.5]))
def test_following_events_and_frames_side_by_side_give_the_same(
    program: Program, seed: int, density: float
) -> None:
    agrees(program, program_bits(program, seed, 6, density))


@pytest.mark.parametrize(
    "axons", [1, 3, 4, 5, 15, 16, 17, 31, 63, 64, 127, 255, 256, 257, 300, 513, 1100, 4099, 8200]
)
def test_sums_of_any_length_are_exact_where_all_inputs_are_on(axons: int) -> None:
    rng = np.random.default_rng(axons)
    weight = np.concatenate(
        [np.ones((5, axons)), -np.ones((5, axons)), rng.integers(-1, 2, (6, axons))]
    ).astype(int)
    program = single(one_core(weight, weight.sum(axis=1)), axons)
    bits = np.concatenate([np.ones((3, 1, axons), np.uint8), program_bits(program, 0, 5, 0.7)])
    assert session(program).streaming
    agrees(program, bits)


@pytest.mark.parametrize("frames", [1, 2, 4, 5])
@pytest.mark.parametrize("inputs", [1, 7, 8, 63, 64, 65, 130, 200])
def test_a_few_frames_of_any_width_are_exact_and_other_values_are_refused(frames: int, inputs: int) -> None:
    rng = np.random.default_rng(inputs)
    program = single(one_core(rng.choice([-1, 0, 1], (150, inputs)), rng.integers(-3, 4, 150)), inputs)
    bits = program_bits(program, 0, frames, 0.5)
    bits.flags.writeable = False
    agrees(program, bits)
    for place in (0, inputs // 2, inputs - 1):
        wrong = bits.copy()
        wrong[frames - 1, 0, place] = 2
        with pytest.raises(InputError, match="bits are 0 or 1, and the largest here is 2"):
            session(program).frames(wrong)
    agrees(program, bits)


@pytest.mark.parametrize("frames", [1, 63, 64, 511, 512, 513, 1100])
def test_blocks_of_512_frames_join_without_a_seam(frames: int) -> None:
    rng = np.random.default_rng(1)
    program = single(one_core(rng.choice([-1, 1], (70, 40)), rng.integers(-2, 3, 70)), 40, "spikes")
    agrees(program, program_bits(program, 2, frames, 0.5))


def test_no_answer_depends_on_threads() -> None:
    rng = np.random.default_rng(3)
    program = single(one_core(rng.choice([-1, 0, 1], (40, 30)), rng.integers(-2, 3, 40)), 30)
    bits = program_bits(program, 2, 2500, 0.5)
    for threads in (1, 2, 5):
        agrees(program, bits, threads)
    stateful = single(one_core(rng.choice([-1, 0, 2], (9, 30)), rng.integers(1, 9, 9), reset=2), 30, period=2)
    assert not session(stateful).streaming
    for threads in (1, 3):
        agrees(stateful, program_bits(stateful, 2, 2300, 0.5), threads)


def test_the_threads_are_those_that_omp_num_threads_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    program = single(one_core(np.ones((1, 1), int), np.ones(1, int)), 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert session(program, 0).threads == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert session(program, 0).threads >= 1


def test_large_weights_and_membranes_are_exact() -> None:
    weight = np.array([[2**20, -(2**20), 1], [3, -5, 7], [1000003, 999999, -1]])
    agrees(
        single(one_core(weight, np.array([2**20, 0, 5])), 3),
        program_bits(single(one_core(weight, weight[:, 0]), 3), 0, 64, 0.5),
    )
    grower = single(one_core(weight, np.full(3, 2**31 - 1), reset=3), 3, period=3)
    drive = np.ones((1, 900, 3), np.uint8)
    watch = np.arange(3)
    got, want = session(grower).ticks(drive, watch), ReferenceSession(grower).ticks(drive, watch)
    np.testing.assert_array_equal(got.membranes, want.membranes)
    assert want.membranes.max() > 2**29


def test_a_line_may_be_late_by_thousands_of_ticks_and_the_ring_stays_small() -> None:
    """Memory grows with the delays of routes alone; lines wait outside."""
    rng = np.random.default_rng(8)
    core = one_core(rng.choice([-1, 1, 3], (5, 40)), np.array([1, 2, 3, 4, 5]), reset=1)
    lines = [(k % 20, 0, k, int(d)) for k, d in enumerate(rng.choice([0, 1, 700, 3000], 40))]
    lines += [(20, 0, 39, 2), (21, 0, 38, 1500)]
    controls = [(20, 0), (20, 40), (21, 7)]
    program = make_program([core], [], lines, 20, controls, 60, "spikes", [(0, 0, 0)], [0])
    plan = lower(program, wire(program), False)
    assert plan.slots == 1
    assert len(plan.taps) <= len(lines)
    agrees(program, program_bits(program, 0, 9, 0.4))
    drive = program_drive(program, 1, 3, 3100, 0.02)
    got, want = (
        session(program).ticks(drive, np.arange(5)),
        ReferenceSession(program).ticks(drive, np.arange(5)),
    )
    np.testing.assert_array_equal(got.spikes, want.spikes)
    np.testing.assert_array_equal(got.membranes, want.membranes)
    assert want.spikes[:, 3000:].any()


@settings(max_examples=80, deadline=None)
@given(program=program_any(), seed=st.integers(0, 99), density=st.sampled_from([0.0, 0.01, 0.05]))
def test_cores_in_which_nothing_happens_are_passed_over_without_a_trace(
    program: Program, seed: int, density: float
) -> None:
    agrees(program, program_bits(program, seed, 9, density))
    drive, watch = program_drive(program, seed, 2, 30, density), np.arange(0, program.first[-1], 2)
    got, want = session(program).ticks(drive, watch), ReferenceSession(program).ticks(drive, watch)
    np.testing.assert_array_equal(got.spikes, want.spikes)
    np.testing.assert_array_equal(got.membranes, want.membranes)


def test_a_membrane_of_more_than_31_bits_is_exact() -> None:
    grower = single(one_core(np.array([[2**29]]), np.array([2**31 - 1]), reset=3), 1, period=2)
    drive = np.ones((2, 40, 1), np.uint8)
    got = session(grower).ticks(drive, np.array([0, 0]))
    np.testing.assert_array_equal(got.membranes[1, :, 1], 2**29 * np.arange(1, 41))
    agrees(grower, np.ones((40, 1, 1), np.uint8))


@pytest.mark.parametrize("count", [1, 70])
@pytest.mark.parametrize("scale", [2**27, 2**28, 2**30, -(2**30), 2**31 - 1])
def test_sums_of_more_than_31_bits_are_exact_where_frames_stream(count: int, scale: int) -> None:
    core = one_core(np.full((count, 3), scale), np.arange(count) - 1)
    bits = np.array([[[1, 1, 1]], [[0, 1, 0]], [[0, 0, 0]]], np.uint8)
    for program in (single(core, 3), unread(core, 3)):
        assert session(program).streaming
        agrees(program, bits)


def test_widths_follow_from_what_a_run_can_reach() -> None:
    program = single(one_core(np.array([[1, -1]]), np.array([2**31 - 1]), reset=3), 2)
    plan = lower(program, wire(program), False)
    widths = [int(fit(plan, ticks).job[0, 8]) for ticks in (1, 10, 1000, 10**6)]
    assert widths == sorted(widths)
    assert widths[0] < 6 < widths[-1] < 30


@settings(max_examples=60, deadline=None)
@given(program=program_layered(max_size=20), seed=st.integers(0, 9))
def test_a_program_that_streams_gives_the_same_when_its_ticks_are_run(program: Program, seed: int) -> None:
    bits = program_bits(program, seed, 9, 0.5)
    whole, ticked = session(program), session(program)
    ticked.streaming = False
    a, b = whole.frames(bits, True), ticked.frames(bits, True)
    assert whole.streaming
    np.testing.assert_array_equal(a.sums, b.sums)
    np.testing.assert_array_equal(a.raster, b.raster)
    np.testing.assert_array_equal(a.counts.synaptic_events, b.counts.synaptic_events)


def test_what_mixes_frames_is_not_taken_for_streaming() -> None:
    """A route that is one tick late brings the spikes of another frame."""
    one = one_core(np.array([[1]]), np.array([1]))
    late = make_core(
        1,
        [(0, 1, np.ones(1), np.ones((1, 1)))],
        np.ones(1),
        np.zeros(1),
        np.zeros(1),
        np.full(1, NO_FLOOR),
        np.zeros(1),
        np.ones(1),
    )
    right = make_program([one, late], [(0, 0, 1, 0, 1)], [(0, 0, 0, 0)], 1)
    wrong = make_program([one, late], [(0, 0, 1, 0, 2)], [(0, 0, 0, 0)], 1)
    assert streaming(right, wire(right))
    assert not streaming(wrong, wire(wrong))
    agrees(wrong, program_bits(wrong, 0, 30, 0.5))


def test_two_runs_of_one_session_do_not_remember_each_other() -> None:
    rng = np.random.default_rng(5)
    program = single(one_core(rng.choice([-1, 2], (9, 30)), rng.integers(1, 9, 9), reset=1), 30, period=2)
    here, bits = session(program), program_bits(program, 2, 30, 0.5)
    np.testing.assert_array_equal(here.frames(bits).sums, here.frames(bits).sums)


@settings(max_examples=100, deadline=None)
@given(program=program_any() | program_layered(max_size=20), seed=st.integers(0, 99))
def test_numpy_alone_gives_the_same_answers(program: Program, seed: int) -> None:
    bits = program_bits(program, seed, 9, 0.4)
    got, want = (
        BlasSession(program).frames(bits, True),
        ReferenceSession(program).frames(bits, True),
    )
    np.testing.assert_array_equal(got.sums, want.sums)
    np.testing.assert_array_equal(got.raster, want.raster)
    for name in ("spikes", "axon_events", "synaptic_events", "neuron_spikes", "active_updates"):
        np.testing.assert_array_equal(getattr(got.counts, name), getattr(want.counts, name), err_msg=name)
    drive = program_drive(program, seed, 2, 9, 0.4)
    np.testing.assert_array_equal(
        BlasSession(program).ticks(drive).spikes, ReferenceSession(program).ticks(drive).spikes
    )


def test_without_numba_there_is_one_warning_that_says_what_is_lost() -> None:
    code = """
import sys, warnings
sys.modules["numba"] = None
from spikebnn.simulate import registry
from spikebnn.simulate.conformance import vectors
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    simulator = registry.simulator("bitwise")
    for vector in vectors():
        trace = simulator.load(vector.program).ticks(vector.drive[None])
        assert (trace.spikes[0] == vector.spikes).all(), vector.name
assert [str(w.message)[:22] for w in seen] == ["Numba is not installed"], seen
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "cpu", ["generic", "haswell"] if platform.machine() in ("x86_64", "AMD64") else ["generic"]
)
def test_a_plainer_processor_gives_the_same_answers(cpu: str) -> None:
    """Without AVX-512 the kernels take another way through LLVM; here that code runs on whatever this machine is."""
    code = """
import numpy as np
from spikebnn.simulate.conformance import vectors
from spikebnn.simulate import registry
for vector in vectors():
    trace = registry.simulator("bitwise").load(vector.program).ticks(vector.drive[None], np.arange(vector.spikes.shape[1]))
    assert (trace.spikes[0] == vector.spikes).all(), vector.name
    assert (trace.membranes[0] == vector.membranes).all(), vector.name
rng = np.random.default_rng(0)
from tests.test_bitwise import agrees, one_core, program_bits, single
for axons in (7, 300):
    program = single(one_core(rng.choice([-1, 1], (9, axons)), rng.integers(-2, 3, 9)), axons)
    agrees(program, program_bits(program, 0, 70, 0.5))
"""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, env={**os.environ, "NUMBA_CPU_NAME": cpu}
    )


def test_numba_is_not_imported_before_it_is_used() -> None:
    code = "import sys, spikebnn.simulate, spikebnn.simulate.bitwise; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
