"""A recording of one's own on the command line: what is found out by itself, what can be said, and what is refused."""

from __future__ import annotations

import csv
import json
import wave

import numpy as np
import pytest

from spikebnn import sbnn
from spikebnn.cli import main
from tests.test_stream import chooser, one_hot


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with a recording and a program, as the working directory."""
    sbnn.save(chooser(rows=2), tmp_path / "net.sbnn")
    chosen = np.repeat(np.arange(30) % 3, 2)
    lines = [f"{k / 20:.2f},{','.join(f'{v:g}' for v in row)},{'xyz'[c]}" for k, (row, c) in enumerate(zip(one_hot(chosen), chosen))]
    (tmp_path / "rec.csv").write_text("time,a,b,c,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys, *words):
    assert main(["stream", *words]) == 0
    return capsys.readouterr().out


def refused(capsys, *words):
    assert main(["stream", *words]) == 2
    out = capsys.readouterr()
    assert out.err.startswith("spikebnn: error: ")
    assert out.err.count("\n") == 1
    return out.err.removeprefix("spikebnn: error: ").strip()


OWN = ("--source", "rec.csv", "--net", "net.sbnn")


@pytest.mark.usefixtures("own")
def test_rate_window_and_labels_are_found_by_themselves(capsys):
    facts = json.loads(told(capsys, *OWN, "--classes", "x,y,z", "--json"))
    assert (facts["rate"], facts["interval"], facts["windows"], facts["accuracy"]) == (20.0, 0.1, 30, 1.0)
    assert facts["channels"] == ["a", "b", "c"]
    assert facts["samples"]["rows"] == 60


def test_decisions_and_summary_are_written(capsys, own):
    told(capsys, *OWN, "--classes", "x,y,z", "--window", "0.1s", "--hop", "1", "-o", "d.csv", "-o", "d.jsonl", "-o", "sum.json", "-q")
    with open(own / "d.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 59
    assert [row["name"] for row in rows[:5:2]] == ["x", "y", "z"]
    assert rows[2]["time"] == "0.15"
    lines = [json.loads(line) for line in (own / "d.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [str(line["chosen"]) for line in lines] == [row["chosen"] for row in rows]
    assert json.loads((own / "sum.json").read_text(encoding="utf-8"))["windows"] == 59


@pytest.mark.usefixtures("own")
def test_options_reach_the_stream(capsys):
    out = told(capsys, *OWN, "--classes", "x,y,z", "--encoder", "threshold:at=0.5", "--vote", "3", "--fault", "sensor-dropout=0.05",
               "--seed", "2", "--policy", "bad=hold", "--summary")  # fmt: skip
    assert "encoder threshold; decisions voted on by 3 windows; faults: sensor-dropout 0.05, seed 2" in out
    assert "mended" in out


def test_a_wav_file_goes_through_a_filter_bank(capsys, own):
    sbnn.save(chooser(rows=4, channels=3), own / "words.sbnn")
    tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    with wave.open(str(own / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((tone * 9000).astype("<i2").tobytes())
    facts = json.loads(told(capsys, "--source", "a.wav", "--net", "words.sbnn", "--encoder", "filterbank:bands=3,frame=32ms,hop=20ms",
                            "--encoder", "threshold:at=0", "--json"))  # fmt: skip
    assert facts["interval"] == 0.08
    assert facts["encoder"] == ["filterbank", "threshold"]
    assert facts["windows"] == 12
    assert facts["by_class"] == [12, 0, 0]  # 440 Hz lies in the lowest of three bands


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name a scenario, such as shuttle, or a recording of your own with --source and --net; see spikebnn stream --help"),
        (("--source", "rec.csv"), "--source needs a network: --net net.sbnn, or --net net.pt with --target"),
        (("shuttle", "--net", "x"), "the scenario shuttle names its own network; --net goes with --source"),
        (("shuttle", "--rate", "5"), "--rate goes with --source; in the scenario shuttle change its file"),
        (("--source", "rec.csv", "--net", "net.pt"), "net.pt is no program (.sbnn), so name the target to map it onto: --target"),
        ((*OWN, "--rate", "0"), "the options: --rate must be above 0 Hz, found 0.0"),
        ((*OWN, "--window", "soon"), "the options: --window must be a whole number, or a time such as \"2s\", found 'soon'"),
        ((*OWN, "--policy", "guess"), "the options: there is no policy 'guess'; there are drop, hold, interpolate, keep, refuse, skip, "
                                      "for one kind as bad=hold"),
        ((*OWN, "--window", "0.12s"), "a window of 0.12 s is 2.4 rows at 20 Hz; choose a time that is a whole number of rows"),
        ((*OWN, "--window", "3"), "a window of 3 rows of 3 values holds 9, and the network takes 6; "
                                  "change the window, the channels or the encoder"),
        ((*OWN, "--columns", "a,b"), "a window of 3 rows of 2 values holds 6"),
        ((*OWN, "--rate", "25"), "rec.csv shows by its times 20 rows a second, and the rate is said to be 25; name the right one, or keep "
                                 "the one named with the policy rate=keep"),
        ((*OWN, "--fault", "packet-loss"), "a fault is written KIND=RATE, such as packet-loss=0.01, found 'packet-loss'"),
        ((*OWN,), "row 1 is labelled 'x', which is none of the classes (0 to 2); name the classes in order"),
        ((*OWN, "--resume"), "to resume, name the checkpoint to go on from"),
        ((*OWN, "--encoder", "wavelet"), "there is no encoder 'wavelet'; known are affine, "),
        ((*OWN, "--sweep", "axon-flip=0", "--checkpoint", "c"), "--sweep runs the stream several times, so it keeps no checkpoint; sweep without --checkpoint"),
        ((*OWN, "-o", "d.txt"), "-o d.txt: the name must end in .csv, .jsonl, .ndjson (decisions) or .json (the run)"),
        ((*OWN, "-o", "d.html"), "or .json (the run); a page is written with --html"),
        ((*OWN, "-o", "d.csv", "-o", "./d.csv"), "d.csv is named twice as an output"),
        ((*OWN, "--repeats", "3"), "--repeats is the number of seeds of a sweep, so name one with --sweep"),
        ((*OWN, "--every", "1"), "--every is the time between checkpoints, so name a file with --checkpoint"),
        ((*OWN, "--checkpoint", "c", "--every", "nan"), "--every is a time of 0 s or more, found nan"),
        ((*OWN, "--sweep", "packet-loss"), "a sweep is written KIND=RATE,RATE,..., such as packet-loss=0,0.01,0.1, found 'packet-loss'"),
        ((*OWN, "--sweep", "packet-loss=0,2"), "the rate of packet-loss is a probability from 0 to 1, found 2"),
        (("--source", "-", "--net", "net.sbnn", "--rate", "9", "--sweep", "dead-cores=0"), "- is a live source, which cannot be read once "
                                                                                          "for every rate; record it to a file first"),
    ],
)  # fmt: skip
def test_a_mistake_has_one_sentence(capsys, words, sentence):
    found = refused(capsys, *words)
    if words == (*OWN, "--columns", "a,b"):  # three rows of two fill the network, and the labels are names
        assert found.startswith("row 2 is labelled 'y'")
        return
    assert sentence in found
    assert found[0] == found[0].lower()
