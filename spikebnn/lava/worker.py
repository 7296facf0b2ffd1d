"""Lava in a supervised process of its own: one worker for each Python process, that serves jobs one after another.

The worker's interpreter is this one, or the one named in SPIKEBNN_LAVA_PYTHON; there only NumPy and Lava must be
installed, since our own files are used in place. A job is a folder of files. Whatever happens, a job ends:
with its answer, with an error that carries the child's traceback, or, without progress for `patience` seconds, by
force; and with this process everything that it started.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikebnn.errors import InputError, SimulatorFailed, SimulatorMissing
from spikebnn.lava.serve import CHILD, END, LOG, READY, remove_segments

PYTHON = "SPIKEBNN_LAVA_PYTHON"
PATIENCE = 300.0  # seconds without any progress; a first tick of a large program includes all its preparation
LOOK = 0.002, 0.02  # seconds between two looks at a running job: at first, and at most
HERE = Path(__file__).resolve().parent.parent  # the package's folder
# our package from where it lies, whatever else is installed there: no folder of another Python is put on sys.path
START = (
    "import sys, importlib.util as u; p = sys.argv[1]; "
    "s = u.spec_from_file_location('spikebnn', p + '/__init__.py', submodule_search_locations=[p]); "
    "m = u.module_from_spec(s); sys.modules['spikebnn'] = m; s.loader.exec_module(m); "
    "from spikebnn.lava.serve import main; main(sys.argv[2], int(sys.argv[3]))"
)
_lock = threading.RLock()
_workers: dict[
    tuple[int, str], Worker
] = {}  # by this process (a forked child starts its own) and interpreter


def interpreter() -> str:
    """The Python that runs Lava, by path unless it stands on PATH."""
    named = os.environ.get(PYTHON) or sys.executable
    return os.path.abspath(named) if os.sep in named else named


def worker(python: str | None = None) -> Worker:
    """The worker of this process for an interpreter, started where there is none."""
    with _lock:
        key = os.getpid(), python or interpreter()
        found = _workers.get(key)
        if found is None or not found.alive:
            found = _workers[key] = Worker(key[1])
        return found


def folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for a job's files, which goes with the worker if not before."""
    return tempfile.TemporaryDirectory(prefix="job-", dir=worker().place, ignore_cleanup_errors=True)


def run(call: str, folder: Path, patience: float = PATIENCE) -> dict[str, Any]:
    """Let the worker call "module:function" on a job's folder; what it returns comes back as JSON."""
    with _lock:
        return worker().run(call, folder, patience)


class Worker:
    """One worker process, alive until it is closed, until a job must be ended by force, or until this process ends."""

    def __init__(self, python: str, environment: Mapping[str, str] | None = None) -> None:
        self.python, self.owner = python, os.getpid()
        self.place = Path(tempfile.mkdtemp(prefix="spikebnn-lava-"))
        self.log = self.place / LOG
        try:
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    [python, "-c", START, str(HERE), str(self.place), str(self.owner)],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=self.place,
                    start_new_session=True,
                    env={**os.environ, **(environment or {})},
                )
        except OSError as why:
            shutil.rmtree(self.place, ignore_errors=True)
            raise SimulatorMissing(
                f"the Python for Lava, {python}, cannot be started: {why.strerror}"
            ) from why
        atexit.register(self.close)
        try:
            self.about = self._await(self.place / READY, self.place, PATIENCE, "could not be started")
        except BaseException:
            self.close(force=True)
            raise
        if "missing" in self.about:
            self.close(force=True)
            raise SimulatorMissing(self.about["missing"])

    @property
    def alive(self) -> bool:
        """Whether it takes jobs."""
        return self.process.poll() is None

    def run(self, call: str, folder: Path, patience: float = PATIENCE) -> dict[str, Any]:
        """Run one job; see `run` above."""
        try:
            stdin = self.process.stdin
            assert stdin is not None
            stdin.write(json.dumps(["run", str(folder), call]).encode() + b"\n")
            stdin.flush()
            end = self._await(folder / END, folder, patience, f"did not get on with {call}")
        except BrokenPipeError:
            self.close(force=True)
            raise SimulatorFailed(f"the process for Lava has ended:\n{_tail(self.log)}") from None
        except BaseException:  # patience, Ctrl-C
            self._end(folder)
            self.close(force=True)
            raise
        if "done" in end:
            done: dict[str, Any] = end["done"]
            return done
        if "refused" in end:
            raise InputError(end["refused"])
        raise SimulatorFailed(f"the run in Lava failed: {end['failed'].rstrip()}{_said(folder)}")

    def close(self, force: bool = False) -> None:
        """End the worker and all that it started; a second call does nothing."""
        if os.getpid() != self.owner:
            return
        atexit.unregister(self.close)
        _workers.pop((self.owner, self.python), None)
        if self.process.stdin is not None:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        try:
            self.process.wait(0 if force else 2)
        except subprocess.TimeoutExpired:
            _kill_group(self.process.pid)
            self.process.wait()
        shutil.rmtree(self.place, ignore_errors=True)

    def _await(self, answer: Path, folder: Path, patience: float, what: str) -> dict[str, Any]:
        """The answer file's content, once it is there."""
        changed, seen, pause = time.monotonic(), "", LOOK[0]
        while not answer.exists():
            if self.process.poll() is not None and not answer.exists():
                code = self.process.returncode
                raise SimulatorFailed(
                    f"the process for Lava ({self.python}) {what}: "
                    f"{f'it was killed by signal {-code}' if code < 0 else f'it ended with exit code {code}'}"
                    f"{_said(self.place)}"
                )
            now = _read(folder / "progress") + _read(folder / CHILD)
            if now != seen:
                changed, seen = time.monotonic(), now
            if time.monotonic() - changed > patience:
                raise SimulatorFailed(
                    f"the process for Lava {what}: no progress for {patience:g} s, so it was ended{_said(folder)}"
                )
            time.sleep(pause)
            pause = min(LOOK[1], 1.2 * pause)
        content: dict[str, Any] = json.loads(answer.read_text("utf-8"))
        return content

    def _end(self, folder: Path) -> None:
        """End a job's process group, and remove its shared memory."""
        if (folder / CHILD).exists():
            child = int(json.loads((folder / CHILD).read_text("utf-8"))["pid"])
            _kill_group(child)
            remove_segments(child)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def _said(folder: Path) -> str:
    """What the process wrote, if anything."""
    tail = _tail(folder / LOG)
    return f"\nIt wrote:\n{tail}" if tail else ""


def _tail(log: Path, size: int = 3000) -> str:
    return _read(log)[-size:].strip()
