"""Compare: side by side, overlaps, sources, and a gate that does not run code."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.cli import main
from spikebnn.compare import Comparison, compare
from spikebnn.errors import InputError
from spikebnn.gate import holds, numbers
from spikebnn.interval import wilson
from spikebnn.order import LESS, MORE, difference, pairs
from spikebnn.scatter import points
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
        told, counts=told.counts._replace(neuron_spikes=told.counts.neuron_spikes + 1)
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
    wanted = ("energy.v", "item.spike.hi") if form == "csv" else ("energy per frame", "SANAFE")
    assert all(word in text for word in ("left", "right", *wanted))


def test_csv_is_one_row_of_plain_numbers_per_score() -> None:
    one, two = judged("tiny-test", labels=np.zeros(8, int)), judged("loihi2-sim")
    rows = list(csv.DictReader(io.StringIO(compare(one, two).text("csv"))))
    assert [row["label"] for row in rows] == ["tiny-test", "loihi2-sim"]
    for row, score_ in zip(rows, (one, two)):
        for name, value in numbers(score_).items():
            assert row[name] == ("" if value is None else repr(value))
    assert float(rows[0]["energy.hi"]) == one.energy.per_frame(one.energy.total).hi


@pytest.mark.parametrize("labels", [["a_b & c", "50 % {x} #1 ~^\\$"], ["µJ – naïve", "∑ ×2 ≤ 3"]])
def test_latex_is_balanced_and_escaped_and_holds_only_letters_it_knows(labels: list[str]) -> None:
    text = compare(judged(), judged("truenorth-sim"), labels=labels).text("latex")
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert all(letter.isascii() or letter == "ï" for line in body for letter in line)
    plain = re.sub(r"\\[\\&%$#_{}]", "", "\n".join(body))
    assert plain.count("{") == plain.count("}")
    assert not re.search(r"[#$%~^]|_(?![^{]*})", re.sub(r"\\[a-z]+", "", plain))
    for begin in re.findall(r"\\begin\{tabular\}\{(l+)\}", text):
        assert begin
    columns = {len(re.split(r"(?<!\\)&", line)) for line in body if line.endswith(r"\\")}
    assert columns <= {3, 4, 8, 9, 10}


def test_a_label_cannot_leave_its_comment_in_latex() -> None:
    text = compare(judged(), judged("truenorth-sim"), labels=["a\nzz", "c"]).text("latex")
    assert not any(line.startswith("zz") for line in text.splitlines())


# ------------------------------------------------------------------------------------------------ ranking, picture


def scaled(by: float, **more) -> Score:
    """A score whose tick, and so its static energy, is `by` times the nominal one."""
    return judged(tick_s=1e-3 * by, **more)


def test_a_ranking_whose_pairs_are_all_decided_is_robust() -> None:
    found = compare(scaled(100), scaled(1), scaled(10), labels=["slow", "quick", "middle"])
    assert found.ranking.labels == ("quick", "middle", "slow")
    assert found.ranking.robust
    assert found.text().splitlines()[-1]
    assert (
        "ranking by best guess of energy, the cheapest first: quick, middle, slow; robust, the order of every pair"
        " can be claimed" in found.text()
    )


def test_a_ranking_names_the_pairs_that_may_change_places() -> None:
    found = compare(
        judged("loihi-sim"), judged("loihi-sim-davies2018"), judged("truenorth-sim"), labels=["a", "b", "c"]
    )
    assert not found.ranking.robust
    assert ("a", "b") in {tuple(sorted(pair)) for pair in found.ranking.swaps}
    assert "not robust, these may change places: " in found.text()


def test_a_score_without_an_energy_makes_no_robust_ranking() -> None:
    found = compare(judged(), judged("loihi2-sim"), scaled(100), labels=["a", "b", "c"])
    assert found.ranking.without == ("b",)
    assert not found.ranking.robust
    assert "without an energy: b" in found.ranking.text


def test_many_scores_get_a_table_of_pairs_instead_of_sentences() -> None:
    labels = [f"s{n}" for n in range(5)]
    text = compare(*(scaled(10.0**n) for n in range(5)), labels=labels).text()
    assert "s0 against s1" not in text
    assert "energy of the row against the column" in text
    (row,) = (line.split() for line in text.splitlines() if line.split()[:2] == ["s2", "more"])
    assert row == ["s2", "more", "more", "less", "less"]


@settings(max_examples=25, deadline=None)
@given(made=programs(), ticks=st.lists(st.floats(1e-9, 1.0), min_size=3, max_size=4, unique=True))
def test_orders_are_transitive(made, ticks: list[float]) -> None:
    told = run(made, 2)
    target = load_target("tiny-test")
    found = pairs([(str(n), score(told, made, target, tick_s=tick)) for n, tick in enumerate(ticks)])
    less = {(pair.first, pair.second) for pair in found if pair.order == LESS}
    less |= {(pair.second, pair.first) for pair in found if pair.order == MORE}
    for a, b in less:
        for c, d in less:
            assert b != c or (d, a) not in less


def test_the_picture_holds_every_score_with_both_ends() -> None:
    told = [("one", judged(labels=np.zeros(8, int))), ("two", judged("loihi-sim-davies2018", labels=np.zeros(8, int)))]
    rows = points(told)
    for row, (label, made) in zip(rows, told):
        joules = made.energy.per_frame(made.energy.total)
        assert (row["label"], row["energy"], row["high"]) == (label, joules.v, joules.hi)
        assert row["worst"] < made.accuracy < row["best"] or made.accuracy in (0, 1)
    assert [row["bill"] for row in rows] == ["all costs known", "some cost unknown: at least"]


@pytest.mark.parametrize("labelled", [True, False])
def test_the_picture_is_drawn_as_svg_with_every_label(labelled: bool) -> None:
    more = {"labels": np.zeros(8, int)} if labelled else {}
    made = compare(judged(**more), judged("truenorth-sim", **more), labels=["one", "</script>"])
    drawn = made.draw("x.svg").decode()
    assert drawn.startswith("<svg")
    assert "one" in drawn
    assert "&lt;/script&gt;" in drawn
    assert ("95 % interval (Wilson)" in drawn) == labelled


def test_the_page_loads_nothing_and_a_label_cannot_end_its_script() -> None:
    page = compare(judged(), judged("truenorth-sim"), labels=["one", "</script><b>"]).draw("x.html").decode()
    tail = page.partition('<div id="chart">')[2]
    shell = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href)=|url\(|@import", shell)
    assert tail.count("</script>") == 1
    assert "\\u003c/script>\\u003cb>" in tail
    assert "vegaEmbed('#chart'" in tail
    assert len(page) < 2_000_000


def test_a_picture_that_cannot_be_drawn_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^x.gif is no picture; known endings are .html, .svg, .pdf, .png$"):
        compare(judged()).draw("x.gif")
    with pytest.raises(InputError, match="^there is nothing to draw: none of these scores has an energy$"):
        compare(judged("loihi2-sim")).draw("x.svg")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(InputError, match="^x.svg needs vl-convert, which is not installed: pip install vl-convert"):
        compare(judged()).draw("x.svg")


# A 95 % interval of 8 of 10: 0.4902 to 0.9433 (Wilson's formula worked out by hand).
def test_the_interval_of_an_accuracy_is_wilsons() -> None:
    found = wilson(8, 10)
    assert [found.lo, found.hi] == pytest.approx([0.4902, 0.9433], abs=1e-4)
    assert (wilson(0, 5).lo, wilson(5, 5).hi) == (0, 1)


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
        ("a / 2 == 1", True), ("a > 1500mJ", True), ("a < 2.5J", True), ("b.c >= 300%", True), ("a == 2000000us", True),
        ("a > 1.9e3mW and b.c < 0.1e-1kHz", True), ("a > 2e6µJ", False), ("(a) > (1)", True), ("2 > 1 or 1 > 2 and 1 > 2", True),
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
        (
            "a > 2uF",
            "--fail-if 'a > 2uF': '2uF' has no unit that is known; units are J, s, W, Hz and %, with f, p, n, u, µ, m, k,"
            " M, G before them, as in 2uJ",
        ),
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


def test_a_gate_knows_the_bill_the_rate_and_what_the_score_loses_to() -> None:
    made = judged("truenorth-sim", rate=30.0, labels=np.zeros(8, int))
    known = numbers(made)
    assert known["rate"] == 30
    assert known["rated.v"] == pytest.approx(made.duty.per_frame.v)
    assert known["power.v"] == pytest.approx(30 * known["rated.v"])
    assert known["quick.lo"] < known["quick.v"] < known["energy.v"]
    assert known["item.static_power.v"] == pytest.approx(43e-6)
    assert known["item.spike.v"] is None
    assert known["baselines.lost"] == 9
    assert known["accuracy.lo"] <= known["accuracy"] <= known["accuracy.hi"]


def test_the_command_takes_several_gates_and_says_which_are_true(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = []
    for name in ("tiny-test", "truenorth-sim"):
        paths.append(str(tmp_path / f"{name}.json"))
        Path(paths[-1]).write_text(judged(name).to_json(), encoding="utf-8")
    gates = ["--fail-if", "energy.v > 10uJ", "--fail-if", "frames < 1"]
    assert main(["compare", *paths, *gates]) == 1
    told = capsys.readouterr().out
    assert told.endswith("fails: energy.v > 10uJ is true of truenorth-sim.json\n")
    assert main(["compare", *paths, *gates, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [gate["failing"] for gate in found["fail_if"]] == [["truenorth-sim.json"], []]
    assert found["ranking"]["robust"]
    assert main(["compare", *paths, "--fail-if", "frames < 1"]) == 0
    assert main(["compare", *paths, "-o", str(tmp_path / "x.svg")]) == 0
    assert (tmp_path / "x.svg").read_bytes().startswith(b"<svg")
    assert main(["compare", *paths, "-o", paths[0]]) == 2
    assert main(["compare", *paths, "--fail-if", "joules > 1"]) == 2
    assert "--fail-if knows no 'joules'" in capsys.readouterr().err
