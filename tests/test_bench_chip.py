"""`spikebnn bench --chip`: the literature's recurrent chip is made, kept, run in any simulator, and timed against real time."""

from __future__ import annotations

import json

import numpy as np
import pytest

import spikebnn
from spikebnn.bench import ROUNDS, WARM, chip_pace
from spikebnn.cli import main
from spikebnn.simulate import registry


def test_a_chip_is_kept_and_is_the_same_in_any_simulator(capsys, tmp_path) -> None:
    path = tmp_path / "chip.sbnn"
    words = [
        "bench",
        "--chip",
        "2",
        "--ticks",
        "40",
        "--threads",
        "2",
        "--seed",
        "3",
        "-o",
        str(path),
        "--json",
    ]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["cores"], facts["neurons"], facts["threads"], facts["ticks"]) == (2, 512, 2, 40)
    program = spikebnn.load(path)
    assert program.header == spikebnn.recurrent(2, seed=3).header
    ticks = WARM + ROUNDS * 40
    found = [
        registry.simulator(name).load(program).ticks(np.zeros((1, ticks, 1), np.uint8)).spikes[0]
        for name in ("reference", "bitwise")
    ]
    np.testing.assert_array_equal(*found)
    assert facts["spikes"] == pytest.approx(found[0][WARM:].sum() / (ROUNDS * 40))
    assert 100 < facts["synaptic_events"] / facts["axon_events"] < 156  # half of 256


def test_a_program_runs_by_itself_as_fast_as_its_ticks_say(capsys, tmp_path) -> None:
    spikebnn.recurrent(1).save(tmp_path / "a.sbnn")
    assert main(["bench", str(tmp_path / "a.sbnn"), "--ticks", "30"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 cores, 256 neurons, threads: 1, 30 ticks\n\nticks/s ")
    assert "times real time at 1 ms a tick" in said
    pace = chip_pace(spikebnn.recurrent(1), ticks=30)
    assert pace.ticks_per_second == pytest.approx(30 / pace.seconds)
    assert pace.times_real_time == pytest.approx(pace.ticks_per_second / 1000)
    assert pace.rate == pytest.approx(1000 * pace.spikes / 256)
    assert 5 < pace.rate < 40  # about 20 Hz


@pytest.mark.parametrize(("words", "sentence"), [
    ([], "bench takes a program, net.sbnn, or --chip CORES; give one of them"),
    (["a.sbnn", "--chip", "2"], "bench takes a program, net.sbnn, or --chip CORES; give one of them"),
    (["a.sbnn"], "bench times a program on frames with --data FILE, or by itself with --ticks N; give one of them"),
    (["a.sbnn", "--ticks", "3", "-o", "b.sbnn"], "-o keeps the net that --chip makes, and a.sbnn is a file already"),
    (["--chip", "2", "--data", "x.npz"], "--data is for frames; --chip and --ticks run without input: leave one of them out"),
    (["a.sbnn", "--data", "x.npz", "--threads", "2"],
     "--threads is for --chip and --ticks; on frames OMP_NUM_THREADS says how many there are"),
    (["--chip", "2", "--seed", "-1"], "--seed is a whole number from 0 up, not -1"),
])  # fmt: skip
def test_what_does_not_go_together_is_one_sentence(capsys, words, sentence) -> None:
    assert main(["bench", *words]) == 2
    assert capsys.readouterr().err == f"spikebnn: error: {sentence}\n"
