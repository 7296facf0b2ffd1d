"""`MappedNet` in Lava graphs as users build them: every answer is the slow twin's, one step later."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import spikebnn.lava
from spikebnn.arrays import Array, door
from spikebnn.errors import InputError
from spikebnn.lava.feed import present, step_of
from spikebnn.lava.guard import run_steps
from spikebnn.lava.ordinary import check_ordinary
from spikebnn.lava.ports import Ports, Pulses, Sums, described
from spikebnn.lava.worker import Worker
from spikebnn.program import Plane, Program
from spikebnn.simulate.conformance import vectors
from spikebnn.simulate.reference import ReferenceSession
from spikebnn.simulate.stepper import PACKED_FROM, stepper
from tests.strategies_lava import program_ordinary
from tests.strategies_program import make_core, make_program, program_any, program_bits

HERE = Path(__file__).parent
JOBS = "scenarios:"
STEPS = 12


@pytest.fixture(scope="module")
def served() -> Iterator[Worker]:
    made = Worker(sys.executable, {"PYTHONPATH": str(HERE / "lava_jobs")})
    yield made
    made.close()


def dense(inputs: int = 6, outputs: int = 5, seed: int = 0, reset: int = 2) -> Program:
    """A small program of one layer, with a threshold that some spikes reach and some do not."""
    rng = np.random.default_rng(seed)
    bits = rng.random((outputs, inputs)) < 0.6
    core = make_core(
        inputs,
        [(0, inputs, np.ones(outputs), bits), (0, inputs, -np.ones(outputs), ~bits)],
        rng.integers(-1, 3, outputs),
        rng.integers(-1, 2, outputs),
        np.full(outputs, reset),
        np.full(outputs, -3),
        np.zeros(outputs),
        np.zeros(outputs),
    )
    lines = [(k, 0, k, 0) for k in range(inputs)]
    reads = [(outputs - 1 - k, 0, k) for k in range(outputs)]  # s_out goes by sums: here it is backwards
    return make_program([core], [], lines, inputs, outputs=reads, base=np.arange(outputs))


def ask(made: Worker, folder: Path, what: str, program: Program, data: Array) -> dict[str, Any]:
    program.save(folder / "program.sbnn")
    np.save(folder / "data.npy", data)
    return made.run(f"{JOBS}{what}", folder)


def drive(data: Array) -> Array:
    """(inputs, steps) as (1, steps, inputs), bits."""
    return (data.T[None] != 0).astype(np.uint8)


def wanted(program: Program, data: Array) -> Array:
    """What s_out must show in every step (outputs, steps): tick t in column t + 1."""
    order = [int(row[2]) for row in sorted(program.outputs.tolist())]
    spikes = ReferenceSession(program).ticks(drive(data)).spikes[0][:, order]
    return np.concatenate([np.zeros((1, len(order)), np.int64), spikes[:-1]]).T


def spikes(seed: int, inputs: int = 6, steps: int = STEPS) -> Array:
    return (np.random.default_rng(seed).random((inputs, steps)) < 0.5).astype(np.int32)


def test_a_net_between_ring_buffers_under_every_tag(served, tmp_path):
    program, data = dense(), spikes(1)
    got = ask(served, tmp_path, "ring", program, data)
    assert set(got) == {"fixed_pt", "floating_pt", "None"}
    for tag, out in got.items():
        np.testing.assert_array_equal(out, wanted(program, data), err_msg=tag)


@pytest.mark.parametrize(
    "data", [0.25 * spikes(2), 200 * spikes(2), spikes(2) == 1], ids=["floats", "large", "bool"]
)
def test_whatever_is_not_zero_is_a_spike(served, tmp_path, data):
    np.testing.assert_array_equal(
        ask(served, tmp_path, "ring", dense(), data)["floating_pt"], wanted(dense(), data)
    )


def test_two_senders_into_one_port_are_one_spike_however_large(served, tmp_path):
    got = ask(served, tmp_path, "several_senders", dense(), spikes(3))
    np.testing.assert_array_equal(got["out"], wanted(dense(), spikes(3)))


@pytest.mark.parametrize("batch", [3, PACKED_FROM])
def test_a_batch_tells_spikes_sums_classes_and_membranes_of_every_copy(served, tmp_path, batch):
    program = dense(reset=0)
    x = np.random.default_rng(4).integers(0, 2, (2 * batch + 1, 6)).astype(np.uint8)
    data = present(program, x, batch)
    got = {name: np.array(values) for name, values in ask(served, tmp_path, "batch", program, data).items()}
    answer = ReferenceSession(program).frames(x[:, None, :])
    assert data.shape == (batch, 6, 3 * program.period + 1)
    for frame in range(2 * batch + 1):
        copy, step = frame % batch, step_of(program, frame // batch)
        np.testing.assert_array_equal(got["sums_out"][copy, :, step], answer.sums[frame])
        assert got["class_out"][copy, step] == answer.sums[frame].argmax()
        trace = ReferenceSession(program).ticks(x[frame][None, None], np.arange(5))
        np.testing.assert_array_equal(got["all_out"][copy, :, step], trace.spikes[0, 0])
        np.testing.assert_array_equal(got["s_out"][copy, :, step], trace.spikes[0, 0, ::-1])
        np.testing.assert_array_equal(got["v_out"][copy, :, step], trace.membranes[0, 0, ::-1])
    assert not got["sums_out"][:, :, 0].any()  # before the first frame is complete
    assert got["sums"].shape == (batch, 5)
    assert got["v"].shape == (batch, 5)


def test_two_nets_in_one_graph_are_joined_as_by_a_route_of_delay_one(served, tmp_path):
    first, second = dense(6, 5, 1), dense(5, 4, 2)
    second.save(tmp_path / "second.sbnn")
    got = ask(served, tmp_path, "chain", first, spikes(5))
    between = wanted(first, spikes(5))
    np.testing.assert_array_equal(got["first"], between)
    np.testing.assert_array_equal(got["second"], wanted(second, between))


def test_a_net_in_a_loop_does_not_deadlock_and_hears_itself_one_tick_later(served, tmp_path):
    program, data = dense(5, 5, 3), spikes(6, 5)
    got = ask(served, tmp_path, "loop", program, data)
    order = np.argsort([row[0] for row in program.outputs.tolist()])
    routed = replace(
        program,
        routes=door(np.array([(0, order[k], 0, k, 1) for k in range(5)]), np.int32, None, 5),
    )
    np.testing.assert_array_equal(got["out"], wanted(routed, data))


def test_a_net_inside_a_users_hierarchical_process(served, tmp_path):
    np.testing.assert_array_equal(
        ask(served, tmp_path, "inside", dense(), spikes(7))["out"], wanted(dense(), spikes(7))
    )


def test_a_run_in_pieces_goes_on_where_it_stopped(served, tmp_path):
    got, want = ask(served, tmp_path, "in_pieces", dense(), spikes(8)), wanted(dense(), spikes(8))
    np.testing.assert_array_equal(np.array(got["early"])[:, :5], want[:, :5])
    np.testing.assert_array_equal(got["out"], want)
    assert got["none"] == "a run takes a whole number of steps, 1 or more, and 0 was asked for"
    assert got["again"] == (
        "InputError: this graph was stopped, and Lava cannot run it again; make its Processes anew"
    )


def test_monitors_see_the_spikes_and_the_membranes(served, tmp_path):
    program, data = dense(), spikes(9)
    got = ask(served, tmp_path, "monitors", program, data)
    np.testing.assert_array_equal(np.array(got["s_out"]).T, wanted(program, data))
    membranes = ReferenceSession(program).ticks(drive(data), np.arange(5)).membranes[0]
    np.testing.assert_array_equal(np.array(got["v"]), membranes[:, ::-1])


def test_a_stream_without_an_end_goes_in_and_out_and_stops_cleanly(served, tmp_path):
    got = ask(served, tmp_path, "streaming", dense(), spikes(10))
    np.testing.assert_array_equal(got["out"], wanted(dense(), spikes(10)))


def test_the_ordinary_model_gives_the_same_spikes_and_sums_in_every_way_to_ask_for_it(served, tmp_path):
    program = replace(dense(reset=0), readout="membrane")
    data = spikes(11)
    got = ask(served, tmp_path, "ordinary", program, data)
    assert got["whole, processes"] == 5  # source, net, two sinks, Lava's own service
    for name in ("map", "flag", "float"):
        assert got[f"{name}, processes"] > 6, name  # really other processes
        np.testing.assert_array_equal(got[name][0], wanted(program, data), err_msg=name)
        np.testing.assert_array_equal(
            np.array(got[name][1])[:, 1:], np.array(got["whole"][1])[:, 1:], err_msg=name
        )


def test_a_control_line_that_is_always_on_becomes_a_part_of_the_bias(served, tmp_path):
    plain = dense(reset=0)
    core = plain.cores[0]
    steady = Plane(
        start=6, stop=7, scale=door([3, -2, 1, 0, -1], np.int32), bits=door(np.ones((5, 1)), np.uint8)
    )
    lines = door(np.concatenate([plain.lines, [(6, 0, 6, 0)]]), np.int32)
    program = replace(
        plain,
        cores=(replace(core, axons=7, planes=(*core.planes, steady)),),
        lines=lines,
        controls=rows((6, 0)),
        readout="membrane",
    )
    data = spikes(12)
    got = ask(served, tmp_path, "ordinary", program, data)
    always = np.concatenate([data, np.ones((1, STEPS), np.int32)])
    np.testing.assert_array_equal(got["whole"][0], wanted(program, always))
    assert (wanted(program, always) != wanted(plain, data)).any()
    for name in ("map", "flag", "float"):
        np.testing.assert_array_equal(got[name][0], got["whole"][0], err_msg=name)
        np.testing.assert_array_equal(
            np.array(got[name][1])[:, 1:], np.array(got["whole"][1])[:, 1:], err_msg=name
        )


@pytest.mark.parametrize("target", ["loihi-sim", "truenorth-sim"])
def test_a_net_mapped_for_a_chip_answers_alike_in_both_models(served, tmp_path, target):
    """One reads membranes, the other counts the spikes of copies that vote."""
    program = spikebnn.map(HERE.parent / "examples" / "shuttle" / "net.pt", target)
    x = np.load(HERE.parent / "examples" / "shuttle" / "test.npz")["x"][1000:1010]
    sums = spikebnn.run(program, x).sums
    got = ask(served, tmp_path, "ordinary", program, present(program, x))
    for name in ("map", "flag", "float"):
        np.testing.assert_array_equal(got[name][0], got["whole"][0], err_msg=name)
        if program.readout == "membrane":
            late = np.array(got[name][1])[:, step_of(program, 0) :]
            np.testing.assert_array_equal(late[:, :10].T, sums, err_msg=name)
    if program.readout == "spikes":
        votes = np.array(got["whole"][0])[:, step_of(program, 0) :]
        of = np.unique(program.outputs[:, 0], return_index=True)[1]
        voted = np.add.reduceat(votes, of, axis=0).T + program.base
        np.testing.assert_array_equal(voted, sums)


@pytest.mark.parametrize(
    ("program", "port", "sentence"),
    [
        (
            dense(reset=2),
            "s_out",
            "5 of 5 neurons keep their membrane, and LIFReset forgets it in every step",
        ),
        (
            dense(reset=0),
            "class_out",
            "class_out is connected, and Dense, Sparse and LIFReset cannot provide it",
        ),
        (
            dense(reset=0),
            "sums_out",
            "sums_out is connected, and Dense, Sparse and LIFReset cannot provide it",
        ),
    ],
    ids=["stateful", "classes", "sums of spikes"],
)
def test_what_the_ordinary_model_cannot_be_is_said_before_anything_runs(
    served, tmp_path, program, port, sentence
):
    (tmp_path / "port.txt").write_text(port)
    with pytest.raises(InputError, match=sentence):
        ask(served, tmp_path, "refused", program, spikes(0))


def test_a_port_of_another_shape_is_refused_when_it_is_connected(served, tmp_path):
    said = ask(served, tmp_path, "wrong_shape", dense(), spikes(0))["error"]
    assert "(7,)" in said
    assert "(6,)" in said


def test_nets_do_not_multiply_log_lines(served, tmp_path):
    got = ask(served, tmp_path, "handlers", dense(), spikes(0))
    assert got["after"] == got["before"]


# What needs no Lava


def test_the_plugins_names_are_those_that_are_offered():
    assert set(spikebnn.lava.__all__) <= set(dir(spikebnn.lava))
    with pytest.raises(AttributeError, match="module 'spikebnn.lava' has no attribute 'MapedNet'"):
        spikebnn.lava.MapedNet  # noqa: B018


@pytest.mark.parametrize("batch", [0, -1, 2.0, True, "3"])
def test_a_wrong_batch_has_its_sentence(batch):
    with pytest.raises(
        InputError, match="batch is the number of copies side by side, 1 or more, and .* was given"
    ):
        described(dense(), batch, None, "inside")


def test_wrong_controls_and_neurons_have_their_sentences():
    with pytest.raises(InputError, match="controls are made inside .* 'both' is neither"):
        described(dense(), 1, None, "both")
    with pytest.raises(InputError, match="neurons are numbered 0 to 4, and 5 is to be watched"):
        described(dense(), 1, np.array([0, 5]), "inside")


def test_what_cannot_be_presented_or_stepped_has_its_sentence():
    for batch in (0, 2.0, True):
        with pytest.raises(InputError, match="batch is the number of copies side by side, 1 or more"):
            present(dense(), np.zeros((2, 6), np.uint8), batch=batch)
    with pytest.raises(InputError, match="frames are counted from 0, and the step of frame -1 is asked for"):
        step_of(dense(), -1)
    for steps in (0, 2.5, True):  # Lava waits for ever in a run of 2.5 steps
        with pytest.raises(InputError, match="a run takes a whole number of steps, 1 or more, and"):
            run_steps(None, steps, None)


def in_steps(program: Program, bits: Array) -> Array:
    """The sums of frames (frames, ticks, inputs), as a MappedNet counts them while it steps: one stream."""
    ports: Ports = described(program, 1, None, "inside")
    pulses, sums, machine = Pulses(ports), Sums(ports), stepper(program, 1, ports.outputs)
    data = np.zeros((step_of(program, len(bits)), program.inputs))
    for frame, ticks in enumerate(bits):
        data[frame * program.period : frame * program.period + len(ticks)] += ticks
    out = []
    for tick in range(step_of(program, len(bits) - 1)):
        machine.step(pulses.at(tick, data[tick]))
        sums.tick(tick, machine.spikes(ports.outputs), machine.membranes())
        if tick + 1 == step_of(program, len(out)):  # one step later it is in the sink's column of that number
            out.append(sums.newest[0, : len(program.base)].copy())
    return np.array(out)


@settings(max_examples=150, deadline=None)
@given(program=program_any(), seed=st.integers(0, 99))
def test_sums_of_frames_are_complete_in_the_step_that_is_told(program: Program, seed: int) -> None:
    bits = program_bits(program, seed, frames=4, density=0.4)  # four frames are one stream of the slow twin's
    np.testing.assert_array_equal(in_steps(program, bits), ReferenceSession(program).frames(bits).sums)


def test_frames_are_presented_in_their_periods():
    program = next(v.program for v in vectors() if v.name == "burst-counting")
    x = np.zeros((3, program.inputs), np.uint8)
    data = present(program, x)
    assert data.shape == (program.inputs, step_of(program, 2) + 1)
    assert step_of(program, 2) - step_of(program, 1) == program.period
    assert present(program, x[:0]).shape == (program.inputs, 0)
    assert present(program, x, batch=2).shape == (2, program.inputs, step_of(program, 1) + 1)


def one(program: Program, **changes: Any) -> Program:
    return replace(program, cores=(replace(program.cores[0], **changes), *program.cores[1:]))


def rows(*values: tuple[int, ...]) -> Array:
    return door(np.array(values), np.int32, None, len(values[0]))


PLAIN = dense(reset=0)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (replace(PLAIN, routes=rows((0, 0, 0, 0, 3))), "1 routes have delays up to 3, and Dense delays by 1"),
        (replace(PLAIN, lines=rows((0, 0, 0, 2))), "1 rows of lines have delays up to 2"),
        (replace(PLAIN, routes=rows((0, 0, 0, 0, 1))), "1 axons hear several sources as one bit"),
        (replace(PLAIN, outputs=door(np.zeros((0, 3)), np.int32)), "no neuron is an output"),
        (
            replace(PLAIN, lines=rows((0, 0, 0, 0), (6, 0, 1, 0)), controls=rows((6, 0)), period=2),
            "1 control lines pulse in some ticks only",
        ),
        (
            one(
                PLAIN,
                planes=tuple(replace(p, scale=door(128 * p.scale, np.int32)) for p in PLAIN.cores[0].planes),
            ),
            "a weight of 128 where 127 is the largest that its 8 bits hold when doubled",
        ),
    ],
    ids=["delay", "line delay", "or", "no output", "pulse", "weight"],
)
def test_a_program_that_dense_and_lifreset_cannot_be_is_refused_with_the_reason(program, sentence):
    with pytest.raises(
        InputError, match=f"this program cannot be made of Dense, Sparse and LIFReset: .*{sentence}"
    ):
        check_ordinary(program)


def test_every_reason_is_told_at_once():
    program = replace(dense(reset=1), routes=rows((0, 0, 0, 0, 3)))
    with pytest.raises(InputError, match="batch is 2.*keep their membrane.*delays up to 3.*several sources"):
        check_ordinary(program, batch=2)


def test_a_bias_beyond_its_13_bits_is_refused_unless_no_sum_reaches_it():
    many = 2100
    bits = np.ones((2, many), bool)
    none = np.zeros(2)

    def wide(threshold: int) -> Program:
        core = make_core(
            many, [(0, many, np.ones(2), bits)], np.array([threshold, 1]), none, none, none, none, none
        )
        return make_program([core], [], [(0, 0, k, 0) for k in range(many)], 1, outputs=[(0, 0, 0)], base=[0])

    def many_lines(threshold: int) -> Program:
        return replace(wide(threshold), inputs=many, lines=rows(*[(k, 0, k, 0) for k in range(many)]))

    check_ordinary(many_lines(2048))
    with pytest.raises(InputError, match="a bias mantissa of -4097 where -4096 to 4095 is held"):
        check_ordinary(many_lines(2049))
    with pytest.raises(InputError, match="a weight of 2100 where 127"):  # all axons hear the same line
        check_ordinary(wide(1))


@settings(max_examples=60, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(program=program_ordinary())
def test_the_programs_that_are_drawn_for_it_are_taken(program: Program) -> None:
    check_ordinary(program)


def test_the_example_streams_utterances_in_and_speakers_out():
    done = subprocess.run(
        [sys.executable, str(HERE.parent / "examples" / "lava_stream.py"), "--limit", "60"],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "  50 utterances, the last by speaker " in done.stdout
    assert re.search(
        r"60 utterances in [\d.]+ s, 91\.67% right; 0 differ from the bit-packed ones", done.stdout
    )
