"""Faults: none changes nothing, all of them come from the seed, and more of a kind holds the fewer; state is kept between calls."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikebnn
from spikebnn.arrays import unpack_bits
from spikebnn.cli import main
from spikebnn.errors import InputError
from spikebnn.faults import KINDS, Faults
from spikebnn.faults.curve import FaultCurve, fault_curve
from spikebnn.program import NO_FLOOR, NONE
from spikebnn.simulate import registry
from spikebnn.simulate.kept import Kept, remembers
from spikebnn.stream import load_scenario, stream, sweep
from tests.strategies_program import make_core, make_program, program_any, program_layered
from tests.test_stream import chooser, one_hot, telemetry

NET = Path(__file__).resolve().parent.parent / "examples" / "shuttle" / "net.pt"


def same(a, b):
    np.testing.assert_array_equal(a.sums, b.sums)
    for name in ("spikes", "axon_events", "synaptic_events", "neuron_spikes"):
        np.testing.assert_array_equal(getattr(a.counts, name), getattr(b.counts, name))


def bits_for(program, frames, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (frames, program.encoder.ticks, program.inputs), np.uint8)


def adder():
    """A neuron that never forgets, and fires when it has heard three spikes in all; its membrane is read out."""
    core = make_core(2, [(0, 2, np.ones(1, int), np.ones((1, 2), int))], [3], [0], [NONE], [NO_FLOOR], [0], [0])
    return make_program([core], [], [(0, 0, 0, 0), (1, 0, 1, 0)], 2, outputs=[(0, 0, 0)], base=[0], readout="membrane")


@given(program=program_any(), frames=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_frames_from_rest_are_those_of_the_slow_twin(program, frames):
    bits = bits_for(program, frames)
    reference = registry.simulator("reference").load(program)
    same(Kept(program, keep=False).frames(bits, record=True), reference.frames(bits, record=True))


def in_pieces(program, bits, cuts):
    """The answers of a session that keeps its state, called piece by piece and restored each time; and the session."""
    parts, session = [], Kept(program, keep=True)
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), len(bits)]):
        again = Kept(program, keep=True)
        again.restore(session.state())
        session = again
        parts.append(session.frames(bits[start:stop]))
    return parts, session


@given(program=program_any(), cuts=st.lists(st.integers(0, 10), max_size=3))
@settings(max_examples=40, deadline=None)
def test_state_that_is_kept_does_not_feel_where_calls_end(program, cuts):
    bits, one = bits_for(program, 10), Kept(program, keep=True)
    one.frames(bits)
    a, b = one.state(), in_pieces(program, bits, cuts)[1].state()
    np.testing.assert_array_equal(a["v"], b["v"])
    np.testing.assert_array_equal(np.roll(a["ring"], -a["turn"], axis=0), np.roll(b["ring"], -b["turn"], axis=0))


@given(program=program_layered(), cuts=st.lists(st.integers(0, 10), max_size=3))
@settings(max_examples=40, deadline=None)
def test_answers_of_layers_do_not_feel_where_calls_end(program, cuts):
    bits = bits_for(program, 10)
    whole, (parts, _) = Kept(program, keep=True).frames(bits), in_pieces(program, bits, cuts)
    np.testing.assert_array_equal(np.concatenate([part.sums for part in parts]), whole.sums)
    np.testing.assert_array_equal(np.concatenate([part.counts.spikes for part in parts]), whole.counts.spikes)


def test_a_neuron_that_never_forgets_is_found_and_its_state_is_kept():
    program = adder()
    assert remembers(program)
    assert not remembers(chooser())
    bits = np.ones((5, 1, 2), np.uint8)
    assert Kept(program, keep=True).frames(bits).sums[:, 0].tolist() == [2, 4, 6, 8, 10]
    assert Kept(program, keep=False).frames(bits).sums[:, 0].tolist() == [2, 4, 6, 8, 2]


def test_a_stream_keeps_the_state_of_a_program_that_needs_it_over_batches_and_checkpoints(tmp_path, monkeypatch):
    from spikebnn.stream import pipeline

    monkeypatch.setattr(pipeline, "MOST_WINDOWS", 4)
    program = dataclasses.replace(adder(), target="truenorth-sim")
    encoder = dataclasses.replace(chooser().encoder, shape=(2,))
    program = dataclasses.replace(program, encoder=encoder)
    path = telemetry(tmp_path, program, np.ones((11, 2)))
    batches = []
    report = stream(path, on_batch=batches.append)
    assert report.state == "keep"
    assert np.concatenate([batch.answer.sums[:, 0] for batch in batches]).tolist() == list(range(2, 24, 2))
    stream(path, 4, output=[tmp_path / "d.csv"], checkpoint=tmp_path / "c")
    after = []
    stream(path, output=[tmp_path / "d.csv"], checkpoint=tmp_path / "c", resume=True, on_batch=after.append)
    assert np.concatenate([batch.answer.sums[:, 0] for batch in after]).tolist() == list(range(10, 24, 2))
    fresh = dataclasses.replace(load_scenario(path), state="rest")
    assert stream(fresh).state == "rest"


@pytest.mark.parametrize("kind", KINDS)
def test_at_rate_0_nothing_changes(kind):
    program, faults = chooser(), Faults(rates={kind: 0.0}, seed=1)
    assert not faults
    assert faults.damaged(program) is program
    assert faults.strike(program) is None
    x = np.ones((3, 2))
    assert faults.sensed(x, 0) is x


def test_dead_cores_never_fire_and_take_nothing_in():
    program = spikebnn.map(NET, "truenorth-sim")
    broken = Faults(rates={"dead-cores": 1.0}).damaged(program)
    answer = registry.simulator("reference").load(broken).frames(bits_for(program, 8))
    assert answer.counts.spikes.sum() == answer.counts.synaptic_events.sum() == 0


def test_fewer_faults_are_among_more_of_them_and_another_seed_draws_others():
    program = spikebnn.map(NET, "truenorth-sim")

    def planes(rate, seed=0, kind="stuck-off"):
        broken = Faults(rates={kind: rate}, seed=seed).damaged(program)
        return np.concatenate([unpack_bits(p.bits, p.stop - p.start).ravel() for core in broken.cores for p in core.planes])

    none, few, many = planes(0.0), planes(0.05), planes(0.2)
    assert ((many <= few) & (few <= none)).all()
    set_bits = int(none.sum())
    assert abs((set_bits - int(many.sum())) / set_bits - 0.2) < 0.02
    assert (planes(0.05, seed=1) != few).any()
    np.testing.assert_array_equal(planes(0.05), few)
    more = planes(0.1, kind="stuck-on")
    assert ((more >= none).all(), abs((more[none == 0]).mean() - 0.1) < 0.02) == (True, True)


@pytest.mark.parametrize("kind", ["packet-loss", "packet-copy", "axon-flip", "membrane-flip"])
def test_faults_in_the_run_do_not_depend_on_batches(kind):
    program = spikebnn.map(NET, "truenorth-sim")
    faults, bits = Faults(rates={kind: 0.05}, seed=3), bits_for(program, 40)

    def run(sizes):
        session, at, out = Kept(program, keep=False, strike=faults.strike(program)), 0, []
        for size in sizes:
            out.append(session.frames(bits[at : at + size]).sums)
            at += size
        return np.concatenate(out)

    plain = Kept(program, keep=False).frames(bits).sums
    whole = run([40])
    np.testing.assert_array_equal(run([8, 4, 28]), whole)
    if kind != "packet-copy":  # a copy comes one tick late, to memoryless neurons of another frame
        assert (whole != plain).any()


def test_a_membrane_flips_one_of_its_bits_and_stays_within_them():
    faults = Faults(rates={"membrane-flip": 1.0}, seed=5)
    v = np.array([[0, 1, -1, 100, -512, 511] * 50])
    flipped = v.copy()
    faults.strike(adder(), 10).membranes(np.array([3]), flipped)
    changed = (flipped ^ v) & 1023
    assert (changed > 0).all()
    assert (changed & (changed - 1) == 0).all()  # a power of two: one bit
    assert set(np.log2(changed).astype(int).ravel()) == set(range(10))
    assert (flipped.min(), flipped.max()) >= (-512, 0)
    assert flipped.max() <= 511
    few = v.copy()
    Faults(rates={"membrane-flip": 0.1}, seed=5).strike(adder(), 10).membranes(np.array([3]), few)
    assert ((few == v) | (few == flipped)).all()
    assert 0.02 < (few != v).mean() < 0.2


def test_bits_of_the_synapses_flip_both_ways_and_fewer_are_among_more():
    program = spikebnn.map(NET, "truenorth-sim")

    def planes(rate):
        broken = Faults(rates={"weight-flip": rate}, seed=1).damaged(program)
        return np.concatenate([unpack_bits(p.bits, p.stop - p.start).ravel() for core in broken.cores for p in core.planes])

    whole, few, many = planes(0.0), planes(0.05) != planes(0.0), planes(0.2) != planes(0.0)
    assert (few <= many).all()
    assert abs(many[whole == 1].mean() - 0.2) < 0.02
    assert abs(many[whole == 0].mean() - 0.2) < 0.02


def test_what_is_drawn_for_a_kind_does_not_depend_on_which_kinds_there_are():
    """The same seed must draw the same faults in a later version that knows more kinds."""
    x = Faults(rates={"sensor-dropout": 0.5}, seed=7).sensed(np.zeros((2, 8)), 100)
    assert np.isnan(x).astype(int).tolist() == [[0, 0, 1, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("kind", ["packet-loss", "packet-copy", "axon-flip", "membrane-flip"])
def test_faults_in_frames_apart_do_not_feel_how_they_are_cut(kind):
    program = adder()
    faults, bits = Faults(rates={kind: 0.3}, seed=3), bits_for(program, 30)

    def run(sizes):
        session, at, out = Kept(program, keep=False, strike=faults.strike(program), apart=True), 0, []
        for size in sizes:
            out.append(session.frames(bits[at : at + size]).sums)
            at += size
        return np.concatenate(out)

    np.testing.assert_array_equal(run([30]), run([1, 6, 3, 20]))


@pytest.fixture(scope="module")
def shuttle():
    from spikebnn import data
    from spikebnn.targets import load_target

    frames = data.load(NET.parent / "test.npz", 600)
    return spikebnn.map(NET, "truenorth-sim"), load_target("truenorth-sim"), frames.x, frames.y


@pytest.mark.parametrize("kind", KINDS)
def test_a_curve_on_plain_data_begins_with_the_unharmed_run_and_comes_again_from_its_seed(kind, shuttle):
    program, target, x, y = shuttle
    x, y = x[:120], y[:120]
    one = fault_curve(program, target, x, y, kind=kind, rates=[0.0, 0.4], seed=2, simulator="reference")
    run = spikebnn.run(program, x, simulator="reference")
    first, last = one.points
    assert (first.accuracy, first.agreement, first.missed) == (float((run.classes == y).mean()), 1.0, 0)
    assert first.spikes == run.counts.spikes.sum() / 120
    assert last != dataclasses.replace(first, rate=0.4) or kind == "packet-copy"  # which memoryless layers do not feel
    assert fault_curve(program, target, x, y, kind=kind, rates=[0.4], seed=2, simulator="reference").points[0] == last
    assert FaultCurve.from_dict(json.loads(json.dumps(one.as_dict()))) == one
    if kind == "sensor-dropout":
        assert last.missed > 100
        zero = fault_curve(program, target, x, y, kind=kind, rates=[0.4], missing="zero", simulator="reference")
        assert (zero.points[0].missed, zero.points[0].decisions) == (0, 120)


def test_a_curve_over_seeds_has_a_worst_and_a_best(shuttle):
    program, target, x, y = shuttle
    kind = "dead-cores"
    many = fault_curve(program, target, x, y, kind=kind, rates=[0.3], seed=4, repeats=5).points[0]
    alone = [fault_curve(program, target, x, y, kind=kind, rates=[0.3], seed=4 + k).points[0].accuracy for k in range(5)]
    assert (many.lowest, many.highest) == (min(alone), max(alone))
    assert many.accuracy == pytest.approx(np.mean(alone))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"kind": "bit-flip", "rates": [0]}, "^there is no fault 'bit-flip', did you mean axon-flip, weight-flip or membrane-flip; "),
        ({"rates": []}, "^a curve of axon-flip needs a rate, such as 0, 0.01 and 0.1$"),
        ({"rates": [float("nan")]}, "^the rate of axon-flip is a probability from 0 to 1, found nan$"),
        ({"missing": "guess"}, "^a frame with a missing reading is treated by skip or zero, found 'guess'$"),
        ({"repeats": 0}, "^a curve needs 1 seed or more, found 0$"),
    ],
)
def test_a_curve_that_cannot_be_has_its_sentence(more, sentence, shuttle):
    program, target, x, y = shuttle
    with pytest.raises(InputError, match=sentence):
        fault_curve(program, target, x, y, **{"kind": "axon-flip", "rates": [0.1], **more})


def test_a_curve_of_a_stream_ends_where_nothing_works_and_misses_what_sensors_leave_out(tmp_path):
    path = telemetry(tmp_path, chooser(), np.tile(one_hot([1]), (200, 1)), [1] * 200)
    curve = sweep(path, "packet-loss", [0, 0.5, 1], repeats=2)
    assert [point.accuracy for point in curve.points][::2] == [1.0, 0.0]
    assert curve.points[1].lowest < curve.points[1].highest
    misses = [point.missed for point in sweep(path, "sensor-dropout", [0, 0.1, 0.3, 1]).points]
    assert misses == sorted(misses)
    assert (misses[0], misses[-1]) == (0, 200)
    assert sweep(path, "sensor-dropout", [1]).points[0].accuracy is None


def test_a_live_source_has_no_curve(tmp_path):
    plan = load_scenario(telemetry(tmp_path, chooser(), one_hot([1])))
    plan = dataclasses.replace(plan, source=dataclasses.replace(plan.source, file="-"))
    with pytest.raises(InputError, match="^- is a live source, which cannot be read once for every rate; record it to a file first$"):
        sweep(plan, "packet-loss", [0])


def test_every_packet_lost_is_no_input_at_all_but_for_controls():
    program = chooser()
    faults = Faults(rates={"packet-loss": 1.0})
    answer = Kept(program, keep=False, strike=faults.strike(program)).frames(np.ones((4, 1, program.inputs), np.uint8))
    assert answer.counts.spikes.sum() == 0


def test_sensor_dropouts_are_bad_readings_and_the_policy_treats_them(tmp_path):
    x = np.tile(one_hot([1]), (400, 1))
    path = telemetry(tmp_path, chooser(), x, [1] * 400)
    plan = dataclasses.replace(load_scenario(path), faults={"sensor-dropout": 0.1}, seed=2)
    report = stream(plan)
    lost = 1 - 0.9**3
    assert abs(report.missed_bad / 400 - lost) < 0.06
    assert report.faults == ("sensor-dropout 0.1",)
    held = stream(dataclasses.replace(plan, source=dataclasses.replace(plan.source, policy={"bad": "hold"})))
    assert held.missed_bad <= 2
    assert held.accuracy == 1.0
    assert stream(plan).missed_bad == report.missed_bad
    assert stream(dataclasses.replace(plan, seed=3)).missed_bad != report.missed_bad


def test_a_sweep_is_a_table_and_a_curve(tmp_path, capsys):
    x = np.tile(one_hot([1]), (200, 1))
    path = str(telemetry(tmp_path, chooser(), x, [1] * 200))
    assert main(["stream", path, "--sweep", "packet-loss=0,0.5,1", "--seed", "4", "-o", str(tmp_path / "curve.json")]) == 0
    out = capsys.readouterr().out
    assert "packet-loss" in out
    told = json.loads((tmp_path / "curve.json").read_text(encoding="utf-8"))
    curve = told["curves"][0]
    found = [point["accuracy"] for point in curve["points"]]
    assert (found[0], found[2], curve["seed"], told["accuracy"]) == (1.0, 0.0, 4, 1.0)
    assert 0.3 < found[1] < 0.7


def test_the_verb_faults_prints_curves_and_writes_them(tmp_path, capsys, shuttle):
    program, _, x, y = shuttle
    program.save(tmp_path / "net.sbnn")
    np.savez(tmp_path / "x.npz", x=x[:100], y=y[:100])
    words = ["faults", str(tmp_path / "net.sbnn"), "--data", str(tmp_path / "x.npz"), "--sweep", "axon-flip=0,0.2",
             "--sweep", "dead-cores=0.5", "--repeats", "3", "--seed", "6", "-o", str(tmp_path / "c.json")]  # fmt: skip
    assert main([*words, "--html", str(tmp_path / "c.html")]) == 0
    out = capsys.readouterr().out
    assert "axon-flip  accuracy" in out
    assert "seeds 6 to 8" in out
    told = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert (told["schema"], [curve["kind"] for curve in told["curves"]]) == ("spikebnn.faults/1", ["axon-flip", "dead-cores"])
    assert told["curves"][0]["points"][0]["agreement"] == 1.0
    assert main(["report", str(tmp_path / "c.json")]) == 0
    assert capsys.readouterr().out == out
    assert main(["report", str(tmp_path / "c.json"), "--html", "-o", str(tmp_path / "d.html")]) == 0
    assert (tmp_path / "d.html").read_text() == (tmp_path / "c.html").read_text()
    assert main(words[:4] + ["--sweep", "axon-flips=0"]) == 2
    assert "there is no fault 'axon-flips', did you mean axon-flip" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rates", "sentence"),
    [
        ({"packet-los": 0.1}, "^there is no fault 'packet-los', did you mean packet-loss; known are dead-cores, "),
        ({"packet-loss": 1.5}, "^the rate of packet-loss is a probability from 0 to 1, found 1.5$"),
    ],
)
def test_a_fault_that_is_none_has_its_sentence(rates, sentence):
    with pytest.raises(InputError, match=sentence):
        Faults(rates=rates)
