"""Exchange with SANA-FE: a mapped program and its trace as SANA-FE's files, and its result back as a second opinion.

SANA-FE is GPL. It is another program here: files go out, files come back, and nothing of it is imported or copied.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import InputError
from spikebnn.exchange import foreign, tables
from spikebnn.exchange.chip import architecture
from spikebnn.exchange.limits import check_representable, unrepresentable
from spikebnn.exchange.net import network, neuron_names
from spikebnn.exchange.opinion import Opinion, opinion
from spikebnn.exchange.slots import slots
from spikebnn.exchange.trace import Trace, stream
from spikebnn.mapped_for import check_mapped_for
from spikebnn.program import Program
from spikebnn.sbnn import digest
from spikebnn.targets.target import Target

__all__ = [
    "Opinion",
    "Trace",
    "check_representable",
    "read_result",
    "second_opinion",
    "unrepresentable",
    "write_files",
]

ARCH, NET, RESULT, OPINION = "arch.yaml", "net.txt", "sanafe", "opinion.json"


def write_files(
    program: Program, target: Target, x: Array, folder: Path, simulator: str = "bitwise"
) -> Trace:
    """Write arch.yaml and net.txt for SANA-FE, and our own traces with its headers, for the frames `x`.

    The frames follow each other in one stream. Raises InputError where SANA-FE cannot represent the program.
    """
    check_mapped_for(program, target)
    check_representable(program)
    if not len(np.asarray(x)):
        raise InputError("there is no frame to write; give data with at least one")
    places = slots(program, target)
    trace = stream(program, target, places, x, simulator)
    folder.mkdir(parents=True, exist_ok=True)
    delays = bool((program.routes[:, 4] > 1).any())
    (folder / ARCH).write_text(architecture(target, places, delays), encoding="utf-8")
    with (folder / NET).open("w", encoding="utf-8") as file:
        file.writelines(network(program, places, trace.drive))
    tables.write(trace, target, neuron_names(program, places), folder)
    return trace


def read_result(
    program: Program, target: Target, trace: Trace, folder: Path, version: str = "of unknown version"
) -> Opinion:
    """What SANA-FE wrote into `folder` on the files of `write_files`, beside our trace."""
    names = neuron_names(program, slots(program, target))
    result = tables.read(folder, names, len(trace.spikes), trace.watched)
    return opinion(program, target, trace, result, version, digest(program))


def second_opinion(
    program: Program,
    target: Target,
    x: Array,
    folder: Path,
    python: str | None = None,
    simulator: str = "bitwise",
) -> Opinion:
    """Write the files, run SANA-FE on them through the interpreter `python`, and compare; opinion.json is kept.

    Without `python` the environment variable SPIKEBNN_SANAFE_PYTHON names the interpreter. Raises SimulatorMissing
    where none is named or SANA-FE is not installed there.
    """
    chosen = foreign.interpreter(python)
    told = foreign.version(foreign.needed(chosen))
    trace = write_files(program, target, x, folder, simulator)
    foreign.simulate(foreign.needed(chosen), folder / ARCH, folder / NET, folder / RESULT, len(trace.spikes))
    found = read_result(program, target, trace, folder / RESULT, told)
    (folder / OPINION).write_text(json.dumps(found.to_json(), indent=2) + "\n", encoding="utf-8")
    return found
