"""What is measured: W1 and W2 by frames and W3 by ticks, each with everybody who can compute it here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import matmuls
import nets
import numpy as np
import probe
from rounds import SETTLE, Missing, Spent, Timed, Way, call, interleave

import spikebnn
from spikebnn.arrays import Array
from spikebnn.errors import SimulatorMissing
from spikebnn.program import Program
from spikebnn.simulate import registry
from spikebnn.simulate.blas import BlasSession
from spikebnn.simulate.protocol import Session

HERE = Path(__file__).resolve().parent
NUMPY, TORCH, TORCH8, ONNX, PROBE = (
    "NumPy float32",
    "torch float32",
    "torch int8",
    "onnxruntime int8",
    "probe",
)
ONE, TWO, ALONE = "bitwise", "bitwise, 2 threads", "bitwise, a frame at a time"
PROBE_TWO = "probe, 2 threads"
NUMPY_ALONE = "NumPy float32, a frame at a time"
WHOLE, EACH = "spikebnn.run, all of it", "spikebnn.run, a frame at a time"
CALLS = 64  # frames that come one by one
PASSES = 1_000_000  # of the probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large everything is; the tests take a small one."""

    rounds: int = 5
    settle: float = SETTLE
    frames: int = 40960  # of the bit-packed engine on W1: long enough that a second processor has woken up
    few: int = 1024  # of those who multiply matrices
    slow: int = 100  # of those who go spike by spike
    sizes: tuple[int, ...] = nets.SIZES
    densities: tuple[float, ...] = (0.15, 0.5)
    conv: tuple[tuple[int, ...], ...] = nets.CONV
    conv_frames: int = 2048
    conv_few: int = 64
    cores: int = 4096
    cut: int = 64  # cores on which all must agree spike for spike
    ticks: int = 1000
    builds: bool = True  # whether Brian2 may build programs of its own, a minute each
    cython: bool = False
    kept: Path = Path("out")


TINY = Scale(
    rounds=1, settle=0, densities=(0.15,), frames=96, few=32, slow=8, sizes=(40, 32, 24, 10), conv_frames=16, conv_few=8,
    cores=3, cut=2, ticks=60, conv=((4, 1, 3, 3), (5, 4, 3, 3), (6, 5, 3, 3), (24, 294), (10, 24)), builds=False,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One workload, measured."""

    name: str
    about: str
    timed: dict[str, Timed]
    synapses: float  # asked in a frame, or in a tick
    missing: tuple[Missing, ...] = ()
    facts: tuple[tuple[str, float], ...] = ()


def threads_here() -> int:
    """Processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def threads(number: int) -> Iterator[None]:
    """What a user says with OMP_NUM_THREADS."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(number)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def bitwise(program: Program, number: int) -> Session:
    """The bit-packed engine, as the registry gives it, on so many threads."""
    with threads(number):
        return registry.simulator("bitwise").load(program)


def w1(density: float, scale: Scale, say: Callable[[str], None]) -> Found:
    """The dense network, mapped onto loihi-sim."""
    layers = nets.dense(density, sizes=scale.sizes)
    program = spikebnn.map(nets.network(layers), "loihi-sim")
    x = nets.inputs(scale.frames, density, (scale.sizes[0],))
    bits, few, slow = x[:, None], x[: scale.few], x[: scale.slow]
    reference = registry.simulator("reference").load(program)
    want = matmuls.numpy_float32(layers, x)()
    _count_alike(program, reference, bits[: scale.few], want)
    named: list[tuple[str, str, Callable[[], Way]]] = [
        (NUMPY, "numpy", lambda: _plain(NUMPY, "numpy", matmuls.numpy_float32(layers, few), len(few))),
        (TORCH, "torch", lambda: _plain(TORCH, "torch", matmuls.torch_float32(layers, few), len(few))),
        (TORCH8, "torch", lambda: _plain(TORCH8, "torch", matmuls.torch_int8(layers, few), len(few))),
        (
            ONNX,
            "onnxruntime",
            lambda: _plain(ONNX, "onnxruntime", matmuls.onnxruntime_int8(layers, few), len(few)),
        ),
        ("Lava", "lava-nc", lambda: _lava(layers, slow)),
        ("Brian2 numpy", "brian2", lambda: _brian2(layers, slow, "numpy")),
    ]
    if scale.cython:
        named.append(("Brian2 cython", "brian2", lambda: _brian2(layers, slow, "cython")))
    if scale.builds:
        named.append(("Brian2 cpp_standalone", "brian2", lambda: _compiled(layers, slow, scale.kept)))
    ways, missing = _here(named)
    ways += [
        _ours("reference", reference, bits[: scale.few]),
        _ours("bitwise, NumPy alone", BlasSession(program), bits[: scale.few]),
    ]
    ways.append(_one_by_one(NUMPY_ALONE, "numpy", lambda k: matmuls.numpy_float32(layers, x[k : k + 1])))
    packed, absent = _packed(program, bits)
    ways += packed
    missing += absent
    if packed:
        one = bitwise(program, 1)
        ways.append(_one_by_one(ALONE, "", lambda k: lambda: one.frames(bits[k : k + 1]).sums))
    ways.append(Way(name=WHOLE, frames=len(x), turn=call(lambda: spikebnn.run(program, x).scores)))
    ways.append(_one_by_one(EACH, "", lambda k: lambda: spikebnn.run(program, x[k : k + 1]).scores))
    timed = interleave(ways, scale.rounds, want, say, scale.settle)
    about = f"dense {'-'.join(map(str, scale.sizes))}, density {density:g}, on loihi-sim, {len(program.cores)} cores"
    return Found(name=f"W1 {density:g}", about=about, timed=timed, synapses=sum(w.size for w, _ in layers),
                 missing=tuple(missing))  # fmt: skip


def w2(density: float, scale: Scale, say: Callable[[str], None]) -> Found:
    """The convolutional network, mapped onto a copy of loihi-sim with more axons (`loihi-wide.toml`)."""
    layers, shape = nets.convolutional(density, shapes=scale.conv), (1, 28, 28)
    program = spikebnn.map(nets.network(layers, shape), HERE / "loihi-wide.toml")
    x = nets.inputs(scale.conv_frames, density, shape)
    bits, few = x.reshape(len(x), 1, -1), x[: scale.conv_few]
    check = matmuls.numpy_float32(layers, few)()
    _count_alike(program, registry.simulator("reference").load(program), bits[: len(few)], check)
    work = matmuls.numpy_float32
    want = np.concatenate([work(layers, x[k : k + 64])() for k in range(0, len(x), 64)])
    ways, missing = _here([
        (NUMPY, "numpy", lambda: _plain(NUMPY, "numpy", work(layers, few), len(few))),
        (TORCH, "torch", lambda: _plain(TORCH, "torch", matmuls.torch_float32(layers, few), len(few))),
        (ONNX, "onnxruntime", lambda: _plain(ONNX, "onnxruntime", matmuls.onnxruntime_int8(layers, few), len(few))),
    ])  # fmt: skip
    packed, absent = _packed(program, bits)
    timed = interleave([*ways, *packed], scale.rounds, want, say, scale.settle)
    about = (
        f"conv 28 x 28, 3 convolutions, 2 dense layers, density {density:g}, on loihi-sim with 8,192 axons a core, "
        f"{len(program.cores)} cores"
    )
    return Found(name="W2", about=about, timed=timed, synapses=_asked(layers), missing=(*missing, *absent))


def w3_cut(scale: Scale, say: Callable[[str], None]) -> Found:
    """Some cores of the recurrent chip, small enough for everybody; every spike is compared."""
    from spikebnn.simulate.chip import Chip

    program, seed = spikebnn.recurrent(scale.cut, seed=0), "0"
    silent = np.zeros((1, scale.ticks, 1), np.uint8)
    reference = registry.simulator("reference").load(program)
    raster = reference.ticks(silent).spikes[0]
    want = _per_core(program, raster)[None]
    ways, missing = [], []
    turn = call(lambda: _per_core(program, reference.ticks(silent).spikes[0])[None])
    ways.append(Way(name="reference", frames=scale.ticks, turn=turn, quick=False))
    if find_spec("numba"):
        for number, name in ((1, ONE), (2, TWO)):
            if number > threads_here():
                missing.append(Missing(name=name, why="one processor here"))
                continue
            chip = Chip(program, number)
            found = chip.run(scale.ticks, record=True)
            if not np.array_equal(found.raster, raster):
                raise SystemExit(f"{name} is not exact on {scale.cut} cores")
            ways.append(_ticks(name, chip, scale.ticks, "CPU" if number == 1 else "wall"))
    else:
        missing.append(_absent(ONE, "numba"))
    if scale.builds:
        more, absent = _here(
            [("Brian2 cpp_standalone", "brian2", lambda: _chip(program, scale, seed, raster))]
        )
        ways += more
        missing += absent
    timed = interleave(ways, scale.rounds, want, say, scale.settle)
    about = f"recurrent, {scale.cut} cores, {scale.ticks} ticks from rest, every spike compared"
    return Found(name=f"W3, {scale.cut} cores", about=about, timed=timed, synapses=_per_tick(program, raster),
                 missing=tuple(missing))  # fmt: skip


def w3_chip(scale: Scale, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """The whole chip, by the command that a user has, in a process of its own for each number of threads."""
    rows = []
    for number in (1, 2):
        if number > threads_here() or not find_spec("numba"):
            continue
        say(f"chip of {scale.cores} cores, {number} threads")
        words = [sys.executable, "-m", "spikebnn", "bench", "--chip", str(scale.cores), "--ticks", str(scale.ticks),
                 "--threads", str(number), "--json"]  # fmt: skip
        home = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]),
        }
        done = subprocess.run(words, capture_output=True, text=True, env=home, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        rows.append(json.loads(done.stdout))
    if any(row["spikes"] != rows[0]["spikes"] for row in rows):
        raise SystemExit("two threads count other spikes than one")
    return rows


def _plain(name: str, package: str, work: matmuls.Work, frames: int) -> Way:
    return Way(name=name, frames=frames, turn=call(work), package=f"{package} {version(package)}")


def _ours(name: str, session: Session, bits: Array, clock: str = "CPU") -> Way:
    return Way(name=name, frames=len(bits), turn=call(lambda: session.frames(bits).sums), clock=clock)


def _one_by_one(name: str, package: str, work: Callable[[int], matmuls.Work]) -> Way:
    """Frames that come one by one, each a Python call of its own."""
    works = [work(k) for k in range(CALLS)]
    told = f"{package} {version(package)}" if package else ""
    return Way(
        name=name, frames=CALLS, turn=call(lambda: np.concatenate([one() for one in works])), package=told
    )


def _packed(program: Program, bits: Array) -> tuple[list[Way], list[Missing]]:
    """The bit-packed engine on one thread and on two, and what one core could do at most."""
    if not find_spec("numba"):
        return [], [_absent(ONE, "numba")]
    ways = [_ours(ONE, bitwise(program, 1), bits)]
    loop, seeds, wanted = probe.compiled(), probe.seeds(), probe.expected(5)
    if loop(5, seeds) != wanted:
        raise SystemExit("the probe counts wrongly")

    def asked(number: int) -> Callable[[], tuple[Spent, Array]]:
        def work() -> None:
            with ThreadPoolExecutor(number) as pool:
                list(pool.map(lambda _: loop(PASSES, seeds), range(number)))

        return lambda: (call(work)()[0], np.zeros(0))

    ways.append(Way(name=PROBE, frames=PASSES * probe.SYNAPSES, turn=asked(1)))
    if threads_here() < 2:
        return ways, [Missing(name=TWO, why="one processor here")]
    both = Way(name=PROBE_TWO, frames=2 * PASSES * probe.SYNAPSES, turn=asked(2), clock="wall")
    return [*ways, both, _ours(TWO, bitwise(program, 2), bits, "wall")], []


def _lava(layers: nets.Layers, x: Array) -> Way:
    from lava_way import lava

    return lava(layers, x)


def _brian2(layers: nets.Layers, x: Array, target: str) -> Way:
    from brian2_way import at_run_time

    return at_run_time(layers, x, target)


def _compiled(layers: nets.Layers, x: Array, kept: Path) -> Way:
    from brian2_way import compiled

    return compiled(layers, x, kept)


def _chip(program: Program, scale: Scale, seed: str, raster: Array) -> Way:
    from brian2_way import compiled_chip

    way = compiled_chip(program, scale.ticks, scale.kept, seed)

    def turn() -> tuple[Spent, Array]:
        spent, found = way.turn()
        if not np.array_equal(found, raster):
            raise SystemExit(f"Brian2 is not exact on {scale.cut} cores")
        return spent, _per_core(program, found)[None]

    return replace(way, turn=turn)


def _ticks(name: str, chip: Any, ticks: int, clock: str) -> Way:
    def turn() -> tuple[Spent, Array]:
        chip.rest()
        return call(lambda: chip.run(ticks).spikes[None])()

    return Way(name=name, frames=ticks, turn=turn, clock=clock)


def _here(named: list[tuple[str, str, Callable[[], Way]]]) -> tuple[list[Way], list[Missing]]:
    """Those whose package is installed, and those whose is not."""
    ways: list[Way] = []
    missing: list[Missing] = []
    for name, package, make in named:
        if "standalone" in name and not any(map(shutil.which, ("g++", "clang++", "c++"))):
            missing.append(Missing(name=name, why="not installed: a C++ compiler"))
            continue
        try:
            version(package)
            if package == "onnxruntime":
                version("onnx")
            ways.append(make())
        except (PackageNotFoundError, ModuleNotFoundError, SimulatorMissing):
            missing.append(_absent(name, package))
        except RuntimeError as why:  # a compiler that is there and does not build
            missing.append(Missing(name=name, why=str(why)))
    return ways, missing


def _absent(name: str, package: str) -> Missing:
    return Missing(name=name, why=f"not installed: {package}")


def _count_alike(program: Program, reference: Session, bits: Array, want: Array) -> None:
    """Scores, spikes and events of the bit-packed engine are the reference's, and its scores are the network's."""
    a, b = reference.frames(bits), bitwise(program, 1).frames(bits)
    same = [np.array_equal(getattr(a.counts, name), getattr(b.counts, name))
            for name in ("spikes", "axon_events", "synaptic_events", "neuron_spikes")]  # fmt: skip
    if not (all(same) and np.array_equal(a.sums, b.sums) and np.array_equal(a.sums, want[: len(bits)])):
        raise SystemExit("bitwise, reference and the network's own arithmetic do not agree")


def _asked(layers: nets.Layers) -> float:
    """Synapses of a frame of W2: a convolution has nine for each place and channel, beyond the border too."""
    side, total = 28, 0
    for k, (weight, _) in enumerate(layers):
        total += weight.size * (side * side if weight.ndim == 4 else 1)
        side //= 2 if k in nets.POOLED else 1
    return total


def _per_core(program: Program, raster: Array) -> Array:
    return np.add.reduceat(raster.sum(axis=0, dtype=np.int64), np.array(program.first[:-1]))


def _per_tick(program: Program, raster: Array) -> float:
    """Synaptic events of a tick, on average: every spike reaches one axon with half of 256 synapses."""
    return float(raster.sum()) * 128 / len(raster)
