"""A user's own recording, from a CSV and no net to decisions on a chip, in the lines that sims/README.md shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikebnn import cli
from spikebnn.errors import InputError
from spikebnn.stream import training_frames

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "sims" / "README.md").read_text(encoding="utf-8")


def climate(path, seed, rows=1500, mark=",", decimal=".", gaps=0.0):
    """A room that people come into and leave: a reading a minute, the times as text."""
    draw = np.random.default_rng(seed)
    there = np.cumsum(draw.random(rows) < 0.02) % 2
    warm = np.convolve(there, np.ones(12) / 12)[:rows]
    readings = np.stack([21 + 2 * warm, 40 + 5 * there, 420 + 600 * warm], 1) + draw.normal(0, (0.2, 2, 20), (rows, 3))
    lines = [mark.join(("date", "temperature", "humidity", "co2", "occupancy"))]
    for k, (row, word) in enumerate(zip(readings, np.array(["empty", "occupied"])[there])):
        cells = ["" if draw.random() < gaps else f"{value:.2f}".replace(".", decimal) for value in row]
        lines.append(mark.join((f"2026-03-{1 + k // 1440:02d} {k // 60 % 24:02d}:{k % 60:02d}:00", *cells, word)))
    path.write_text("\n".join(lines) + "\n")


def test_the_lines_of_the_page_go_from_a_csv_to_decisions(tmp_path, capsys, monkeypatch):
    code, command = (re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)[0] for kind in ("python", "sh"))
    climate(tmp_path / "monday.csv", 1)
    climate(tmp_path / "tuesday.csv", 2, 400)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False,
                          env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    words = command.replace("\\\n", " ").split()
    assert words[0] == "spikebnn"
    assert cli.main([*words[1:], "--summary"]) == 0
    out = capsys.readouterr().out
    (accuracy,) = re.findall(r"accuracy ([\d.]+) %", out)
    assert float(accuracy) > 90
    assert "battery: CR2" in out
    climate(tmp_path / "tuesday.csv", 3, 400, mark=";", decimal=",", gaps=0.02)
    assert cli.main([*words[1:], "--summary", "--policy", "hold"]) == 0
    out = capsys.readouterr().out
    assert "mended" in out
    assert float(re.findall(r"accuracy ([\d.]+) %", out)[0]) > 85


def test_training_frames_of_a_table_are_those_of_the_file(tmp_path):
    climate(tmp_path / "a.csv", 0, 40)
    plan = {"source": {"file": str(tmp_path / "a.csv"), "labels": "occupancy"}, "window": {"rows": 5, "hop": 5},
            "report": {"classes": ["empty", "occupied"]}}  # fmt: skip
    frames = training_frames(plan)
    assert frames.x.shape == (8, 5, 3)
    assert set(frames.y.tolist()) <= {0, 1}
    with pytest.raises(InputError, match="the training data: has an unknown key 'windows', did you mean window"):
        training_frames({**plan, "windows": {}})
    with pytest.raises(InputError, match="a row is labelled 'occupied', which is none of the classes; name the classes in order"):
        training_frames({name: part for name, part in plan.items() if name != "report"})


def test_a_recording_shorter_than_a_window_says_so(tmp_path, capsys):
    climate(tmp_path / "a.csv", 0, 8)
    net = str(ROOT / "examples" / "basic_motions" / "net.pt")
    columns = "temperature,humidity,co2,temperature,humidity,co2"
    assert cli.main(["stream", "--source", str(tmp_path / "a.csv"), "--net", net, "-t", "loihi-sim", "--columns", columns,
                     "--summary"]) == 0  # fmt: skip
    assert "no window is whole: the rows end before, or break off too often" in capsys.readouterr().out


@pytest.mark.parametrize("times", ["grid", "linear"])
def test_recordings_whose_clocks_begin_anew_lose_no_row(tmp_path, capsys, times):
    """Two recordings of the same hour, one after another: the second is not late, and no window reaches across."""
    lines = "time,a\n" + "".join(f"{k},{k}\n" for k in range(20))
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(lines)
    plan = {"source": {"file": [str(tmp_path / "one.csv"), str(tmp_path / "two.csv")], "times": times},
            "window": {"rows": 5, "hop": 5}}  # fmt: skip
    told = training_frames(plan).x[:, :, 0]
    np.testing.assert_allclose(told, np.concatenate([np.arange(20.0).reshape(4, 5)] * 2), atol=1e-6)
    two = np.tile(np.arange(20.0), 2)
    np.savez(tmp_path / "both.npz", x=two[:, None], t=two, part=np.repeat([0, 1], 20))
    source = {"file": str(tmp_path / "both.npz"), "times": times, "time": "t", "segments": "part"}
    np.testing.assert_allclose(training_frames({**plan, "source": source}).x[:, :, 0], told, atol=1e-6)


def test_the_kind_of_a_source_is_named_where_its_name_does_not_tell(tmp_path, capsys):
    climate(tmp_path / "logger.dat", 0, 60)
    net = str(ROOT / "examples" / "shuttle" / "net.pt")
    command = ["stream", "--source", str(tmp_path / "logger.dat"), "--net", net, "-t", "loihi-sim", "--window", "3",
               "--columns", "temperature,humidity,co2", "--summary"]  # fmt: skip
    assert cli.main(command) == 2
    assert "or name the kind of source" in capsys.readouterr().err
    assert cli.main([*command, "--kind", "csv"]) == 0
    assert "20 decisions of 20 windows" in capsys.readouterr().out
    assert cli.main([*command, "--kind", "cvs"]) == 2
    assert "--kind must be one of aedat, csv, edf, es, lines, npz, saccade, synthetic, wav, found 'cvs'" in capsys.readouterr().err
