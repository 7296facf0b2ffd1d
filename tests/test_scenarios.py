"""The scenarios on recorded data: decided as torch decides, within 3 points of float32, and priced to the battery."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import spikebnn
from spikebnn import battery, cli
from spikebnn.data import Frames
from spikebnn.energy import energy
from spikebnn.energy.duty import at_rate
from spikebnn.energy.timing import timing
from spikebnn.errors import InputError
from spikebnn.interval import Interval, exactly
from spikebnn.nn import float32
from spikebnn.stream import load_scenario, stream, training_frames
from spikebnn.stream.beside import load_beside
from spikebnn.targets import load_target

SIX = ("basic_motions", "japanese_vowels", "shuttle", "plaid", "ecg", "fashion_events")
LIMITS = {"fashion_events": 32, "shuttle": 6000, "plaid": 2000}  # windows that are simulated; of the others all


@cache
def windows(name: str) -> Frames:
    """The held-out windows of a scenario, in order, encoded as the stream encodes them."""
    return training_frames(name)


@cache
def by_torch(name: str) -> np.ndarray:
    """What the trained torch net itself decides on each of them."""
    with open(load_scenario(name).network, "rb") as file:
        net = torch.export.load(file)
    (wanted,) = (node.meta["val"] for node in net.graph.nodes if node.name in net.graph_signature.user_inputs)
    x = torch.from_numpy(windows(name).x).to(wanted.dtype).reshape(-1, *wanted.shape[1:])
    with torch.no_grad():
        return torch.cat([net.module()(part).argmax(1) for part in x.split(500)]).numpy()


@cache
def played(name: str):
    """The decisions and the end of a scenario."""
    seen = []
    return seen, stream(name, limit=LIMITS.get(name), on_decision=seen.append)


@pytest.mark.parametrize("name", SIX)
def test_every_decision_is_that_of_the_torch_net(name):
    seen, report = played(name)
    assert report.missed_bad == report.missed_late == 0
    assert len(seen) == report.windows == min(LIMITS.get(name, 10**9), len(by_torch(name)))
    assert [decision.chosen for decision in seen] == by_torch(name)[: len(seen)].tolist()
    assert [int(decision.right) for decision in seen] == (by_torch(name) == windows(name).y)[
        : len(seen)
    ].astype(int).tolist()


@pytest.mark.parametrize("name", SIX)
def test_the_held_out_accuracy_is_within_three_points_of_the_float32_net(name):
    beside = load_beside(load_scenario(name).beside)
    np.testing.assert_array_equal(beside.y, windows(name).y)
    binary, floated, rounded = (
        (said == beside.y).mean() for said in (by_torch(name), beside.float32, beside.int8)
    )
    assert binary > floated - 0.03
    assert rounded > floated - 0.03
    script = next(word for word in beside.about.replace(",", " ").split() if word.endswith("train.py"))
    assert (Path(__file__).parent.parent / script).is_file()


@pytest.mark.parametrize("name", SIX)
def test_the_end_of_a_scenario_tells_accuracy_joules_power_battery_and_what_stands_beside_it(name):
    _, report = played(name)
    text, facts = report.text(), json.loads(json.dumps(dict(report.as_dict())))
    for said in (
        "accuracy",
        "energy per decision",
        "mean power",
        "of the time",
        "battery: ",
        "latency",
        "a float32 net",
        "int8",
    ):
        assert said in text
    assert facts["float32"]["windows"] == report.windows
    assert 0 < facts["busy"] < 1
    assert (
        facts["battery"]["life_s"]["lo"]
        <= facts["battery"]["life_s"]["v"]
        <= facts["battery"]["life_s"]["hi"]
    )
    assert {row["name"] for row in facts["int8"]} == {"cortex-m4", "cortex-m7", "cortex-m33"}
    assert facts["int8"][0]["macs"] == facts["float32"]["macs"] > 0


def test_the_mean_power_of_a_stream_is_that_of_frames_at_its_rate():
    report = stream("shuttle", limit=400)
    program, target = (
        spikebnn.map(load_scenario("shuttle").network, "truenorth-sim"),
        load_target("truenorth-sim"),
    )
    run = spikebnn.run(program, windows("shuttle").x[:400].astype(np.float32).reshape(400, -1))
    duty = at_rate(energy(run.counts, program, target, 400), timing(run.counts, program, target, 400), 10.0)
    for end in ("lo", "v", "hi"):
        assert getattr(report.power, end) == pytest.approx(getattr(duty.power, end))
    assert report.busy == pytest.approx(duty.busy)
    assert report.gated_energy.v == pytest.approx(duty.gated.v)
    assert report.gated_power.hi == pytest.approx(duty.gated.hi * 10)
    assert "with power cut between decisions" in report.text()
    assert stream("basic_motions", limit=4).gated_power is None  # not all that it costs is published


def test_decisions_of_another_stream_are_not_set_beside(tmp_path):
    plan = load_scenario("ecg")
    held = dict(np.load(plan.beside))
    np.savez(
        tmp_path / "short.npz", **{**held, **{name: held[name][:3] for name in ("float32", "int8", "y")}}
    )
    with pytest.raises(InputError, match="holds decisions on 3 windows, and the stream has more"):
        stream(dataclasses.replace(plan, beside=str(tmp_path / "short.npz")))
    np.savez(tmp_path / "other.npz", **{**held, "y": 1 - held["y"]})
    with pytest.raises(
        InputError,
        match="belongs to other windows: there window 0 is of class 1, and in this stream of class 0",
    ):
        stream(dataclasses.replace(plan, beside=str(tmp_path / "other.npz")))
    np.savez(tmp_path / "none.npz", x=held["y"])
    with pytest.raises(InputError, match="wanted the decisions of a float32 net, there is no float32"):
        stream(dataclasses.replace(plan, beside=str(tmp_path / "none.npz")))
    voting = stream(dataclasses.replace(plan, vote=3), limit=20)
    assert voting.float32 is None


def test_a_resumed_stream_has_counted_the_float32_net_as_one_that_ran_through(tmp_path):
    whole = stream("ecg", limit=300)
    stream("ecg", limit=100, checkpoint=tmp_path / "c", every=0)
    resumed = stream("ecg", limit=300, checkpoint=tmp_path / "c", resume=True, every=0)
    assert resumed.float32 == whole.float32


def test_a_battery_lasts_as_long_as_its_joules():
    cell = battery.battery("cr2032")
    assert cell.joules.v == pytest.approx(0.225 * 3 * 3600)
    assert battery.life(cell, exactly(1e-3)).v == pytest.approx(cell.joules.v / 1e-3)
    said = battery.facts(cell, Interval(lo=1e-3, v=2e-3, hi=4e-3), ("barrier",))
    assert said["life_s"]["lo"] == pytest.approx(cell.joules.lo / 4e-3)
    assert said["life_s"]["hi"] == pytest.approx(cell.joules.hi / 1e-3)
    assert not said["too_much"]
    assert battery.sentence(said) == (
        "CR2032 lithium coin cell, 225 mAh (225 to 235) at 3 V: 14 days (7.0 days to 29 days), less for what is unknown: "
        "barrier; without the sensor, the regulator and the cell's self-discharge"
    )
    much = battery.facts(cell, exactly(64e-3), ())
    assert "it takes 21.3 mA, and the cell gives 3.00 mA for long: choose a larger one" in battery.sentence(
        much
    )
    with pytest.raises(
        InputError, match="there is no battery 'CR2033', did you mean CR2032; known are CR2032, CR2450"
    ):
        battery.battery("CR2033")


def test_every_battery_names_a_source_that_is_cited():
    for cell in battery.batteries().values():
        for number in (cell.charge, cell.most):
            for key in number.src.split(", ") if number is not None else ():
                assert key in battery.battery_refs()
        assert cell.charge.lo <= cell.charge.v <= cell.charge.hi


def test_the_int8_form_of_a_net_is_near_it_and_has_weights_of_255_steps():
    torch.manual_seed(0)
    x = torch.randn(400, 6)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = torch.nn.Sequential(float32.Normal(x), *float32.dense(6, (32, 16), 2))
    _, model = float32.best({"only": model}, x, y, torch.arange(400) % 5 == 0, epochs=30, batch=40)
    small = float32.int8(model, x)
    assert (float32.decisions(small, x) == float32.decisions(model, x)).float().mean() > 0.97
    for layer in small:
        if isinstance(layer, torch.nn.Linear):
            assert all(len(torch.unique(row)) <= 255 for row in layer.weight)
    assert float32.macs(model, x) == 6 * 32 + 32 * 16 + 16 * 2


def test_a_scenario_lists_a_battery_or_a_file_that_is_not_there(tmp_path, capsys):
    np.savez(tmp_path / "rows.npz", x=np.zeros((4, 9)))
    net = load_scenario("shuttle").network
    (tmp_path / "s.toml").write_text(
        f'[source]\nfile = "rows.npz"\nrate = 1.0\n[network]\nnet = "{net}"\ntarget = "loihi-sim"\n'
        '[report]\nbattery = "AAA"\nbeside = "f.npz"\n'
    )
    assert cli.main(["stream", str(tmp_path / "s.toml")]) == 2
    said = capsys.readouterr().err
    assert "there is no battery 'AAA'" in said
    assert "[report] beside 'f.npz' is not there" in said


def test_a_battery_is_chosen_on_the_command_line(capsys):
    assert cli.main(["stream", "shuttle", "--limit", "5", "--summary", "--battery", "aa-lithium"]) == 0
    assert "battery: AA lithium cell (Energizer L91), 3.00 Ah at 1.5 V: 2.9 days" in capsys.readouterr().out
    assert cli.main(["stream", "shuttle", "--limit", "5", "--battery", "CR9"]) == 2
    assert "there is no battery 'CR9'" in capsys.readouterr().err
