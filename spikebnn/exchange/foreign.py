"""SANA-FE as another program: it is called with files, through an interpreter that the caller names, never imported."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from spikebnn.errors import InputError, SimulatorMissing

VARIABLE = (
    "SPIKEBNN_SANAFE_PYTHON"  # the interpreter of an environment in which `pip install sanafe` was done
)
VERSION = "import importlib.metadata as m; print(m.version('sanafe'))"

# What the other interpreter runs: files in, files out. It is told of SANA-FE by its documented calls alone.
PROGRAM = """\
import json, sys
import sanafe
arch, net, out, steps = sys.argv[1:]
chip_file = sanafe.load_arch(arch)
chip = sanafe.SpikingChip(chip_file)
chip.load(sanafe.load_net(net, chip_file, True))
told = chip.sim(int(steps), timing_model="simple", spike_trace=out + "/spikes.csv",
                potential_trace=out + "/potentials.csv", perf_trace=out + "/perf.csv")
keep = {key: value for key, value in told.items() if isinstance(value, (int, float, str, dict))}
with open(out + "/summary.json", "w") as file:
    json.dump(keep, file, indent=2)
"""


def interpreter(named: str | None = None) -> str | None:
    """The interpreter that a caller names, or the environment does; None where neither says."""
    return named or os.environ.get(VARIABLE) or None


def needed(python: str | None) -> str:
    """The interpreter, or SimulatorMissing with the line that brings one."""
    if python is None:
        raise SimulatorMissing(
            f"no interpreter with SANA-FE is named; make one (python3 -m venv DIR; DIR/bin/pip install sanafe) and name it:"
            f" --python DIR/bin/python, or {VARIABLE}=DIR/bin/python"
        )
    return python


def version(python: str) -> str:
    """The version of SANA-FE behind an interpreter; raises SimulatorMissing where there is none."""
    if shutil.which(python) is None:
        raise SimulatorMissing(
            f"there is no interpreter {python}; name one that has SANA-FE: {VARIABLE}=/path/to/python"
        )
    done = subprocess.run(
        [python, "-c", VERSION], capture_output=True, text=True, env=_environment(), check=False
    )
    if done.returncode:
        raise SimulatorMissing(
            f"{python} has no SANA-FE; install it there: {python} -m pip install sanafe, or name another: {VARIABLE}=PYTHON"
        )
    return done.stdout.strip()


def simulate(python: str, arch: Path, net: Path, out: Path, steps: int) -> None:
    """Run SANA-FE on two files for some steps; its traces go to `out`."""
    version(python)
    out.mkdir(parents=True, exist_ok=True)
    log = out / "log.txt"
    with log.open("w", encoding="utf-8") as told:
        done = subprocess.run(
            [python, "-c", PROGRAM, str(arch), str(net), str(out), str(steps)],
            stdout=told, stderr=subprocess.STDOUT, env=_environment(), check=False,
        )  # fmt: skip
    if done.returncode:
        last = [
            line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ][-1:]
        why = last[0].strip() if last else f"exit code {done.returncode}, no word"
        raise InputError(f"SANA-FE stopped: {why}; all that it said is in {log}")


def _environment() -> dict[str, str]:
    """Ours, without the paths that would lead another interpreter into our packages."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
