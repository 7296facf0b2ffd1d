"""What Brian2 compiles is exact too: the cython target in this process, a standalone C++ program in one of its own.

Compiling takes most of the time, so many random programs go into few Brian2 runs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import brian2 as b2
import numpy as np
import pytest
from brian2 import Network, SpikeMonitor, ms

from spikebnn.brian2 import MappedNet
from spikebnn.simulate import registry
from spikebnn.simulate.reference import Reference
from tests.strategies_program import program_bits, program_drive
from tests.strategies_union import side_by_side, union
from tests.test_brian2_plugin import drive_of, random_programs, raster, slow_twin

ROOT = Path(__file__).resolve().parent.parent
QUICK = ["-O0", "-w"]  # of the compiler: these programs are small


CACHE = (
    Path(tempfile.gettempdir()) / "spikebnn-tests-cython"
)  # Brian2's key of a module leaves out the compiler's options


@pytest.fixture
def cython_target():
    """A user who asks for cython; what is compiled here never meets that user's own cache."""
    cython, cpp = b2.prefs.codegen.runtime.cython, b2.prefs.codegen.cpp
    old = b2.prefs.codegen.target, cpp.extra_compile_args_gcc, cython.cache_dir
    b2.prefs.codegen.target, cpp.extra_compile_args_gcc, cython.cache_dir = "cython", QUICK, str(CACHE)
    b2.start_scope()
    yield
    b2.prefs.codegen.target, cpp.extra_compile_args_gcc, cython.cache_dir = old


def test_the_simulator_is_exact_on_cython(cython_target):
    programs = random_programs(30)
    together = union(programs)
    drive = side_by_side([program_drive(program, 5, 9, 25, 0.4) for program in programs])
    watch = np.arange(together.first[-1])
    want = Reference().load(together).ticks(drive, watch)
    got = registry.simulator("brian2").load(together).ticks(drive, watch)
    np.testing.assert_array_equal(got.spikes, want.spikes)
    np.testing.assert_array_equal(got.membranes, want.membranes)


def test_the_plugin_is_exact_on_cython(cython_target):
    """With controls, from a later tick on, behind a finer clock."""
    program = next(p for p in random_programs(40) if len(p.controls) and p.period > 1)
    bits = program_bits(program, 2, 4, 0.4)
    drive = drive_of(program, bits)
    tick, line = np.nonzero(drive[:, : program.inputs])
    at = np.concatenate([tick * 1.0, tick - 0.3]) + 2
    source = b2.SpikeGeneratorGroup(program.inputs, np.concatenate([line, line]), at * ms, dt=0.1 * ms)
    bnn = MappedNet(program, source, start=2 * ms, name="bnn")
    spikes = SpikeMonitor(bnn.neurons, name="spikes")
    Network(source, bnn, spikes).run((len(drive) + 2) * ms)
    np.testing.assert_array_equal(raster(bnn, spikes, len(drive), 2), slow_twin(program, drive))
    np.testing.assert_array_equal(bnn.sums(0, 4), Reference().load(program).frames(bits).sums)


def test_a_standalone_program_is_exact(tmp_path):
    """In a process of its own, as the device is set for good: frames, a decision, a group on a finer clock, and thirty programs behind a TimedArray."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.brian2_standalone", str(tmp_path / "build")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "simulator": True, "classes": True, "sums": True, "decisions": True, "programs": True, "later": True,
    }  # fmt: skip
