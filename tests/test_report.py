"""Report: one page per score, the honest lines first."""

from __future__ import annotations

import csv
import dataclasses
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikebnn.baseline import baseline_refs, baselines, beside, loss_line
from spikebnn.errors import InputError
from spikebnn.interval import Interval
from spikebnn.report import headline, report
from spikebnn.score import Score, score
from spikebnn.tables import FORMS, Page, render, table
from spikebnn.targets import load_target, target_names
from spikebnn.units import percent, si, span, whole
from tests.strategies_energy import core, program, run


def judged(target: str = "tiny-test", frames: int = 8, encoder: str = "values", **more) -> Score:
    made = program((core(0, 0, 0), core(0, 3, 2)), [(0, 0, 1, 0, 1)], target=target, encoder_kind=encoder)
    return score(run(made, frames), made, load_target(target), **more)


def test_a_total_that_lacks_a_price_names_it_and_never_says_at_least() -> None:
    made = judged("loihi-sim-davies2018")
    line = next(line for line in headline(made) if line.startswith("energy"))
    total, own = (made.energy.per_frame(part) for part in (made.energy.total, made.energy.marginal))
    assert line == (
        f"energy per frame at a tick of {si(made.energy.tick, 's')}: {span(total, 'J')}, plus what is unknown: spike, "
        f"message, barrier; for the network's own events {span(own, 'J')}, plus what is unknown: spike, message"
    )
    assert not any("at least" in line for line in headline(made)[1:])  # the first says what it loses to
    fastest = next(line for line in headline(made) if line.startswith("at the fastest tick"))
    assert fastest.endswith(", plus what is unknown: spike, message, barrier")


def test_a_chip_without_prices_has_unknown_energy() -> None:
    lines = headline(judged("loihi2-sim"))
    assert "energy: unknown; loihi2-sim has no published constants for these events" in lines


def test_a_hybrid_network_is_never_called_all_spiking() -> None:
    assert any(line.startswith("hybrid, not all-spiking: ") for line in headline(judged(encoder="stem")))
    assert "all layers with weights run on the cores" in headline(judged())


def test_what_was_not_given_is_unknown() -> None:
    lines = headline(judged())
    assert "accuracy: unknown, no labels were given" in lines
    assert "agreement with the original network: not looked at" in lines


def test_accuracy_and_agreement_stand_with_their_counts() -> None:
    told = run(program((core(0, 0, 0), core(0, 3, 2)), [(0, 0, 1, 0, 1)]), 8)
    lines = headline(judged(labels=told.classes, reference=told.scores))
    assert "accuracy: 100.00 %, 8 of 8 frames" in lines
    assert (
        "agreement with the original network: same class in 8 of 8 frames, every score the same number in 8"
        in lines
    )


@pytest.mark.parametrize("name", target_names())
@pytest.mark.parametrize("form", FORMS)
def test_every_target_has_a_report_in_every_form(name: str, form: str) -> None:
    text = report(judged(name), form=form)
    assert name in text
    assert text.endswith("\n")


def test_every_constant_is_printed_with_its_citation() -> None:
    text = report(judged("loihi-sim"))
    target = load_target("loihi-sim")
    for key in ("synaptic_event", "neuron_idle", "spike", "static_power"):
        quantity = target.energy[key]
        row = next(
            line for line in text.splitlines() if line.strip().startswith(key) and quantity.kind in line
        )
        assert all(f"{end:.4g}" in row for end in (quantity.v, quantity.lo, quantity.hi))
        for source in quantity.src.split(","):
            assert f"{source.strip()}: {target.refs[source.strip()]}" in text


def test_where_the_spiking_chip_loses_the_first_line_says_so() -> None:
    made = judged("truenorth-sim")
    lost = [
        baseline
        for baseline, _, verdict in beside(made)
        if verdict.startswith("the spiking chip costs at least")
    ]
    first = report(made).splitlines()[0]
    assert first.startswith(
        f"the spiking chip loses on energy to {len(lost)} of {len(baselines())} conventional baselines: it costs at least "
    )
    assert first.endswith(" times as much as binary accelerators, 22 to 65 nm")


def test_where_it_loses_to_nothing_the_first_line_says_nothing_of_it() -> None:
    cheap = judged("tiny-test", tick_s=1e-12)
    dear = dataclasses.replace(cheap, macs=10**9)
    assert loss_line(dear) is None
    assert report(dear).startswith("tiny-test, 8 frames")
    assert loss_line(judged("loihi2-sim")) is None


# Horowitz, ISSCC 2014, 45 nm, 0.9 V: int8 0.2 + 0.03, float32 3.7 + 0.9 pJ; FINN and boards: MLPerf Tiny logs, per MAC
@pytest.mark.parametrize(
    ("name", "picojoules"),
    [
        ("int8-45nm", 0.2 + 0.03), ("float32-45nm", 3.7 + 0.9), ("int8-45nm-sram", 0.23 + 20 / 8),
        ("finn-board", 2530e6 / 59.46e6), ("cortex-m4", 2833e6 / 2.657e6), ("cortex-m7", 1869e6 / 2.657e6),
        ("cortex-m33", 1004e6 / 2.657e6), ("int8-accelerator", 31.5e6 / 2.657e6), ("binary-asic", 2 * 21.6e-3),
    ],
)  # fmt: skip
def test_every_baseline_is_its_source_divided_by_its_multiply_accumulates(
    name: str, picojoules: float
) -> None:
    (mac,) = (baseline.mac for baseline in baselines() if baseline.name == name)
    assert mac.v == pytest.approx(picojoules * 1e-12, rel=0.005)
    assert mac.lo <= mac.v <= mac.hi
    assert all(key.strip() in baseline_refs() for key in mac.src.split(","))


def test_the_same_network_stands_beside_on_every_baseline() -> None:
    made = judged("truenorth-sim")
    for baseline, joules, _ in beside(made):
        assert joules.v == pytest.approx(baseline.mac.v * made.macs)
        assert baseline.title in report(made)


def test_a_named_rate_adds_a_line_and_a_column() -> None:
    text = report(judged("truenorth-sim"), rate=30)
    (line,) = (
        line for line in text.splitlines() if line.startswith("at 30 frames/s, chip always on: per frame ")
    )
    assert "busy 3.00 % of the time; with power cut between frames " in line
    (head,) = (line for line in text.splitlines() if line.split()[:3] == ["item", "count", "joules"])
    assert head.split()[3:] == ["at", "30", "frames/s"]
    assert report(judged("truenorth-sim", rate=30.0)) == text


def test_the_report_names_the_constant_that_moves_the_energy_most() -> None:
    (line,) = (
        line for line in report(judged("loihi-sim")).splitlines() if line.startswith("most uncertain: ")
    )
    assert line.startswith("most uncertain: static_power (")
    assert "intervals are corners" in report(judged("loihi-sim"))


def test_a_score_that_lacks_prices_never_wins_against_a_baseline() -> None:
    from spikebnn.baseline import _verdict

    ours, theirs = Interval(lo=1, v=2, hi=3), Interval(lo=6, v=7, hi=8)
    assert _verdict(ours, theirs, at_least=True) == "the known part costs less; the rest is unknown"
    assert _verdict(ours, theirs, at_least=False) == "the spiking chip costs 2.0 times less, or better still"
    assert _verdict(theirs, ours, at_least=True) == "the spiking chip costs at least 2.0 times as much"
    assert _verdict(ours, ours, at_least=False) == "undecided: the intervals overlap"


def test_a_report_of_a_file_equals_the_report_of_the_score(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(judged().to_json(), encoding="utf-8")
    assert report(path) == report(judged())
    assert report(str(path)) == report(judged())


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.json cannot be read as a score: No such file or directory"):
        report(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"bytes.json cannot be read as a score: it is no text"):
        report(tmp_path / "bytes.json")


def test_a_run_of_no_frames_can_be_reported() -> None:
    assert "accuracy: unknown" in report(judged(frames=0))
    assert "0 frames" in report(judged(frames=0, labels=np.zeros(0, int)))


def test_plain_text_has_no_escapes_and_a_terminal_gets_colour() -> None:
    assert "\x1b[" not in report(judged())
    assert "\x1b[" in report(judged(), color=True, width=100)


def test_importing_report_brings_no_rich() -> None:
    code = (
        "import sys, spikebnn.report, spikebnn.compare; print('rich' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_an_unknown_form_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="there is no form 'pdf'; known are text, markdown, csv, latex"):
        report(judged(), form="pdf")


NASTY = Page(
    lines=("50 % of a_b",),
    tables=(table("t & u", ("a|b", "c,d"), [("x_1 & 5 %", 'say "µ"'), ("[red]", "\\ {}")]),),
    notes=(),
)


def test_csv_is_read_back_as_it_was() -> None:
    rows = list(csv.reader(io.StringIO(render(NASTY, "csv"))))
    assert rows[:4] == [["t & u"], ["a|b", "c,d"], ["x_1 & 5 %", 'say "µ"'], ["[red]", "\\ {}"]]


def test_latex_escapes_what_it_must() -> None:
    text = render(NASTY, "latex")
    assert r"x\_1 \& 5 \% & say" in text
    assert r"[red] & \textbackslash{} \{\}" in text
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert not any("µ" in line for line in body)


def test_markdown_keeps_its_columns() -> None:
    lines = render(NASTY, "markdown").splitlines()
    assert r"| a\|b | c,d |" in lines
    assert "| --- | --- |" in lines


def test_a_terminal_shows_brackets_as_they_are() -> None:
    assert "[red]" in render(NASTY, color=True, width=80)


def test_numbers_read_well() -> None:
    assert si(1e-30, "J") == "1e-12 aJ"
    assert si(999.6e-9, "J") == "1.00 µJ"
    assert span(Interval(lo=0, v=0, hi=1), "J") == "0 J (0 to 1.00)"
    assert span(Interval(lo=1e-9, v=1e-6, hi=2e-3), "J") == "1.00 µJ (0.001 to 2 000)"
    assert percent(3, 0) == "unknown"
    assert whole(1e6) == "1 000 000"
