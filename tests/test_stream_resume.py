"""Stop and resume: whatever a stream was stopped or killed by, and wherever, it ends with the bytes of one that was not."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from spikebnn import sbnn
from spikebnn.errors import InputError
from spikebnn.stream import load_scenario, pipeline, stream
from spikebnn.stream.checkpoint import load, save
from tests.test_stream import chooser, one_hot

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = """
[source]
file = "rows.csv"
rate = 50.0
labels = "kind"
columns = ["a", "b", "c"]
policy = ["bad=interpolate", "gap=hold", "late=drop"]
[[encoder]]
name = "threshold"
at = 0.6
hysteresis = 0.3
[window]
rows = 3
hop = 2
[network]
program = "net.sbnn"
simulator = "reference"
[decision]
vote = 3
average = 2
"""


def recording(folder, rows=3000, seed=0, scenario=SCENARIO):
    """Rows with times, gaps, rows that come late, and bad cells."""
    draw = np.random.default_rng(seed)
    chosen = draw.integers(0, 3, rows)
    lines = ["time,a,b,c,kind"]
    for k in range(rows):
        if draw.random() < 0.03:
            continue
        cells = [str(v) if draw.random() > 0.02 else "" for v in one_hot([chosen[k]])[0].astype(int)]
        at = k - 5 if draw.random() < 0.02 else k
        lines.append(f"{at / 50:.3f},{','.join(cells)},{chosen[k]}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sbnn.save(chooser(rows=3), folder / "net.sbnn")
    (folder / "s.toml").write_text(scenario, encoding="utf-8")
    return folder / "s.toml"


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of 16 windows, and blocks of 64 rows, so that there are many places to stop at."""
    from spikebnn.stream.sources import csvfile

    monkeypatch.setattr(pipeline, "MOST_WINDOWS", 16)
    monkeypatch.setattr(csvfile, "ROWS", 64)


def facts(report):
    """A report without what the host measured."""
    plain = dict(report.as_dict())
    for name in ("wall", "cpu", "speed", "host"):
        del plain[name]
    return plain


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_stream_stopped_anywhere_goes_on_to_the_same_bytes_and_the_same_report(tmp_path, form):
    scenario = recording(tmp_path)
    whole, parts, kept = (tmp_path / name for name in (f"whole.{form}", f"parts.{form}", "run.ckpt"))
    report = stream(scenario, output=[whole])
    draw, told = random.Random(0), None
    for _ in range(200):
        before = kept.read_bytes() if kept.exists() else b""
        at = draw.randrange(1, 90)
        seen = []

        def stop(batch, at=at, seen=seen):
            seen.append(batch)
            if sum(len(one.decisions) for one in seen) >= at:
                raise KeyboardInterrupt

        told = stream(scenario, output=[parts], checkpoint=kept, resume=True, every=0, on_batch=stop)
        if told.stopped == "end":
            break
        assert kept.exists() or not before
    assert told is not None
    assert told.stopped == "end"
    assert parts.read_bytes() == whole.read_bytes()
    assert facts(told) == facts(report)
    again = stream(scenario, output=[parts], checkpoint=kept, resume=True)
    assert parts.read_bytes() == whole.read_bytes()
    assert facts(again) == facts(report)
    assert again.speed is None


@pytest.mark.usefixtures("small_batches")
def test_limits_one_after_another_are_one_stream(tmp_path):
    scenario = recording(tmp_path)
    whole, parts, kept = (tmp_path / name for name in ("whole.csv", "parts.csv", "run.ckpt"))
    stream(scenario, output=[whole])
    for limit in (1, 5, 16, 17, 40, 160, 1000, None):
        report = stream(scenario, limit, output=[parts], checkpoint=kept, resume=True)
        assert report.windows == min(limit or 10**6, report.windows)
        lines = parts.read_bytes().splitlines()
        assert lines == whole.read_bytes().splitlines()[: len(lines)]
        assert len(lines) == report.windows + 1
    assert parts.read_bytes() == whole.read_bytes()


CHILD = """
import sys
from spikebnn.cli import main
from spikebnn.stream import pipeline
from spikebnn.stream.sources import csvfile
pipeline.MOST_WINDOWS, csvfile.ROWS = 64, 256
sys.exit(main(["stream", "s.toml", "--summary", "-o", "parts.csv", "--checkpoint", "run.ckpt", "--resume", "--every", "0"]))
"""


def test_a_stream_killed_at_random_moments_loses_and_repeats_nothing(tmp_path):
    """SIGKILL; a longer series, 50 kills of a stream of 600 hours, is run by hand before a release."""
    scenario = recording(tmp_path, rows=12_000)
    stream(scenario, output=[tmp_path / "whole.csv"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    draw, kills, cut = random.Random(1), 0, 0
    for attempt in range(12):
        child = subprocess.Popen([sys.executable, "-c", CHILD], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        if attempt < 11 and kills < 5:
            began, parts = time.monotonic(), tmp_path / "parts.csv"
            size = parts.stat().st_size if parts.exists() else 0
            while child.poll() is None and time.monotonic() - began < 60:  # until it has gone on a little
                if parts.exists() and parts.stat().st_size not in (size, 0):
                    break
                time.sleep(0.005)
            time.sleep(draw.uniform(0, 0.15))
            child.send_signal(signal.SIGKILL)
            killed = child.wait() == -signal.SIGKILL
            kills += killed
            cut += killed and parts.exists() and parts.stat().st_size < (tmp_path / "whole.csv").stat().st_size
            continue
        assert child.wait() == 0
        break
    assert kills >= 2
    assert cut >= 1
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_checkpoint_of_another_stream_is_refused(tmp_path):
    scenario, kept = recording(tmp_path, rows=200), tmp_path / "run.ckpt"
    stream(scenario, checkpoint=kept)
    plan = load_scenario(scenario)
    with pytest.raises(InputError, match="belongs to another scenario: it has .*give the scenario it was made with, or start anew"):
        stream(dataclasses.replace(plan, vote=5), checkpoint=kept, resume=True)
    assert stream(dataclasses.replace(plan, title="other"), checkpoint=kept, resume=True).decisions > 0
    sbnn.save(chooser(rows=3, period=2), tmp_path / "net.sbnn")
    with pytest.raises(InputError, match="belongs to another program: it has"):
        stream(scenario, checkpoint=kept, resume=True)
    sbnn.save(chooser(rows=3), tmp_path / "net.sbnn")
    with open(tmp_path / "rows.csv", "a", encoding="utf-8") as file:
        file.write("9,1,0,0,1\n")
    with pytest.raises(InputError, match="belongs to another source: it has"):
        stream(scenario, checkpoint=kept, resume=True)


def test_outputs_must_be_those_that_the_checkpoint_speaks_of(tmp_path):
    scenario, kept, out = recording(tmp_path, rows=200), tmp_path / "run.ckpt", tmp_path / "d.csv"
    stream(scenario, output=[out], checkpoint=kept)
    with pytest.raises(InputError, match="a stream with 1 outputs, and 0 are named"):
        stream(scenario, checkpoint=kept, resume=True)
    out.write_bytes(out.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"d.csv holds \d+ bytes and the checkpoint speaks of \d+; start anew"):
        stream(scenario, output=[out], checkpoint=kept, resume=True)
    out.unlink()
    with pytest.raises(InputError, match="d.csv: the file that the checkpoint speaks of is not there"):
        stream(scenario, output=[out], checkpoint=kept, resume=True)
    with pytest.raises(InputError, match="decisions are written to a file that ends in .csv, .jsonl, .ndjson"):
        stream(scenario, output=[tmp_path / "d.txt"])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda data: b"hello", "is no checkpoint of a stream; name another file"),
        (lambda data: data[:-3], "the checkpoint .* is damaged; start anew"),
        (lambda data: data.replace(b"checkpoint 1", b"checkpoint 2", 1), "is a checkpoint of format 2, and this spikebnn reads format 1"),
    ],
)
def test_a_damaged_checkpoint_has_its_sentence(tmp_path, spoil, sentence):
    file = tmp_path / "c"
    save(file, {"program": "a"}, {"x": np.arange(3)})
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(InputError, match=sentence):
        load(file, {"program": "a"})


def test_a_checkpoint_brings_back_what_was_saved(tmp_path):
    state = {"n": None, "f": 0.1 + 0.2, "a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False]),
             "o": np.array(["x", None], object), "d": {"e": [1, "two"]}}  # fmt: skip
    save(tmp_path / "c", {"program": "a"}, state)
    found = load(tmp_path / "c", {"program": "a"})
    assert found["f"] == state["f"]
    assert found["d"] == state["d"]
    assert found["o"].tolist() == ["x", None]
    for name in "ab":
        np.testing.assert_array_equal(found[name], state[name])
        assert found[name].dtype == state[name].dtype
    assert load(tmp_path / "none", {}) is None
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


def test_to_resume_takes_a_checkpoint_to_go_on_from(tmp_path):
    with pytest.raises(InputError, match="^to resume, name the checkpoint to go on from$"):
        stream(recording(tmp_path, rows=50), resume=True)


def test_decisions_read_back_as_they_were(tmp_path):
    scenario = recording(tmp_path, rows=300)
    seen = []
    stream(scenario, on_decision=seen.append, output=[tmp_path / "d.jsonl"])
    lines = (tmp_path / "d.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [dataclasses.asdict(decision) for decision in seen]


def test_a_live_stream_goes_on_with_what_comes_next(tmp_path):
    """Rows that came between two runs are lost, those of a run are not; no window reaches across."""
    plan = load_scenario(recording(tmp_path, rows=50, scenario=SCENARIO.replace("[decision]\nvote = 3\naverage = 2\n", "")))
    source = dataclasses.replace(plan.source, policy={})
    plan = dataclasses.replace(plan, source=source)
    x = one_hot(np.arange(40) % 3)
    kept, out = tmp_path / "run.ckpt", tmp_path / "d.jsonl"
    stream(plan, rows=iter(x[:20]), checkpoint=kept, output=[out], resume=True)
    report = stream(plan, rows=iter(x[25:]), checkpoint=kept, output=[out], resume=True)
    rows = [json.loads(line)["row"] for line in out.read_text(encoding="utf-8").splitlines()]
    assert rows == [*range(2, 20, 2), *range(22, 35, 2)]
    assert report.windows == len(rows)
