"""The committed nets: they answer as their pages say, fit the chips whole, and can be trained again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spikebnn
from spikebnn import data
from spikebnn.stream import scenario_names, stream, training_frames

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NETS = {
    "fashion_mnist/net.pt": (r"([\d.]+) % of the first 500", "fashion_mnist/test_500.npz"),
    "japanese_vowels/net.pt": (r"accuracy ([\d.]+) % of 370 utterances", "japanese_vowels/test.npz"),
    "japanese_vowels/window.pt": (r"accuracy ([\d.]+) % of 4 947 windows", None),
    "basic_motions/net.pt": (r"accuracy ([\d.]+) % of 680 windows", None),
    "shuttle/net.pt": (r"accuracy ([\d.]+) % of 24 549 rows", "shuttle/test.npz"),
    "plaid/net.pt": (r"accuracy ([\d.]+) % of 8 805 windows", None),
    "ecg/net.pt": (r"accuracy ([\d.]+) % of 427 windows", None),
    "fashion_events/net.pt": (r"accuracy ([\d.]+) % of the first 500 images", None),
}

TAKES = {"ecg/net.pt": ((-1,), np.uint8), "fashion_events/net.pt": ((6, 28, 28), np.uint8)}  # bits of the stream's encoder


def frames_for(name):
    """The data that a page speaks of."""
    kept = NETS[name][1]
    if kept is not None:
        return data.load(EXAMPLES / kept)
    found = training_frames(name.split("/")[0])
    shape, dtype = TAKES.get(name, ((-1,), np.float32))
    return data.Frames(x=found.x.reshape(len(found.x), *shape).astype(dtype), y=found.y)


@pytest.mark.parametrize("name", NETS)
def test_a_page_states_the_accuracy_of_its_net(name):
    page = " ".join((EXAMPLES / name).with_name("README.md").read_text(encoding="utf-8").split())
    (stated,) = re.findall(NETS[name][0], page)
    frames = frames_for(name)
    classes = spikebnn.original(EXAMPLES / name, frames.x).argmax(1)
    assert f"{100 * (classes == frames.y).mean():.2f}" == stated


@pytest.mark.parametrize("target", ["truenorth-sim", "loihi-sim"])
@pytest.mark.parametrize("name", NETS)
def test_a_net_lies_on_the_chip_without_split_neurons_and_answers_alike(name, target):
    program = spikebnn.map(EXAMPLES / name, target)
    assert {layer.role for layer in program.layers} & {"partial", "aggregate"} == set()
    assert program.period == 1
    assert len(program.cores) <= 396
    frames = frames_for(name)
    x = frames.x[:100]
    run = spikebnn.run(program, x)
    np.testing.assert_array_equal(run.scores, spikebnn.original(EXAMPLES / name, x))


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_that_comes_along_runs(name):
    report = stream(name, limit=100)
    assert report.stopped == "limit"
    assert report.decisions == 100
    assert report.accuracy > 0.7
    assert report.power.lo > 0


def test_the_telemetry_stream_reaches_the_accuracy_of_its_page():
    page = (EXAMPLES / "shuttle" / "README.md").read_text(encoding="utf-8")
    report = stream("shuttle")
    assert f"accuracy {100 * report.accuracy:.2f} % of 24 549 rows" in page
    assert f"both classes {100 * report.balanced_accuracy:.2f} %" in page


def test_no_committed_file_of_the_examples_is_large():
    assert all(path.stat().st_size < 1_500_000 for path in EXAMPLES.rglob("*") if path.is_file())


def test_the_shuttle_net_trains_in_seconds_and_maps(tmp_path):
    """A short training, so that the script stays alive; the accuracy of the real one is on its page."""
    net, kept = tmp_path / "net.pt", tmp_path / "test.npz"
    command = [sys.executable, str(EXAMPLES / "shuttle" / "train.py"), "--epochs", "2", "-o", str(net), "--data", str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=EXAMPLES.parent, check=False,
                          env={"PYTHONPATH": str(EXAMPLES.parent), "OMP_NUM_THREADS": "1"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    frames = data.load(kept, limit=500)
    run = spikebnn.run(spikebnn.map(net, "loihi-sim"), frames.x)
    assert (run.classes == frames.y).mean() > 0.95
