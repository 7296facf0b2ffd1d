"""The simulator `lava`: any program in a Lava graph, in a supervised process, perhaps of another Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from spikebnn.arrays import U8, Array, door
from spikebnn.errors import InputError, SimulatorMissing
from spikebnn.lava import graph, shim, worker
from spikebnn.program import Program
from spikebnn.sbnn import save
from spikebnn.simulate import layout
from spikebnn.simulate.protocol import Answer, Trace
from spikebnn.simulate.wiring import wire
from spikebnn.threshold import plain_readout

ASKED = 60.0  # seconds that another interpreter has to tell its version of Lava


class Lava:
    """The registry's entry; making it starts nothing, but says whether Lava is there.

    `model` is "whole", the whole network in one vectorised process, or "ordinary", Lava's own Dense, Sparse and
    LIFReset, for memoryless programs within their limits; that one has no membranes to show.
    """

    name = "lava"

    def __init__(self, model: str = "whole") -> None:
        self.model = model
        if not hasattr(os, "fork"):
            raise SimulatorMissing(
                "Lava runs its Processes as forks of one, which this system does not offer; use bitwise"
            )
        python = worker.interpreter()
        self.version = shim.version() if python == sys.executable else _version_in(python)

    def load(self, program: Program) -> LavaSession:
        """Write the program down for the worker."""
        return LavaSession(program, self.model)


class LavaSession:
    """One program; every call is one run of one graph."""

    def __init__(
        self, program: Program, model: str = "whole", tag: str = "fixed_pt", patience: float = worker.PATIENCE
    ) -> None:
        self.program, self.wiring = program, wire(program)
        self.model, self.tag, self.patience = model, tag, patience
        self.shown = program if model == "whole" else all_out(program)

    def ticks(self, drive: U8, watch: Array | None = None) -> Trace:
        """Run streams side by side from rest; see `spikebnn.simulate.protocol.Session`."""
        drive = layout.check_drive(self.program, drive)
        streams, ticks, _ = drive.shape
        watch = np.zeros(0, np.int64) if watch is None else np.asarray(watch, np.int64)
        neurons = self.wiring.neurons
        if self.model == "ordinary":
            if len(watch):
                raise InputError(
                    "the model made of Dense, Sparse and LIFReset has no membranes to watch; use the whole one"
                )
            if streams > 1:  # Dense has no batch
                runs = [self.ticks(drive[k : k + 1]) for k in range(streams)]
                return Trace(
                    spikes=np.concatenate([run.spikes for run in runs]),
                    membranes=np.zeros((streams, ticks, 0), np.int64),
                )
        if not drive.shape[0] or not ticks:
            return Trace(
                spikes=np.zeros((streams, ticks, neurons), np.uint8),
                membranes=np.zeros((streams, ticks, len(watch)), np.int64),
            )
        with worker.folder() as name:
            folder = Path(name)
            save(self.shown, folder / graph.PROGRAM)
            np.save(folder / graph.DRIVE, np.packbits(drive.transpose(1, 0, 2), axis=-1, bitorder="little"))
            np.save(folder / graph.WATCH, watch)
            (folder / graph.OPTIONS).write_text(json.dumps({"tag": self.tag, "model": self.model}), "utf-8")
            worker.run("spikebnn.lava.graph:ticks", folder, self.patience)
            packed, membranes = np.load(folder / graph.SPIKES), np.load(folder / graph.MEMBRANES)
        spikes = np.unpackbits(packed, axis=-1, count=neurons, bitorder="little")
        return Trace(spikes=spikes.transpose(1, 0, 2).copy(), membranes=membranes.transpose(1, 0, 2).copy())

    def frames(self, bits: U8, record: bool = False) -> Answer:
        """Present frames in streams, all side by side; see `spikebnn.simulate.layout`."""
        return layout.frames_by_ticks(self.program, self.wiring, self.ticks, bits, record)


def all_out(program: Program) -> Program:
    """The program with every neuron as an output, in order."""
    rows = [
        (0, number, neuron) for number, core in enumerate(program.cores) for neuron in range(core.neurons)
    ]
    outputs = door(np.array(rows, np.int32).reshape(-1, 3), np.int32, None, 3)
    return replace(
        program, outputs=outputs, readout="spikes", base=door(np.zeros(1), np.int32), decoder=plain_readout(1)
    )


@lru_cache(maxsize=8)
def _version_in(python: str) -> str:
    """Lava's version in another interpreter."""
    ask = "import importlib.metadata as m; print(m.version('lava-nc'))"
    try:
        done = subprocess.run(
            [python, "-c", ask],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=os.sep,
            timeout=ASKED,
        )
    except subprocess.TimeoutExpired:
        raise SimulatorMissing(
            f"{worker.PYTHON} names {python}, which did not tell its version of Lava in {ASKED:g} s; name the python "
            f"of an environment with lava-nc, or unset it"
        ) from None
    except OSError as why:
        raise SimulatorMissing(
            f"{worker.PYTHON} names {python}, which cannot be started ({why.strerror}); name the python of an "
            f"environment with lava-nc, or unset it"
        ) from why
    if done.returncode:
        raise SimulatorMissing(
            f"{worker.PYTHON} names {python}, where Lava is not installed ({_last(done.stderr)}); "
            f"there run: {python} -m pip install lava-nc=={shim.WANTED}"
        )
    return done.stdout.strip()


def _last(text: str) -> str:
    """The last line, which says why."""
    return (text.strip().splitlines() or ["it said nothing"])[-1]
