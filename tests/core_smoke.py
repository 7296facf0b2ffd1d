"""The core in a clean environment, from the wheel and without torch: map, save, load, run, verify, stream, targets.

    python tests/core_smoke.py EXAMPLES

Run by .ci/run outside the checkout, under every Python at hand; prints what it did, or fails.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

import spikebnn
from spikebnn import data, sbnn
from spikebnn.stream import scenario_names


def main(examples: Path) -> None:
    """Take the committed sensor net through the whole corridor."""
    assert importlib.util.find_spec("torch") is None, "torch is installed here, so this proves nothing"
    assert "site-packages" in spikebnn.__file__, f"{spikebnn.__file__} is not the wheel"
    frames = data.load(examples / "japanese_vowels" / "test.npz")
    net = examples / "japanese_vowels" / "net.pt"
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("loihi-sim", "truenorth-sim"):
            target = spikebnn.load_target(name)
            first = Path(scratch) / "first.sbnn"
            sbnn.save(spikebnn.map(net, target), first)
            program = spikebnn.load(first)
            again = Path(scratch) / "again.sbnn"
            sbnn.save(program, again)
            assert first.read_bytes() == again.read_bytes(), "the program file is not reproducible"
            certificate = spikebnn.verify(
                program, net, frames.x, frames.y, simulators=("reference", "bitwise")
            )
            assert certificate.equal, certificate.reason()
            run = spikebnn.run(program, frames.x)
            judged = spikebnn.score(run, program, target, labels=frames.y)
            assert judged.accuracy is not None
            print(
                f"  {name}: {len(frames.x)} frames equal, accuracy {judged.accuracy:.4f}, {len(program.cores)} cores"
            )
        command = [sys.executable, "-m", "spikebnn"]
        listed = subprocess.run([*command, "targets", "--json"], capture_output=True, text=True, check=True)
        assert "loihi-sim" in {target["name"] for target in json.loads(listed.stdout)}
        for name in scenario_names():
            report = spikebnn.stream(name, limit=20)
            assert report.decisions > 0, name
            print(f"  {report.title}: {report.decisions} decisions of {report.windows} windows")
        probed = subprocess.run([*command, "doctor"], capture_output=True, text=True, check=False)
        assert probed.returncode == 0, probed.stdout + probed.stderr
    print(f"  Python {sys.version.split()[0]}, numpy {np.__version__}, no torch: the core works")


def expect_the_one_warning(examples: Path) -> None:
    """Without numba the fast simulator says once that it works in NumPy; any other warning is an error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.filterwarnings("always", "Numba is not installed", RuntimeWarning)
        main(examples)
    wanted = 0 if importlib.util.find_spec("numba") else 1
    said = [str(warning.message) for warning in caught]
    assert len(said) == wanted, f"{wanted} warning about numba is wanted, not {said}"


if __name__ == "__main__":
    expect_the_one_warning(Path(sys.argv[1]).resolve())
