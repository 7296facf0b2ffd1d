"""The worker's side of `spikebnn.lava.worker`: imports Lava once, then runs every job in a child that can be ended.

Commands come as lines on stdin, "run FOLDER CALL"; the end of stdin, or of the process that started us, ends
everything. Answers are files in the job's folder: Lava prints to stdout, and its children inherit descriptors.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import shutil
import signal
import sys
import time
import traceback
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

READY, RESULT, END, CHILD, LOG = "ready.json", "result.json", "end.json", "pid", "log.txt"
LOOK = 0.003  # seconds between two looks at a running child
IDLE = 0.25  # seconds between two looks at who started us
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def main(place: str, host: int) -> None:
    """Serve until stdin ends; `host` is the process that started us. Then nobody else removes our files."""
    try:
        write(Path(place) / READY, _ready())
        _serve(host)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _serve(host: int) -> None:
    rest = b""
    while True:
        while b"\n" not in rest:
            if os.getppid() != host:
                return
            if select.select([0], [], [], IDLE)[0]:
                data = os.read(0, 4096)
                if not data:
                    return
                rest += data
        line, rest = rest.split(b"\n", 1)
        _, folder, call = json.loads(line)
        if not _job(Path(folder), call, host):
            return


def _ready() -> dict[str, Any]:
    import numpy as np

    from spikebnn.errors import SpikeBNNError
    from spikebnn.lava.shim import require, version

    try:
        require()
        for name in (
            "lava.magma.core.run_configs",
            "lava.magma.compiler.compiler",
            "lava.proc.dense.process",
        ):
            importlib.import_module(name)
        importlib.import_module("spikebnn.lava.processes.whole")
        return {
            "lava": version(),
            "python": sys.version.split()[0],
            "numpy": np.__version__,
            "executable": sys.executable,
        }
    except SpikeBNNError as why:
        return {"missing": str(why)}
    except Exception:
        return {"missing": f"Lava cannot be imported in {sys.executable}:\n{traceback.format_exc()}"}


def _job(folder: Path, call: str, host: int) -> bool:
    """Run one job in a child; False where nobody waits for it any more."""
    child = os.fork()
    if child == 0:
        _child(folder, call)
    write(folder / CHILD, {"pid": child})
    status, alive = None, True
    while status is None and alive:
        done, code = os.waitpid(child, os.WNOHANG)
        if done:
            status = code
        else:
            alive = os.getppid() == host
            time.sleep(LOOK)
    _sweep(child)
    if status is None:
        os.waitpid(child, 0)
        return False
    if (folder / RESULT).exists():
        (folder / RESULT).rename(folder / END)
    elif os.WIFSIGNALED(status):
        write(folder / END, {"failed": f"the worker's child was killed by signal {os.WTERMSIG(status)}"})
    else:
        write(folder / END, {"failed": f"the worker's child ended with exit code {os.WEXITSTATUS(status)}"})
    return True


def _child(folder: Path, call: str) -> None:
    """The child: a process group of its own, with everything that Lava starts in it."""
    code = 1
    try:
        os.setpgid(0, 0)
        own_segments(os.getpid())
        for descriptor, name, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, str(folder / LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND),
            (2, str(folder / LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        ):
            opened = os.open(name, flags, 0o600)
            os.dup2(opened, descriptor)
            os.close(opened)
        module, _, function = call.partition(":")
        try:
            outcome = {"done": getattr(importlib.import_module(module), function)(str(folder))}
        except BaseException as why:
            from spikebnn.errors import InputError, SimulatorFailed

            told = str(why) if isinstance(why, (InputError, SimulatorFailed)) else traceback.format_exc()
            outcome = {"refused" if isinstance(why, InputError) else "failed": told}
        write(folder / RESULT, outcome)
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def write(path: Path, content: dict[str, Any]) -> None:
    """A whole JSON file or none."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content), "utf-8")
    part.rename(path)


def prefix(child: int) -> str:
    """What the names of a job's shared-memory segments begin with."""
    digits = ""
    while child:
        child, digit = divmod(child, 36)
        digits = DIGITS[digit] + digits
    return f"sb{digits}_"


def own_segments(child: int) -> None:
    """Let names of shared-memory segments show whose they are, so that those of a killed job can be removed."""
    if hasattr(shared_memory, "_SHM_NAME_PREFIX"):
        shared_memory._SHM_NAME_PREFIX = f"/{prefix(child)}"  # noqa: SLF001


def _sweep(child: int) -> None:
    """End what a job left running, and remove its shared memory."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    remove_segments(child)


def remove_segments(child: int) -> None:
    """Remove what is left of a job's shared memory; where segments are no files, the system keeps account of them."""
    for path in Path("/dev/shm").glob(f"{prefix(child)}*"):  # noqa: S108 (where Linux keeps them)
        try:
            path.unlink()
        except FileNotFoundError:
            pass
