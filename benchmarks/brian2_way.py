"""The networks in plain Brian2, as a user of Brian2 would write them, without a line of ours: at run time and compiled.

Dense layers are memoryless: what arrives is summed, compared in the next tick, and forgotten. The whole chip has delays,
leaks and floors. Compiled (cpp_standalone) a network becomes a program on disk, made once and kept; it takes thresholds,
weights and inputs by file, so one build serves every density, and it measures its own loop.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from nets import Layers
from rounds import Spent, Way

from spikebnn.arrays import Array, unpack_bits
from spikebnn.program import Program
from spikebnn.simulate import recurrent

COMPILED = "Brian2 cpp_standalone"


def at_run_time(layers: Layers, x: Array, target: str = "numpy") -> Way:
    """Dense layers in `target`, a frame a tick; the clock is read inside the run, in its first and last tick."""
    import brian2 as b2

    logging.getLogger("brian2").setLevel(logging.ERROR)
    b2.prefs.codegen.target = target
    parts, out = _dense(b2, layers, x)
    marks: list[tuple[float, float]] = []
    mark = b2.NetworkOperation(
        lambda: marks.append((time.process_time(), time.perf_counter())), dt=b2.ms, when="start"
    )
    net = b2.Network(*parts, mark)
    net.store()
    last, frames = len(layers) - 1, len(x)

    def turn() -> tuple[Spent, Array]:
        net.restore()
        marks.clear()
        net.run((frames + last + 1) * b2.ms)  # the clock of the first tick begins, that of the last ends
        (cpu, wall), (cpu2, wall2) = marks[0], marks[-1]
        many = frames / (frames + last)
        sums = np.rint(out.v[:]).T[last : last + frames]
        return Spent(cpu=(cpu2 - cpu) * many, wall=(wall2 - wall) * many), sums

    return Way(name=f"Brian2 {target}", frames=frames, turn=turn, package=_package(), quick=False)


def compiled(layers: Layers, x: Array, kept: Path) -> Way:
    """Dense layers as a program of their own; built where `kept` holds none for these sizes and so many frames."""
    sizes = (layers[0][0].shape[1], *(len(w) for w, _ in layers))
    folder = _built(kept, "dense", {"sizes": sizes, "frames": len(x)})
    given = {"drive.values": x.astype(np.float64)}
    for k, (weight, threshold) in enumerate(layers):
        given[f"synapses{k}.w"] = weight.T.astype(np.float64)
        if k < len(layers) - 1:
            given[f"layer{k}.theta"] = threshold - 0.5
    last, frames = len(layers) - 1, len(x)

    def turn() -> tuple[Spent, Array]:
        told = _run(folder, given)
        seconds = told["seconds"] * frames / (frames + last)
        sums = np.rint(told["v"]).reshape(frames + last, sizes[-1])[last:]
        return Spent(cpu=seconds, wall=seconds), sums

    return Way(name=COMPILED, frames=frames, turn=turn, clock="own", package=_package(), quick=False)


def compiled_chip(program: Program, ticks: int, kept: Path, seed: str) -> Way:
    """A recurrent chip as a program of its own; a tick is a frame, and answers are spikes (ticks, neurons)."""
    folder = _built(kept, "chip", {"cores": len(program.cores), "seed": seed, "ticks": ticks})
    count = int(program.first[-1])

    def turn() -> tuple[Spent, Array]:
        told = _run(folder, {})
        fired = np.zeros((ticks, count), np.uint8)
        fired[np.rint(told["t"] * 1000).astype(int), told["i"]] = 1
        return Spent(cpu=told["seconds"], wall=told["seconds"]), fired

    return Way(name=COMPILED, frames=ticks, turn=turn, clock="own", package=_package(), quick=False)


def _package() -> str:
    return f"brian2 {version('brian2')}"


def _dense(b2: Any, layers: Layers, x: Array) -> tuple[list[Any], Any]:
    """All objects of a dense network, and the monitor of its sums."""
    drive = b2.TimedArray(x.astype(np.float64), dt=b2.ms, name="drive")
    last = len(layers) - 1
    before = b2.NeuronGroup(x.shape[1], "", threshold=f"drive(t, i)*int(t < {len(x)}*ms) > 0.5", dt=b2.ms,
                            name="source", namespace={"drive": drive})  # fmt: skip
    parts = [before]
    for k, (weight, threshold) in enumerate(layers):
        theta = threshold - 0.5  # `>` here is `>=` there
        fires = {} if k == last else {"threshold": "v > theta"}
        group = b2.NeuronGroup(
            len(weight), "v : 1\ntheta : 1 (constant)", dt=b2.ms, name=f"layer{k}", **fires
        )
        group.theta = theta
        group.run_regularly("v = 0", dt=b2.ms, when="after_thresholds", name=f"forget{k}")
        synapses = b2.Synapses(
            before, group, "w : 1 (constant)", on_pre="v_post += w", dt=b2.ms, name=f"synapses{k}"
        )
        synapses.connect()
        synapses.w = weight.T.ravel().astype(np.float64)  # by source, then target
        parts += [group, synapses]
        before = group
    out = b2.StateMonitor(before, "v", record=True, dt=b2.ms, when="end", name="sums")
    return [*parts, out], out


def _chip(b2: Any, program: Program) -> tuple[list[Any], Any]:
    """All objects of a recurrent chip, and the monitor of its spikes; what arrives is added before thresholds are asked.

    A spike is heard one tick later at the soonest, so that a delay of d ticks is one of d - 1 here.
    """
    first = np.array(program.first)
    theta, leak, floor = (
        np.concatenate([getattr(core, name) for core in program.cores])
        for name in ("threshold", "leak", "floor")
    )
    group = b2.NeuronGroup(int(first[-1]), "v : 1\ntheta : 1 (constant)\nleak : 1 (constant)\nlowest : 1 (constant)",
                           threshold="v > theta", reset="v = 0", dt=b2.ms, name="neurons")  # fmt: skip
    group.theta, group.leak, group.lowest = theta - 0.5, leak, floor
    group.run_regularly("v = clip(v, lowest, inf) + leak", dt=b2.ms, when="start", name="leaks")
    i, j, w, d = synapse_lists(program)
    synapses = b2.Synapses(group, group, "w : 1 (constant)", on_pre="v_post += w", dt=b2.ms, name="synapses")
    synapses.connect(i=i, j=j)
    synapses.w, synapses.delay = w, (d - 1) * b2.ms
    out = b2.SpikeMonitor(group, name="spikes")
    return [group, synapses, out], out


def synapse_lists(program: Program) -> tuple[Array, Array, Array, Array]:
    """Source, target, weight and delay in ticks of every synapse between neurons."""
    first, made = np.array(program.first), []
    source = {(c, a): (int(first[b]) + n, d) for b, n, c, a, d in program.routes.tolist()}
    for number, core in enumerate(program.cores):
        for plane in core.planes:
            on = unpack_bits(plane.bits, plane.stop - plane.start)  # (neurons, axons)
            neuron, axon = np.nonzero(on)
            come = np.array([source[number, a] for a in range(plane.start, plane.stop)])
            made.append(np.stack([come[axon, 0], first[number] + neuron, plane.scale[neuron], come[axon, 1]]))
    i, j, w, d = np.concatenate(made, axis=1)
    return i, j, w, d


def _built(kept: Path, kind: str, facts: Mapping[str, Any]) -> Path:
    """The folder of a built program; built in a process of its own, as Brian2 has one device."""
    said = json.dumps({"kind": kind, "brian2": version("brian2"), **facts}, sort_keys=True)
    made = (Path(__file__), Path(__file__).parent / "nets.py", Path(recurrent.__file__))  # who makes what is built
    code = b"".join(path.read_bytes() for path in made)
    folder = kept / f"brian2-{kind}-{hashlib.sha256(said.encode() + code).hexdigest()[:12]}"
    if not (folder / "facts.json").exists():
        words = [sys.executable, "-W", "ignore", __file__, str(folder), said]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Brian2 could not build {kind}: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def _run(folder: Path, given: Mapping[str, Array]) -> dict[str, Any]:
    """Run a built program once: its loop's seconds, and the arrays that were asked for."""
    words = []
    for name, array in given.items():
        path = folder / f"{name}.given"
        np.ascontiguousarray(array, np.float64).tofile(path)
        words.append(f"{name}={path}")
    results = folder / "results"
    results.mkdir(exist_ok=True)
    subprocess.run(
        [str(folder / "main"), "--results_dir", f"{results}/", *words],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    facts = json.loads((folder / "facts.json").read_text())
    told: dict[str, Any] = {
        name: np.fromfile(results / file, kind) for name, (file, kind) in facts["arrays"].items()
    }
    told["seconds"] = float((results / "last_run_info.txt").read_text().split()[0])
    return told


def _build(folder: Path, facts: Mapping[str, Any]) -> None:
    """What the process of its own does."""
    import brian2 as b2
    from nets import dense


    b2.set_device("cpp_standalone", build_on_run=False, directory=str(folder))
    if facts["kind"] == "dense":
        sizes, frames = tuple(facts["sizes"]), facts["frames"]
        layers = dense(0.5, sizes=sizes)
        parts, out = _dense(b2, layers, np.zeros((frames, sizes[0]), np.uint8))
        ticks, wanted = frames + len(layers) - 1, {"v": out.variables["v"]}
    else:
        b2.defaultclock.dt = b2.ms
        parts, out = _chip(b2, recurrent.recurrent(facts["cores"], seed=int(facts["seed"])))
        ticks, wanted = facts["ticks"], {"i": out.variables["i"], "t": out.variables["t"]}
    net = b2.Network(*parts)
    if facts["kind"] == "chip":
        net.schedule = ["start", "synapses", "groups", "thresholds", "resets", "end"]
    net.run(ticks * b2.ms)
    b2.device.build(directory=str(folder), compile=True, run=False, debug=False)
    arrays = {
        name: (Path(b2.device.get_array_filename(v)).name, np.dtype(v.dtype).str)
        for name, v in wanted.items()
    }
    (folder / "facts.json").write_text(json.dumps({**facts, "arrays": arrays}))


if __name__ == "__main__":
    _build(Path(sys.argv[1]).resolve(), json.loads(sys.argv[2]))
