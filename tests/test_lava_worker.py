"""Lava's process: whatever goes wrong in it ends in one error, and leaves no process and no shared memory behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from spikebnn.errors import SimulatorFailed, SimulatorMissing
from spikebnn.lava import shim, worker
from spikebnn.lava.serve import CHILD, prefix
from spikebnn.lava.simulator import Lava, LavaSession
from spikebnn.lava.worker import Worker
from spikebnn.simulate import registry
from spikebnn.simulate.conformance import vectors

HERE = Path(__file__).parent
ROOT = HERE.parent
JOBS = "scenarios:"


def living(session: int) -> list[int]:
    """Processes of a session that still run."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of = (place / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(of) == session and state not in "ZX":
            found.append(int(place.name))
    return found


def eventually(check: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not check() and time.monotonic() < end:
        time.sleep(0.02)
    return check()


def segments(child: int) -> list[str]:
    return [path.name for path in Path("/dev/shm").glob(f"{prefix(child)}*")]


@pytest.fixture(scope="module")
def served() -> Iterator[Worker]:
    made = Worker(sys.executable, {"PYTHONPATH": str(HERE / "lava_jobs")})
    yield made
    made.close()


def clean(made: Worker, folder: Path) -> bool:
    """Nothing is left of the folder's job; the worker itself may wait for the next."""
    child = json.loads((folder / CHILD).read_text())["pid"]
    return not segments(child) and eventually(lambda: set(living(made.process.pid)) <= {made.process.pid})


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (
            "raise",
            r"(?s)the run in Lava failed: a Process of the Lava graph failed:\nTraceback.*boom\.py.*ValueError: boom in step 3",
        ),
        ("init", r"(?s)the run in Lava failed: .*boom\.py.*ValueError: boom when it is made"),
        ("hang, limited", r"Lava did not finish 20 steps in 0\.5 s, and its processes were ended"),
        ("raise oddly", "a Process of the Lava graph failed, and its exception cannot be read here: .*two"),
        ("kill", "the run in Lava failed: a Process of the Lava graph was killed by signal 9 without a word"),
    ],
)
def test_a_process_that_fails_is_one_error_with_its_traceback(served: Worker, tmp_path, how, sentence):
    (tmp_path / "how.txt").write_text(how)
    with pytest.raises(SimulatorFailed, match=sentence):
        served.run(f"{JOBS}boom", tmp_path)
    assert clean(served, tmp_path)
    assert served.alive  # and it takes the next job
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "how.txt").write_text("well, no stop")
    assert served.run(f"{JOBS}boom", tmp_path / "next") == {"sum": 80}
    assert clean(served, tmp_path / "next")  # nobody called stop()


def test_a_child_that_is_killed_is_named_and_its_graph_goes_with_it(served, tmp_path):
    with pytest.raises(
        SimulatorFailed, match="the run in Lava failed: the worker's child was killed by signal 9"
    ):
        served.run(f"{JOBS}killed", tmp_path)
    assert clean(served, tmp_path)


@pytest.mark.parametrize("how", ["hang", "raise, by Lava's own run"])
def test_a_run_that_hangs_is_ended_when_nothing_happens_any_more(served, tmp_path, how):
    (tmp_path / "how.txt").write_text(how)
    made = Worker(sys.executable, {"PYTHONPATH": str(HERE / "lava_jobs")})
    with pytest.raises(
        SimulatorFailed, match=f"did not get on with {JOBS}boom: no progress for 2 s, so it was ended"
    ):
        made.run(f"{JOBS}boom", tmp_path, patience=2)
    assert eventually(lambda: not living(made.process.pid))
    assert not segments(json.loads((tmp_path / CHILD).read_text())["pid"])
    assert not made.alive
    assert not made.place.exists()


def test_a_worker_that_was_killed_is_named_and_the_next_call_has_another():
    program = next(v.program for v in vectors() if v.name == "planes-add")
    session, drive = LavaSession(program), np.ones((1, 3, program.inputs), np.uint8)
    first = worker.worker()
    want = session.ticks(drive).spikes
    os.kill(first.process.pid, signal.SIGKILL)
    assert eventually(lambda: not first.alive)
    np.testing.assert_array_equal(session.ticks(drive).spikes, want)
    assert worker.worker() is not first
    assert worker.worker().alive


SCRIPT = """
import os, sys
from pathlib import Path
from spikebnn.lava.worker import Worker
made = Worker(sys.executable, {"PYTHONPATH": sys.argv[2]})
print(made.process.pid, made.place, flush=True)
if sys.argv[3] != "leave":
    made.run("scenarios:sleep", Path(sys.argv[1]))
"""


@pytest.mark.parametrize("end", ["leave", "SIGINT", "SIGTERM", "SIGKILL"])
def test_with_this_process_everything_goes_that_it_started(tmp_path, end):
    """The end of the program, Ctrl-C, and a host that is killed while a job runs."""
    host = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(HERE / "lava_jobs"), end],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert host.stdout is not None
    number, _, place = host.stdout.readline().strip().partition(" ")
    session = int(number)
    if end != "leave":
        assert eventually((tmp_path / "progress").exists)
        assert len(living(session)) == 2
        host.send_signal(getattr(signal, end))
    _, told = host.communicate(timeout=60)
    assert eventually(lambda: not living(session)), end
    assert eventually(lambda: not Path(place).exists()), end
    assert (host.returncode == 0) == (end == "leave")
    assert ("KeyboardInterrupt" in told) == (end == "SIGINT")


IN_PROCESS = """
import os, sys
sys.path.insert(0, sys.argv[1])
from spikebnn.lava.serve import own_segments
own_segments(os.getpid())
import numpy as np
from spikebnn.lava import MappedNet, run_steps
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.source import RingBuffer
net = MappedNet(sys.argv[2])
RingBuffer(data=np.ones((*net.s_in.shape, 4))).s_out.connect(net.s_in)
"""


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("net.run(condition=RunSteps(num_steps=4), run_cfg=Loihi2SimCfg())\nprint('ran')", 0, "ran"),
        ("net.create_runtime(run_cfg=Loihi2SimCfg())\nprint('made')", 0, "made"),
        (
            "run_steps(net, 4, Loihi2SimCfg())\nraise KeyError('a mistake of the user')",
            1,
            "a mistake of the user",
        ),
        ("run_steps(net, 4, Loihi2SimCfg())\nsys.exit(7)", 7, ""),
    ],
    ids=["leaves", "never ran", "raises", "exits"],
)
def test_in_a_users_own_program_a_forgotten_stop_hangs_nothing(tmp_path, body, code, said):
    """Lava alone waits for ever at the end of each of these."""
    next(v.program for v in vectors() if v.name == "planes-add").save(tmp_path / "p.sbnn")
    done = subprocess.Popen(
        [sys.executable, "-c", IN_PROCESS + body, str(ROOT), str(tmp_path / "p.sbnn")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        told, _ = done.communicate(timeout=120)
    finally:
        for pid in living(done.pid):
            os.kill(pid, signal.SIGKILL)
    assert done.returncode == code, told
    assert said in told
    assert not segments(done.pid)


def test_a_net_that_is_refused_says_one_sentence_and_nothing_else(tmp_path):
    made = "from spikebnn.lava import MappedNet\ntry:\n    MappedNet('none.sbnn')\nexcept Exception as e:\n    print(e)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{made}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.startswith("the program file none.sbnn cannot be read")
    assert "Exception ignored" not in done.stderr


def test_a_program_started_with_another_start_method_is_told_why(tmp_path):
    ask = "import multiprocessing as m; m.set_start_method(M); from spikebnn.lava import MappedNet; print(MappedNet.__name__)"
    for method, said in (
        ("fork", "MappedNet"),
        ("spawn", "Lava needs the start method 'fork' of multiprocessing, and this"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", f"M = {method!r}; {ask}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said in done.stdout + done.stderr


def test_where_lava_is_missing_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv(worker.PYTHON, raising=False)
    monkeypatch.setattr("importlib.metadata.version", _missing)
    with pytest.raises(SimulatorMissing) as told:
        registry.simulator("lava")
    assert told.value.exit_code == 3
    assert 'on Python 3.10 install it with: pip install "spikebnn[lava]"; on 3.11 and later' in str(
        told.value
    )
    assert "pip install --ignore-requires-python --no-deps lava-nc==0.10.0" in str(told.value)
    assert worker.PYTHON in str(told.value)
    assert "lava" not in registry.installed()


def _missing(name: str) -> str:
    raise shim.importlib.metadata.PackageNotFoundError(name)


def test_an_interpreter_that_is_named_must_be_there_and_have_lava(monkeypatch, tmp_path):
    monkeypatch.setenv(worker.PYTHON, str(tmp_path / "python"))
    with pytest.raises(
        SimulatorMissing, match=r"SPIKEBNN_LAVA_PYTHON names .*python, which cannot be started"
    ):
        Lava()
    bare = tmp_path / "bare"
    bare.write_text(
        f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n'
    )  # no site-packages: nothing is installed there
    bare.chmod(0o755)
    monkeypatch.setenv(worker.PYTHON, str(bare))
    with pytest.raises(
        SimulatorMissing,
        match=r"where Lava is not installed .*PackageNotFoundError.*; there run: .*bare -m pip install lava-nc==0\.10\.0",
    ):
        Lava()


def test_an_interpreter_that_says_nothing_is_not_waited_for(monkeypatch, tmp_path):
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 30\n")
    silent.chmod(0o755)
    monkeypatch.setenv(worker.PYTHON, str(silent))
    monkeypatch.setattr("spikebnn.lava.simulator.ASKED", 0.2)
    with pytest.raises(SimulatorMissing, match=r"silent, which did not tell its version of Lava in 0\.2 s"):
        Lava()


def test_the_worker_runs_in_the_interpreter_that_is_named(monkeypatch, tmp_path):
    """Another name for this Python, whose worker finds our files though nothing of ours is on its path."""
    other = tmp_path / "other"
    other.write_text(
        textwrap.dedent(f"""\
        #!/bin/sh
        echo started >> {tmp_path}/calls
        exec {sys.executable} "$@"
        """)
    )
    other.chmod(0o755)
    monkeypatch.setenv(worker.PYTHON, str(other))
    vector = next(v for v in vectors() if v.name == "delays-1-to-15")
    trace = registry.simulator("lava").load(vector.program).ticks(vector.drive[None])
    np.testing.assert_array_equal(trace.spikes[0], vector.spikes)
    assert len((tmp_path / "calls").read_text().split()) == 2  # its version, and the worker
    worker.worker().close()
