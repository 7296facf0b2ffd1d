"""The live view: it says what the stream says, fits any terminal, leaves it as it was, and never speaks to a pipe."""

from __future__ import annotations

import io
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn.cli import main
from spikebnn.cli.stream import line_of
from spikebnn.stream import Decision, stream
from spikebnn.stream.live import LiveView
from spikebnn.stream.picture import BLOCKS, PLAIN, dots, sparkline
from spikebnn.units import span
from tests.test_stream import chooser, one_hot, telemetry

ROOT = Path(__file__).resolve().parent.parent
CLASSES = '[decision]\nvote = 3\n[report]\nclasses = ["sit", "walk", "run"]\n'


class Terminal(io.StringIO):
    """A terminal that keeps what it is told."""

    encoding = "utf-8"

    def isatty(self):
        return True


def shown(path, size=(80, 24), **options):
    """The last picture of a stream, line by line."""
    with LiveView(Terminal(), size=size) as view:
        report = stream(path, watch=[view], **options)
        return report, view.picture().plain.split("\n")


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=90), st.integers(0, 50))
def test_a_sparkline_has_its_width_and_rises_with_the_values(values, wide):
    for plain in (False, True):
        assert len(sparkline(np.array(values), wide, plain=plain)) == wide
    assert sparkline(np.arange(8.0), 8) == BLOCKS
    assert sparkline(np.arange(16.0), 8, plain=True) == PLAIN
    assert sparkline(np.array([np.nan, 0.0, 1.0]), 4) == " ▁█ "


@given(windows=st.integers(0, 30), neurons=st.integers(1, 40), rows=st.integers(1, 6), wide=st.integers(1, 12))
def test_every_dot_is_a_spike(windows, neurons, rows, wide):
    spikes = np.random.default_rng(windows).integers(0, 2, (windows, neurons))
    lines = dots(spikes, rows, wide)
    assert [len(line) for line in lines] == [wide] * rows
    every = max(1, -(-neurons // (4 * rows)))
    seen = sum((ord(letter) - 0x2800).bit_count() for line in lines for letter in line)
    assert seen == spikes[-2 * wide :, ::every].sum()
    assert all(letter in " .:" for line in dots(spikes, rows, wide, plain=True) for letter in line)


def test_the_picture_says_what_the_report_says(tmp_path):
    truth = np.arange(200) % 3
    x = one_hot(truth)
    x[50] = np.nan
    truth[60] = (truth[60] + 1) % 3
    path = telemetry(tmp_path, chooser(), x, truth, scenario=CLASSES)
    report, lines = shown(path)
    told = "\n".join(lines)
    assert f"200 windows, missed {report.missed_bad}: 1 bad, 0 too late" in told
    assert "votes: " in told
    assert "200 rows: 1 bad" in told
    assert f"energy so far: {span(report.energy * report.decisions, 'J')}" in told
    assert f"{100 * report.accuracy:.2f} % right" in told
    strip = next(line for line in lines if line.startswith("decisions"))
    assert len(strip) == 78
    assert lines[-1].strip()


@pytest.mark.parametrize("size", [(80, 24), (20, 6), (40, 10), (200, 60), (1, 1)])
def test_the_picture_fits_the_terminal(tmp_path, size):
    path = telemetry(tmp_path, chooser(), one_hot(np.arange(60) % 3), np.arange(60) % 3, scenario=CLASSES)
    _, lines = shown(path, size)
    assert len(lines) <= max(6, size[1] - 1)
    assert all(len(line) <= max(20, size[0] - 1) for line in lines)


def test_a_terminal_without_unicode_gets_plain_letters(tmp_path):
    terminal = Terminal()
    terminal.encoding = "ascii"
    path = telemetry(tmp_path, chooser(), one_hot(np.arange(60) % 3), np.arange(60) % 3)
    with LiveView(terminal, size=(80, 24)) as view:
        stream(path, watch=[view])
        assert view.picture().plain.replace("µ", "u").isascii()


def test_before_the_first_window_the_picture_says_what_it_waits_for(tmp_path):
    view = LiveView(Terminal(), size=(80, 24))
    assert view.picture().plain == "opening the source"
    path = telemetry(tmp_path, chooser(rows=3), one_hot([0, 1]), scenario="[window]\nrows = 3\n")
    with view:
        stream(path, watch=[view])
        assert view.picture().plain.endswith("waiting for the first window")


def test_looking_changes_no_decision(tmp_path):
    path = telemetry(tmp_path, chooser(), one_hot(np.arange(300) % 3))
    plain, watched = [], []
    stream(path, on_decision=plain.append)
    with LiveView(Terminal(), size=(80, 24)) as view:
        stream(path, on_decision=watched.append, watch=[view])
    assert plain == watched


def test_a_line_says_when_a_reading_was_mended_and_when_a_decision_is_wrong():
    decision = Decision(number=0, row=3, time=1.5, chosen=1, raw=1, name="walk", truth="run", right=False, margin=2.0, spikes=7,
                        synaptic_events=9, held=True)  # fmt: skip
    assert line_of(decision) == (
        "     1.500 s  walk     margin 2            7 spikes       9 synaptic events  wrong, it was run  a bad reading was mended"
    )


def test_a_pipe_gets_lines_and_no_escape_codes(tmp_path, capsys):
    path = str(telemetry(tmp_path, chooser(), one_hot([0, 1, 2]), scenario=CLASSES))
    assert main(["stream", path, "--live"]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "walk     margin" in out
    assert err == "spikebnn: note: no terminal, so no live view\n"
    assert main(["stream", path]) == 0
    assert capsys.readouterr().err == ""


def on_terminal(folder, *words, size=(24, 80), end=None):
    """What a command writes on a terminal of its own, and its exit code; `end` is a signal sent once windows are shown."""
    mine, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "COLUMNS": "", "LINES": ""}
    environment = {name: value for name, value in environment.items() if value}
    child = subprocess.Popen([sys.executable, "-m", "spikebnn", *words], cwd=folder, stdin=subprocess.PIPE, stdout=theirs,
                             stderr=theirs, env=environment, start_new_session=True)  # fmt: skip
    os.close(theirs)
    seen, began = b"", time.monotonic()
    while time.monotonic() - began < 30:
        try:
            piece = os.read(mine, 65536)
        except OSError:
            break
        seen += piece
        if not piece:
            break
        if end is not None and b" windows" in seen:
            child.send_signal(end)
            end = None
        if child.stdin and not child.stdin.closed and b"opening" in seen:
            child.stdin.write(b"a,b,c\n" + b"0,1,0\n" * 200)
            child.stdin.flush()
    os.close(mine)
    child.stdin.close()
    return seen.decode(), child.wait(30)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_stream_that_is_ended_gives_the_terminal_back(tmp_path, end):
    telemetry(tmp_path, chooser(), one_hot([0]))
    seen, code = on_terminal(tmp_path, "stream", "--source", "-", "--net", "net.sbnn", "--rate", "10", "-s", "reference", end=end)
    assert code == 130
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")  # the cursor is back
    assert "interrupted" in seen
    assert "Traceback" not in seen
    assert "energy so far" in seen
    assert " s  1        margin" not in seen  # no line for each decision beside the view
