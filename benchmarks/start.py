"""How long it takes until something can be used: imports, and a small network's first frame, each in a fresh Python."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import spikebnn

ROOT = Path(__file__).resolve().parent.parent
NET, DATA = ROOT / "examples/japanese_vowels/net.pt", ROOT / "examples/japanese_vowels/test.npz"
FIRST = """\
import sys
import spikebnn
from spikebnn import data
frames = data.load(sys.argv[2], 1)
print(spikebnn.run(spikebnn.load(sys.argv[1]), frames.x).classes[0])
"""
MAP = "import sys, spikebnn; spikebnn.map(sys.argv[1], 'loihi-sim').save(sys.argv[2])"


def measure(rounds: int) -> list[dict[str, Any]]:
    """Rows with the median seconds of whole processes, by CPU and on the wall; the ways take their turn in every round."""
    with tempfile.TemporaryDirectory() as folder:
        kept = str(Path(folder) / "small.sbnn")
        spikebnn.map(NET, "loihi-sim").save(kept)
        ways: dict[str, list[str]] = {
            "python": ["-c", "pass"],
            "import numpy": ["-c", "import numpy"],
            "import spikebnn": ["-c", "import numpy, spikebnn"],
            "first frame, small net": ["-c", FIRST, kept, str(DATA)],
            "map, small net": ["-c", MAP, str(NET), str(Path(folder) / "again.sbnn")],
        }
        if find_spec("numba"):
            ways["import numba"] = ["-c", "import numba"]
        for words in ways.values():  # compiles what is kept
            _run(words)
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, words in ways.items():
                spent[name].append(_run(words))
    rows = [_row(name, each) for name, each in spent.items()]
    more = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(spent["import numpy"], spent["import spikebnn"])]
    return [*rows, _row("import spikebnn, beyond numpy", more)]


def _row(name: str, spent: list[tuple[float, float]]) -> dict[str, Any]:
    cpu, wall = (statistics.median(column) for column in zip(*spent))
    return {"way": name, "cpu_seconds": cpu, "seconds": wall}


def _run(words: list[str]) -> tuple[float, float]:
    """CPU and wall seconds of one process."""
    home = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True, env=home)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.perf_counter() - began
