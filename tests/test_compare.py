"""Compare: side by side, overlaps, sources, and a gate that does not run code."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.compare import Comparison, compare, difference
from spikebnn.errors import InputError
from spikebnn.gate import holds, numbers
from spikebnn.score import Score, score
from spikebnn.tables import FORMS
from spikebnn.targets import load_target
from tests.strategies_energy import core, counts, program, programs, run


def judged(target: str = "tiny-test", seed: int = 0, frames: int = 8, network: str = "n", **more) -> Score:
    made = program((core(0, 0, 0), core(0, 3, 2)), [(0, 0, 1, 0, 1)], target=target)
    made = dataclasses.replace(made, header={"network": network})
    return score(run(made, frames, seed), made, load_target(target), **more)


def test_both_presets_of_a_chip_are_shown_with_all_their_sources() -> None:
    text = compare(judged("loihi-sim"), judged("loihi-sim-davies2018")).text()
    for name in ("loihi-sim", "loihi-sim-davies2018"):
        target = load_target(name)
        for quantity in (target.energy["synaptic_event"], target.energy["static_power"]):
            assert f"{quantity.v:.4g}" in text
            assert all(
                f"{key.strip()}: {target.refs[key.strip()]}" in text for key in quantity.src.split(",")
            )
    assert "different targets: the energies rest on different constants" in text
    assert "the energy intervals overlap, no order can be claimed" in text


def test_intervals_that_lie_apart_allow_an_order() -> None:
    text = compare(judged("truenorth-sim"), judged("tiny-test")).text()
    assert (
        "truenorth-sim against tiny-test: tiny-test costs less than truenorth-sim, the intervals lie apart"
        in text
    )


def test_a_score_that_lacks_prices_wins_nothing() -> None:
    cheap = judged("loihi-sim-davies2018", tick_s=1e-12)
    text = compare(cheap, judged("truenorth-sim")).text()
    assert (
        "the known part of loihi-sim-davies2018 lies below truenorth-sim, but loihi-sim-davies2018 lacks "
        in text
    )


def test_shared_constants_decide_an_order_that_intervals_alone_would_not() -> None:
    made = program((core(),))
    told = run(made, 8)
    busier = dataclasses.replace(
        told, counts=dataclasses.replace(told.counts, neuron_spikes=told.counts.neuron_spikes + 1)
    )
    target = load_target("tiny-test")
    a, b = score(told, made, target), score(busier, made, target)
    text = compare(a, b, labels=["a", "b"]).text()
    assert "a against b: a costs less than b by " in text
    assert "for every value of the shared constants" in text
    assert compare(a, a, labels=["a", "b"]).text().count("equal energy") == 1


def test_a_price_that_nobody_knows_cancels_where_both_pay_it_equally_often() -> None:
    one, two = judged("loihi-sim"), judged("loihi-sim")
    assert difference(one.energy, two.energy) == (0, 0)


@settings(max_examples=40, deadline=None)
@given(made=programs(), at=st.sampled_from(["lo", "v", "hi"]))
def test_the_difference_holds_whatever_the_constants_are(made, at: str) -> None:
    target = load_target("tiny-test")
    fixed = dataclasses.replace(
        target,
        energy={
            key: dataclasses.replace(q, lo=getattr(q, at), v=getattr(q, at), hi=getattr(q, at))
            for key, q in target.energy.items()
        },
    )
    told = [dataclasses.replace(run(made, 3), counts=counts(made, 3, seed)) for seed in (1, 2)]
    low, high = difference(*(score(one, made, target).energy for one in told))
    a, b = (score(one, made, fixed).energy for one in told)
    gap = a.per_frame(a.total).v - b.per_frame(b.total).v
    assert low <= gap + 1e-18
    assert gap <= high + 1e-18


def test_what_cannot_be_compared_is_said_first() -> None:
    text = compare(judged(network="a"), judged(network="b", frames=5)).text()
    assert text.startswith(
        "different networks: accuracy and energy belong to different networks\n"
        "different numbers of frames: the data differ\n"
    )


def test_an_unnamed_network_is_said() -> None:
    text = compare(judged(network=""), judged(network="")).text()
    assert text.startswith(
        "a program does not name its network: whether the networks are the same is not known\n"
    )


def test_a_target_file_that_changed_between_runs_is_noticed() -> None:
    other = dataclasses.replace(judged(), target_digest="0" * 64)
    assert (
        "different target files: one target's file has changed between the runs"
        in compare(judged(), other).text()
    )


def test_a_total_that_lacks_a_price_is_shown_with_what_it_lacks() -> None:
    text = compare(judged("loihi-sim-davies2018"), judged()).text()
    (row,) = (line for line in text.splitlines() if "energy per frame  " in line)
    assert "), plus what is unknown: spike, message, barrier " in row
    assert "at least" not in text


def test_different_ticks_are_said() -> None:
    text = compare(judged(), judged(tick_s=1e-6)).text()
    assert "different lengths of a tick: static energy is paid for different times" in text


@pytest.mark.parametrize("form", FORMS)
def test_every_form_carries_labels_energy_and_sources(form: str) -> None:
    text = compare(judged(), judged("loihi-sim"), labels=["left", "right"]).text(form)
    assert all(word in text for word in ("left", "right", "energy per frame", "SANAFE"))


def test_scores_are_read_from_files_and_named_by_them(tmp_path: Path) -> None:
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "run.json"
        path.write_text(judged().to_json(), encoding="utf-8")
        paths.append(path)
    assert compare(paths[0], judged(), judged()).labels == ("run.json", "tiny-test", "tiny-test (2)")
    assert compare(*paths).labels == (str(paths[0]), str(paths[1]))


def test_nothing_to_compare_is_a_sentence() -> None:
    with pytest.raises(InputError, match="there is nothing to compare"):
        compare()
    with pytest.raises(InputError, match="there are 1 labels for 2 scores"):
        compare(judged(), judged(), labels=["a"])


# --------------------------------------------------------------------------------------------------- the gate

VALUES: dict[str, float | None] = {"a": 2.0, "b.c": 3.0, "none": None, "base.a": 1.0}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a > 1", True), ("a>1", True), ("a < 1", False), ("a >= 2 and b.c == 3", True), ("a != 2 or b.c < 4", True),
        ("not a > 1", False), ("(a > 1) and not (b.c > 5)", True), ("a > 1.5 * base.a", True), ("(a + 1) * 2 == 6", True),
        ("((a > 1))", True), ("-a < 0", True), ("a > 2e-6", True), ("a > .5", True), ("a - -1 == 3", True), ("1 > 2 or 1 > 2 and 2 > 1", False),
        ("a / 2 == 1", True), ("(a) > (1)", True), ("2 > 1 or 1 > 2 and 1 > 2", True),
    ],
)  # fmt: skip
def test_an_expression_is_decided(text: str, wanted: bool) -> None:
    assert holds(text, VALUES) is wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", '--fail-if is empty; try --fail-if "energy.hi > 2e-6"'),
        ("a", "--fail-if 'a': a comparison such as > or <= is wanted where the end stands"),
        ("a >", "--fail-if 'a >': a number or a name is wanted where the end stands"),
        ("a > 1 2", "--fail-if 'a > 1 2': the end is wanted where '2' stands"),
        ("(a > 1", "--fail-if '(a > 1': ) is wanted where '>' stands"),
        ("a > and", "--fail-if 'a > and': a number or a name is wanted where 'and' stands"),
        ("a > 1; b", "--fail-if 'a > 1; b': ';' has no meaning here"),
        ("none > 1", "--fail-if cannot be decided: none is unknown for the score"),
        ("a > 1 or none > 1", "--fail-if cannot be decided: none is unknown for the score"),
        ("a / 0 > 1", "--fail-if 'a / 0 > 1' divides by zero for the score"),
        (
            "b.d > 1",
            "--fail-if knows no 'b.d' (did you mean b.c?); known are a, b.c, none, and base.NAME for the first score",
        ),
    ],
)
def test_an_expression_that_cannot_be_decided_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        holds(text, VALUES)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "text", ["__import__('os').system('true') > 0", "a.__class__ > 1", "(" * 200 + "a", "-" * 200 + "1 > 0"]
)
def test_an_expression_never_runs_code_nor_out_of_stack(text: str) -> None:
    with pytest.raises(InputError):
        holds(text, VALUES)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab.c()<>=!+-*/ 0123456789eandortnot", max_size=40))
def test_any_text_is_decided_or_refused(text: str) -> None:
    try:
        assert holds(text, VALUES) in (True, False)
    except InputError:
        pass


def test_every_number_of_a_score_has_a_name_and_unknown_ones_are_none() -> None:
    known = numbers(judged("tiny-test", labels=np.zeros(8, int)))
    assert known["energy.lo"] <= known["energy.v"] <= known["energy.hi"]
    assert known["accuracy"] is not None
    assert numbers(judged("loihi2-sim"))["energy.v"] is None


def test_a_gate_names_the_scores_that_fail() -> None:
    made: Comparison = compare(judged("tiny-test"), judged("truenorth-sim"))
    assert made.failing("energy.v > 10e-6") == ("truenorth-sim",)
    assert made.failing("energy.v > 1.1 * base.energy.v") == ("truenorth-sim",)
    assert made.failing("energy.v > 1") == ()
    with pytest.raises(InputError, match="cannot be decided: accuracy is unknown for tiny-test"):
        made.failing("accuracy < 0.9")
