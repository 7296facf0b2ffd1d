"""The unpatched Lava on the Python that it was made for: 3.10, in an environment of its own with nothing else.

    python tests/lava_on_310.py

Looks for Python 3.10 on PATH and in pyenv's folders, installs lava-nc 0.10.0 there as its makers say, and runs the
conformance vectors and random programs with SPIKEBNN_LAVA_PYTHON naming it. Without a Python 3.10 it says so loudly.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION = re.search(r"^lava-nc==(\S+)", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
PROOF = "import sys, lava.magma.core.process.process as p; print(sys.version.split()[0])"  # imports without our shim


def candidates() -> Iterator[str]:
    """Python 3.10 by name, then pyenv's, newest first."""
    yield "python3.10"
    roots = [Path(os.environ["PYENV_ROOT"])] if os.environ.get("PYENV_ROOT") else []
    for root in [*roots, Path.home() / ".pyenv"]:
        found = sorted(
            (root / "versions").glob("3.10.*/bin/python"), key=lambda path: int(path.parts[-3].split(".")[2])
        )
        yield from map(str, reversed(found))


def find() -> str | None:
    """The first that really starts, is a 3.10 and can make an environment."""
    ask = "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 10))"
    for python in candidates():
        try:
            if subprocess.run([python, "-c", ask], capture_output=True, check=False).returncode == 0:
                return python
        except OSError:
            continue
    return None


def main() -> int:
    """0 where all is equal, and where there is no Python 3.10."""
    python = find()
    if python is None:
        print(
            "NOT TESTED: no Python 3.10 on PATH or in pyenv's folders; Lava without our shim is untested here",
            file=sys.stderr,
        )
        return 0
    assert VERSION is not None
    with tempfile.TemporaryDirectory(prefix="spikebnn-lava-310-") as folder:
        place = Path(folder) / "env"
        own = str(place / "bin" / "python")
        subprocess.run([python, "-m", "venv", str(place)], check=True)
        wheel = f"lava-nc=={VERSION[1]}"
        print(f"installing {wheel} for {python} ...", flush=True)
        subprocess.run(
            [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel], check=True
        )
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        proof = subprocess.run(
            [own, "-c", PROOF], check=True, capture_output=True, text=True, env=clean, cwd=folder
        )
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "tests/test_every_simulator.py",
                "tests/test_lava_random.py",
                "-k",
                "lava",
            ],
            cwd=ROOT,
            env={**clean, "SPIKEBNN_LAVA_PYTHON": own},
            check=False,
        )
        if done.returncode == 0:
            print(
                f"Lava {VERSION[1]} as it is, Python {proof.stdout.strip()}: every vector and random program is equal"
            )
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
