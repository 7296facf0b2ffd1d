"""What a person reads when something is wrong: one whole sentence, the right exit code, never a traceback."""

from __future__ import annotations

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import spikebnn.cli
from spikebnn.cli import main
from spikebnn.errors import CheckError, FitError, InputError, NotEqualError, SimulatorMissing

ROOT = Path(__file__).resolve().parent.parent
NET = str(ROOT / "examples" / "japanese_vowels" / "net.pt")


def said(capsys, *words):
    """Exit code and standard error of one command; standard output must be empty."""
    code = main(list(words))
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err.endswith("\n")
    return code, err[:-1]


VERBS = ", ".join(spikebnn.cli.VERBS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["mapp", "net.pt"], f"there is no verb 'mapp' (did you mean map?); the verbs are {VERBS}"),
        (["zzz"], f"there is no verb 'zzz'; the verbs are {VERBS}"),
        (["--jsn", "map"], "spikebnn has no option --jsn (did you mean --json?); see spikebnn --help"),
        (
            ["map", "net.pt", "--targt", "x"],
            "spikebnn map has no option --targt (did you mean --target?); see spikebnn map --help",
        ),
        (
            ["map", "net.pt", "--frobnicate"],
            "spikebnn map has no option --frobnicate; see spikebnn map --help",
        ),
        (["map", "net.pt"], "the following arguments are required: --target/-t; see spikebnn map --help"),
        (
            ["map", "net.pt", "-t", "tiny-test", "--seed", "x"],
            "--seed: invalid int value: 'x'; see spikebnn map --help",
        ),
        (["map", "a.pt", "b.pt", "-t", "tiny-test"], "unrecognized arguments: b.pt; see spikebnn map --help"),
        (
            ["run", "a.sbnn", "--data", "x.npz", "--limit", "0"],
            "--limit: '0' is not a whole number of at least 1; see spikebnn run --help",
        ),
        (
            ["export", "m.py:N", "--input", "1x28"],
            "--input: '1x28' is not a shape such as 1,28,28; see spikebnn export --help",
        ),
        (
            ["targets", "show"],
            f"targets show needs a name or a .toml file; known are {', '.join(spikebnn.target_names())}",
        ),
        (["targets", "list", "x"], "targets list takes no name; to see one: spikebnn targets show x"),
    ],
)
def test_usage_is_one_sentence_and_exit_code_2(capsys, words, sentence):
    assert said(capsys, *words) == (2, f"spikebnn: error: {sentence}")


def test_a_wrong_choice_lists_the_right_ones(capsys):
    code, sentence = said(capsys, "map", "net.pt", "-t", "tiny-test", "--place", "random")
    assert code == 2
    assert sentence.startswith("spikebnn: error: --place: invalid choice: 'random' (choose from ")
    assert "raster" in sentence
    assert sentence.endswith("; see spikebnn map --help")


def test_no_verb_prints_the_help_and_is_a_usage_error(capsys):
    assert main([]) == 2
    assert "verbs:" in capsys.readouterr().err


def test_an_unknown_target_is_answered_with_the_known_ones(capsys):
    code, sentence = said(capsys, "map", NET, "--target", "loihi-simm")
    assert code == 2
    assert sentence.startswith("spikebnn: error: there is no target named 'loihi-simm'; known are ")
    assert "did you mean loihi-sim?" in sentence


def files_that_are_no_networks(folder):
    (folder / "text.pt").write_text("hello\n")
    (folder / "empty.pt").write_bytes(b"")
    with zipfile.ZipFile(folder / "zip.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    (folder / "pickled.pt").write_bytes(pickle.dumps({"weight": np.zeros(3)}))
    (folder / "folder.pt").mkdir()
    return [
        folder / name for name in ("missing.pt", "text.pt", "empty.pt", "zip.pt", "pickled.pt", "folder.pt")
    ]


@pytest.mark.parametrize("verb", ["map", "check"])
def test_a_file_that_is_no_network_is_one_sentence_and_exit_code_2(capsys, tmp_path, verb):
    for path in files_that_are_no_networks(tmp_path):
        code, sentence = said(capsys, verb, str(path), "--target", "tiny-test")
        assert code == 2, path.name
        assert sentence.startswith("spikebnn: error: "), path.name
        assert "This is a bug" not in sentence, sentence
        assert path.name in sentence
    assert not list(tmp_path.glob("*.sbnn"))


@pytest.mark.parametrize("name", ["missing.sbnn", "text.sbnn", "folder.sbnn"])
def test_a_file_that_is_no_program_is_one_sentence_and_exit_code_2(capsys, tmp_path, name):
    (tmp_path / "text.sbnn").write_text("hello\n")
    (tmp_path / "folder.sbnn").mkdir()
    np.savez(tmp_path / "x.npz", x=np.ones((2, 3), np.float32))
    code, sentence = said(capsys, "run", str(tmp_path / name), "--data", str(tmp_path / "x.npz"))
    assert code == 2
    assert name in sentence
    assert "This is a bug" not in sentence


def raising(monkeypatch, error):
    """Make one verb raise, as something deep inside might."""

    def execute(chosen):
        raise error

    from spikebnn.cli import targets

    monkeypatch.setattr(targets, "execute", execute)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("the data has 3 axes, wanted 4"), 2, "error: the data has 3 axes, wanted 4"),
        (FitError("does not fit"), 1, "error: does not fit"),
        (NotEqualError("frame 3 differs"), 1, "error: frame 3 differs"),
        (SimulatorMissing("no brian2 here"), 3, "error: no brian2 here"),
        (
            CheckError("two neurons on one axon."),
            1,
            "error: two neurons on one axon. This is a bug in spikebnn; please report it",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 2, "error: not enough memory; use fewer frames with --limit"),
        (
            OSError(errno.ENOSPC, "No space left on device", "net.sbnn"),
            2,
            "error: no space left on the disk: net.sbnn; nothing was overwritten",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "net.sbnn"),
            2,
            "error: permission denied: net.sbnn",
        ),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            2,
            'error: this needs the package torch: pip install "spikebnn[torch]"',
        ),
        (
            ModuleNotFoundError("No module named 'numba'", name="numba.core"),
            2,
            'error: this needs the package numba: pip install "spikebnn[fast]"',
        ),
        (
            ZeroDivisionError("division\nby zero"),
            70,
            "error: ZeroDivisionError: division by zero. This is a bug in spikebnn; --debug shows the traceback",
        ),
    ],
)
def test_every_error_is_a_sentence_and_its_exit_code(capsys, monkeypatch, error, code, sentence):
    raising(monkeypatch, error)
    assert said(capsys, "targets") == (code, f"spikebnn: {sentence}")


@pytest.mark.filterwarnings("always::RuntimeWarning")
def test_a_warning_is_one_sentence_without_file_and_line(capsys, monkeypatch):
    from spikebnn.cli import targets

    def execute(chosen):
        warnings.warn("numba is not installed.", RuntimeWarning, stacklevel=2)
        return 0

    monkeypatch.setattr(targets, "execute", execute)
    assert said(capsys, "targets") == (0, "spikebnn: note: numba is not installed.")
    assert main(["targets", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_debug_shows_the_traceback(monkeypatch):
    raising(monkeypatch, ZeroDivisionError("x"))
    with pytest.raises(ZeroDivisionError):
        main(["targets", "--debug"])


def test_with_json_an_error_is_json_too(capsys, monkeypatch):
    raising(monkeypatch, FitError("does not fit", ("conv1: 5 of 4",)))
    assert main(["targets", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "does not fit", "exit": 1, "violations": ["conv1: 5 of 4"]}
    assert err == "spikebnn: error: does not fit\n"


def start(*words, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen([sys.executable, "-m", "spikebnn", *words], env=environment, text=True, **options)


def test_a_reader_that_goes_away_is_not_an_error():
    words = ("targets", "show", *spikebnn.target_names() * 20)
    with start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait() == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
def test_a_full_disk_on_standard_output_is_one_sentence():
    with open("/dev/full", "w") as full, start("targets", stdout=full, stderr=subprocess.PIPE) as running:
        assert (
            running.stderr.read() == "spikebnn: error: no space left on the disk; nothing was overwritten\n"
        )
        assert running.wait() == 2


def test_ctrl_c_is_one_line_and_exit_code_130():
    program = (
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from spikebnn.cli import main, targets\n"
        "def execute(chosen):\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "targets.execute = execute\nsys.exit(main(['targets']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGINT)
        assert running.stderr.read() == "spikebnn: interrupted\n"
        assert running.wait() == 130
