"""Energy at a frame rate, and what moves an energy most: against arithmetic by hand and against the bill itself."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.cli import main
from spikebnn.energy import UNKNOWN, Energy, energy
from spikebnn.energy.duty import IDLE_SPIKES, Duty, at_rate
from spikebnn.energy.sensitivity import UNCOUNTED, sensitivity, sensitivity_line
from spikebnn.energy.timing import Timing, timing
from spikebnn.errors import InputError
from spikebnn.score import score
from spikebnn.targets import load_target
from spikebnn.targets.target import Target
from tests.strategies_energy import core, counts, program, programs, run


def bill(
    name: str | Target = "tiny-test", period: int = 1, frames: int = 4, tick: float | None = None
) -> tuple[Energy, Timing]:
    target = name if isinstance(name, Target) else load_target(name)
    made = program((core(0, 0, 0), core(0, 3, 2)), [(0, 0, 1, 0, 1)], target=target.name, period=period)
    counted = counts(made, frames)
    return energy(counted, made, target, frames, tick), timing(counted, made, target, frames, tick)


def of(at: Energy | Duty, name: str) -> float:
    found = at.on if isinstance(at, Duty) else at
    (item,) = (item for item in found.items if item.name == name)
    return found.per_frame(item.joules).v


def test_a_chip_that_stays_on_pays_for_the_time_between_frames() -> None:
    made, times = bill()
    at = at_rate(made, times, 30)
    # tiny-test: 1 mW, ticks of 1 ms, a barrier of 1 pJ, an idle update of 5 pJ for each of four neurons
    assert of(at, "static_power") == pytest.approx(1e-3 / 30)
    assert of(at, "barrier") == pytest.approx(1e-12 * 1000 / 30)
    assert of(at, "neuron_update") - of(made, "neuron_update") == pytest.approx(4 * 5e-12 * (1000 / 30 - 1))
    assert of(at, "synaptic_event") == of(made, "synaptic_event")
    assert at.busy == pytest.approx(0.03)
    assert at.power.v == pytest.approx(at.per_frame.v * 30)
    assert at.on.left_out[-1] == IDLE_SPIKES


def test_at_the_rate_of_the_tick_nothing_is_added() -> None:
    made, times = bill(period=5)
    at = at_rate(made, times, 200)
    assert at.per_frame.v == pytest.approx(made.per_frame(made.total).v)
    assert at.busy == 1
    assert at.on.left_out == made.left_out


def test_a_rate_beyond_the_nominal_tick_shortens_the_tick() -> None:
    made, times = bill()
    at = at_rate(made, times, 10_000)
    assert at.tick == pytest.approx(1e-4)
    assert of(at, "static_power") == pytest.approx(1e-3 / 10_000)


def test_a_frame_alone_with_power_cut_afterwards_runs_until_its_answer() -> None:
    made, times = bill("truenorth-sim")
    at = at_rate(made, times, 30)
    cost = load_target("truenorth-sim").energy
    ticks = times.latency
    wanted = made.per_frame(made.marginal).v + ticks * (
        cost["memory_scan"].v + cost["static_power"].v * 47.6e-6
    )
    assert at.gated.v == pytest.approx(wanted)
    assert at.gated.hi > at.gated.v


def test_an_unknown_price_stays_unknown_at_a_rate_and_lets_nothing_be_gated() -> None:
    made, times = bill("loihi-sim")
    at = at_rate(made, times, 30)
    assert at.on.lacks == made.lacks == ("barrier",)
    assert at.gated is None
    assert [item.name for item in at.on.items if item.state == UNKNOWN] == ["barrier"]


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.0, "a rate of 0 frames/s was asked for; it must be more than 0 and finite"),
        (float("nan"), "a rate of nan frames/s was asked for; it must be more than 0 and finite"),
        (float("inf"), "a rate of inf frames/s was asked for; it must be more than 0 and finite"),
        (1e9, "1e+09 frames/s are out of reach: a frame every tick of 47.6 µs at best makes 2.101e+04 frames/s; "
              "ask for a lower --rate"),
    ],
)  # fmt: skip
def test_a_rate_that_cannot_be_is_a_sentence(rate: float, said: str) -> None:
    with pytest.raises(InputError) as caught:
        at_rate(*bill("truenorth-sim"), rate)
    assert str(caught.value) == said


def test_a_score_refuses_a_rate_out_of_reach() -> None:
    made = program((core(),), target="truenorth-sim")
    with pytest.raises(InputError, match="frames/s are out of reach"):
        score(run(made, 2), made, load_target("truenorth-sim"), rate=1e6)


def test_a_target_without_a_tick_has_no_price_at_a_rate() -> None:
    with pytest.raises(InputError, match="the target gives no length of a tick"):
        at_rate(*bill("ranc-sim"), 30)


@settings(max_examples=40, deadline=None)
@given(made=programs(), low=st.floats(0.01, 100), by=st.floats(1, 2))
def test_rarer_frames_never_cost_less_each_and_never_take_more_power(made, low: float, by: float) -> None:
    target = load_target("tiny-test")
    counted = counts(made, 2)
    parts = energy(counted, made, target, 2), timing(counted, made, target, 2)
    rare, often = at_rate(*parts, low), at_rate(*parts, low * by)
    assert rare.per_frame.v >= often.per_frame.v * (1 - 1e-9)
    assert rare.power.v <= often.power.v * (1 + 1e-9)


# ------------------------------------------------------------------------------------------------ sensitivity


@settings(max_examples=30, deadline=None)
@given(made=programs(), key=st.sampled_from(sorted(load_target("tiny-test").energy)))
def test_a_swing_is_what_the_bill_does_when_one_constant_alone_moves(made, key: str) -> None:
    target = load_target("tiny-test")
    counted = counts(made, 2)
    whole = energy(counted, made, target, 2)
    swings = {swing.name: swing for swing in sensitivity(whole)}
    ends = []
    for end in ("lo", "hi"):
        price = dataclasses.replace(target.energy[key], v=getattr(target.energy[key], end))
        moved = energy(counted, made, dataclasses.replace(target, energy={**target.energy, key: price}), 2)
        ends.append(moved.per_frame(moved.total).v)
    if key in swings:
        assert [swings[key].lo, swings[key].hi] == pytest.approx(ends)
    else:
        assert ends[0] == pytest.approx(ends[1])


@settings(max_examples=30, deadline=None)
@given(made=programs("loihi-sim"))
def test_no_swing_is_wider_than_the_interval_and_the_widest_comes_first(made) -> None:
    whole = energy(counts(made, 2), made, load_target("loihi-sim"), 2)
    total = whole.per_frame(whole.total)
    swings = sensitivity(whole)
    widths = [swing.width for swing in swings]
    assert widths == sorted(widths, reverse=True)
    for swing in swings:
        assert total.lo * (1 - 1e-9) <= swing.lo <= total.v * (1 + 1e-9)
        assert total.v * (1 - 1e-9) <= swing.hi <= total.hi * (1 + 1e-9)


def test_events_that_were_not_counted_have_a_swing_of_their_own() -> None:
    made = program((core(leak=1),), target="loihi-sim")
    silent = counts(made, 3)._replace(synaptic_events=np.zeros((3, 1), np.int64))
    found = {swing.name: swing for swing in sensitivity(energy(silent, made, load_target("loihi-sim"), 3))}
    assert found[UNCOUNTED].width == pytest.approx(2 * (72.8e-12 - 51.2e-12))  # two neurons, with input or without


def test_a_bill_without_prices_or_frames_has_no_swings() -> None:
    assert sensitivity(bill("loihi2-sim")[0]) == ()
    assert sensitivity(bill(frames=0)[0]) == ()
    assert sensitivity_line(bill("loihi2-sim")[0]) is None


def test_the_line_names_the_two_widest_swings() -> None:
    made, _ = bill("truenorth-sim")
    line = sensitivity_line(made)
    assert line.startswith("most uncertain: static_power (63.")
    assert ", then memory_scan (" in line


def test_the_commands_take_a_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = program((core(0, 0, 0), core(0, 3, 2)), [(0, 0, 1, 0, 1)], target="truenorth-sim")
    path = tmp_path / "run.json"
    path.write_text(score(run(made, 8), made, load_target("truenorth-sim")).to_json(), encoding="utf-8")
    assert main(["report", str(path)]) == 0
    assert "chip always on" not in capsys.readouterr().out
    assert main(["report", str(path), "--rate", "30"]) == 0
    assert "at 30 frames/s, chip always on: per frame 2.1" in capsys.readouterr().out
    assert main(["report", str(path), "--rate", "30", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["at_rate"]["rate"] == 30
    assert main(["report", str(path), "--rate", "1e6"]) == 2
    assert "1e+06 frames/s are out of reach: " in capsys.readouterr().err
    certificate = tmp_path / "cert.json"
    certificate.write_text('{"schema": "spikebnn.certificate/1"}', encoding="utf-8")
    assert main(["report", str(certificate), "--rate", "30"]) == 2
    assert "is a certificate, which has no energy" in capsys.readouterr().err
