"""Streams in a bad world: senders that die, lines without end, full disks, two writers, clocks that start anew."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn import sbnn
from spikebnn.cli import main
from spikebnn.encoders import EventFrames
from spikebnn.errors import InputError
from spikebnn.stream import load_scenario, scenario_of, stream
from spikebnn.stream.sources import Block
from tests.test_stream import chooser, one_hot, telemetry
from tests.test_stream_resume import recording

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def live(tmp_path):
    """A scenario that takes lines from a source that is named."""
    sbnn.save(chooser(), tmp_path / "net.sbnn")

    def plan(file="-", **more):
        network = {"program": str(tmp_path / "net.sbnn"), "simulator": "reference"}
        return scenario_of({"source": {"file": file, "rate": 100.0, **more}, "window": {"rows": 1, "hop": 1}, "network": network})

    return plan


def typed(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_last_line_that_does_not_end_is_bad_for_its_number_may_be_cut(live, monkeypatch):
    typed(monkeypatch, "a,b,c\n0,1,0\n0,0,1\n0,0,12")
    report = stream(live())
    assert (report.windows, report.decisions, report.samples["bad"]) == (3, 2, 1)


def test_a_line_without_end_is_one_bad_row_and_takes_no_memory(live, monkeypatch):
    typed(monkeypatch, "a,b,c\n0,1,0\n" + "0" * 3_000_000 + "\n0,0,1\n")
    report = stream(live())
    assert (report.windows, report.decisions, report.samples["bad"]) == (3, 2, 1)


@pytest.mark.parametrize("rubbish", ['"0,1', "\0\0\0", "0,\r1,2", "\ufffd;\ufffd"])
def test_rubbish_among_the_lines_is_a_bad_row(live, monkeypatch, rubbish):
    typed(monkeypatch, f"a,b,c\n0,1,0\n{rubbish}\n0,0,1\n")
    report = stream(live())
    assert (report.windows, report.decisions, report.samples["bad"]) == (3, 2, 1)


def test_rubbish_from_the_first_byte_on_is_refused_in_one_sentence(live, monkeypatch):
    draw = np.random.default_rng(0)
    typed(monkeypatch, draw.integers(0, 256, 20_000, np.uint8).tobytes().decode("latin-1"))
    with pytest.raises(InputError):
        stream(live())


def sender(lines, *, reset=False):
    """A server that sends lines to who calls, and then hangs up or breaks off; its address."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        line, _ = server.accept()
        line.sendall(lines.encode())
        if reset:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()
        server.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_a_sender_that_breaks_off_leaves_the_report_of_what_it_sent(live, tmp_path, capsys, monkeypatch):
    from spikebnn.stream.sources import live as source

    class Broken(io.StringIO):
        def readline(self, *size):
            text = super().readline(*size)
            if not text:
                raise ConnectionResetError(104, "Connection reset by peer")
            return text

    monkeypatch.setattr(source, "connect", lambda address: Broken("a,b,c\n" + "0,1,0\n" * 50))
    words = ["stream", "--source", "tcp://localhost:9", "--net", str(tmp_path / "net.sbnn"), "--rate", "100", "-s", "reference",
             "--summary", "-o", str(tmp_path / "d.csv"), "-o", str(tmp_path / "run.json")]  # fmt: skip
    live()
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert "50 decisions of 50 windows" in out
    assert "; the source broke off" in out
    assert err == "spikebnn: error: tcp://localhost:9: the rows end early: connection reset by peer\n"
    assert len((tmp_path / "d.csv").read_text().splitlines()) == 51
    assert json.loads((tmp_path / "run.json").read_text())["stopped"] == "broken"


def test_rows_come_over_a_connection_and_its_waiting_is_not_the_hosts_work(live):
    report = stream(live(sender("a,b,c\n" + "0,1,0\n" * 5000)))
    assert (report.decisions, report.stopped) == (5000, "end")
    assert report.wall >= report.host * report.windows


def test_a_sensor_whose_clock_begins_anew_loses_no_row_where_the_stream_is_resumed(live, tmp_path, monkeypatch):
    rows = "".join(f"{k / 100:.2f},0,1,0\n" for k in range(30))
    for decided in (30, 60):
        typed(monkeypatch, f"time,a,b,c\n{rows}")
        report = stream(live(), checkpoint=tmp_path / "c", resume=True)
        assert (report.decisions, report.samples["late"]) == (decided, 0)


def full(folder, *words, limit):
    """A command that may write no file of more than `limit` bytes; its exit code and what it says on standard error."""
    child = f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); from spikebnn.cli import main; sys.exit(main({list(words)!r}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", child], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_disk_that_fills_up_has_its_sentence_and_the_stream_can_go_on(tmp_path):
    scenario = recording(tmp_path, rows=4000)
    stream(scenario, output=[tmp_path / "whole.csv"])
    words = ("stream", str(scenario), "--summary", "-o", "d.csv", "--checkpoint", "c", "--every", "0")
    code, _, err = full(tmp_path, *words, limit=20_000)
    assert code == 2
    assert err == "spikebnn: error: d.csv: decisions cannot be written: file too large; make room, and go on from a checkpoint if there is one\n"
    assert not list(tmp_path.glob(".*"))
    assert main([*words[:2], "--quiet", "-o", str(tmp_path / "d.csv"), "--checkpoint", str(tmp_path / "c"), "--resume"]) == 0
    assert (tmp_path / "d.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    code, out, err = full(tmp_path, "stream", str(scenario), "--summary", "-o", "run.json", limit=2000)
    assert code == 2
    assert "decisions of" in out  # the report is not lost with its file
    assert "run.json" in err
    code, _, err = full(tmp_path, "stream", str(scenario), "--summary", "--checkpoint", "small", limit=500)
    assert (code, err) == (2, "spikebnn: error: the checkpoint small cannot be written: file too large\n")
    assert not list(tmp_path.glob(".*"))


def test_two_streams_do_not_write_one_checkpoint_or_one_file(tmp_path):
    scenario = recording(tmp_path, rows=400)
    refused = []

    def second(_batch):
        if not refused:
            for more in ({"checkpoint": tmp_path / "c"}, {"output": [tmp_path / "d.csv"]}):
                with pytest.raises(InputError) as caught:
                    stream(scenario, **more)
                refused.append(str(caught.value))

    stream(scenario, checkpoint=tmp_path / "c", output=[tmp_path / "d.csv"], on_batch=second)
    assert refused[0].endswith("/c is being written by another stream; wait for its end, or name another file")
    assert refused[1].endswith("/d.csv is being written by another stream; wait for its end, or name another file")
    before = (tmp_path / "d.csv").read_bytes()
    stream(scenario, checkpoint=tmp_path / "c", output=[tmp_path / "d.csv"], resume=True)
    assert (tmp_path / "d.csv").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c", "d.csv", "net.sbnn", "rows.csv", "s.toml"]


@pytest.mark.parametrize("length", ["1e400s", "nan", "0.0s"])
def test_a_window_of_no_length_or_of_all_time_is_refused(tmp_path, capsys, length):
    path = telemetry(tmp_path, chooser(), one_hot([1]))
    words = ["--source", str(path.parent / "rows.npz"), "--net", str(path.parent / "net.sbnn"), "--rate", "9"]
    for option in ("--window", "--hop"):
        assert main(["stream", *words, option, length]) == 2
        assert capsys.readouterr().err.startswith(f"spikebnn: error: the options: {option} must be")


def test_a_hop_that_is_longer_than_a_window_leaves_rows_out(tmp_path):
    chosen = np.arange(50) % 3
    plan = dataclasses.replace(load_scenario(telemetry(tmp_path, chooser(), one_hot(chosen), chosen)), hop=7)
    seen = []
    assert stream(plan, on_decision=seen.append).accuracy == 1.0
    assert [decision.row for decision in seen] == list(range(0, 50, 7))


def test_no_output_and_no_checkpoint_takes_the_place_of_anything_that_is_no_such_file(tmp_path):
    scenario = recording(tmp_path, rows=300)
    plan = load_scenario(scenario)
    precious = tmp_path / "diary.txt"
    precious.write_text("dear diary")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    for name, sentence in {
        "diary.txt": "is there and is no checkpoint of a stream; name another file",
        "rows.csv": "is the stream's own source; name another file",
        "net.sbnn": "is the stream's own network; name another file",
        "folder": "is there and is no file; name another",
        "pipe": "is there and is no file; name another",
    }.items():
        for resume in (False, True):
            with pytest.raises(InputError, match=f"{name} {sentence}"):
                stream(plan, checkpoint=tmp_path / name, resume=resume)
    with pytest.raises(InputError, match=r"rows.csv is the stream's own source; name another file"):
        stream(plan, output=[tmp_path / "rows.csv"])
    with pytest.raises(InputError, match="d.csv is named as the checkpoint too; name another file"):
        stream(plan, output=[tmp_path / "d.csv"], checkpoint=tmp_path / "d.csv")
    with pytest.raises(InputError, match="d.csv is named twice; name another file"):
        stream(plan, output=[tmp_path / "d.csv", tmp_path / "d.csv"])
    assert {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before
    (tmp_path / "empty").touch()  # as mktemp leaves it
    assert stream(plan, checkpoint=tmp_path / "empty", resume=True).decisions


@given(steps=st.lists(st.integers(0, 3000), min_size=1, max_size=40), cut=st.integers(0, 40), labelled=st.booleans())
def test_pauses_of_a_camera_are_handed_on_bin_by_bin(steps, cut, labelled):
    from spikebnn.stream import code

    events = np.array([(0.001 * t, k % 4, k % 3, k % 2) for k, t in enumerate(np.cumsum(steps))], np.float64)
    labels = np.array([f"class {k}" for k in range(len(events))], object) if labelled else None
    frames = EventFrames(columns=4, rows=3, bin=0.01)
    coder = code.EventCoder(frames)
    room = code.ROOM
    code.ROOM = 8 * 24 * 5  # five bins
    try:
        parts = []
        for some in (slice(0, cut), slice(cut, None)):
            told = None if labels is None else labels[some]
            parts += list(coder.push(Block(values=events[some], position={}, labels=told)))
        parts += list(coder.finish())
    finally:
        code.ROOM = room
    sizes = [len(part) for part in parts]
    assert max(sizes) <= 5
    np.testing.assert_array_equal(np.concatenate([part.values for part in parts]), frames(events))
    assert [bool(flag) for part in parts for flag in part.fresh] == [True] + [False] * (sum(sizes) - 1)
    if labels is not None:
        found = [label for part in parts for label in part.labels.tolist()]
        ends = events[0, 0] + 0.01 * np.arange(1, len(found) + 1)
        bins = np.floor((events[:, 0] - events[0, 0]) / 0.01)
        assert found == [labels[np.searchsorted(bins, k, "right") - 1] for k in range(len(ends))]


def test_a_camera_that_sees_nothing_for_a_minute_takes_no_memory():
    code = """
import resource
import numpy as np
from spikebnn.encoders import EventFrames
from spikebnn.stream.code import EventCoder
from spikebnn.stream.sources.block import Block
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
coder = EventCoder(EventFrames(columns=346, rows=260, bin=0.01))
events = np.array([[0.0, 1, 1, 1], [60.0, 2, 2, 1]])
print(sum(len(rows) for rows in coder.push(Block(values=events, position={}))))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("6000\n", "")
