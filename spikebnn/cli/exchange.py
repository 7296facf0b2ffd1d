"""Write a program and its trace as SANA-FE's files, and bring its result back as a second opinion.

spikebnn exchange net.sbnn --data test.npz --limit 100 -o out/sanafe --python ~/sanafe/bin/python

SANA-FE is a program of its own, installed in an environment of its own. Without --python, and without the
variable SPIKEBNN_SANAFE_PYTHON, the files are written and nothing is run; --result reads what it wrote elsewhere.
Exit code 1 if a count differs in any time step, or if its energy lies outside our interval.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import spikebnn
from spikebnn import data
from spikebnn.cli.parser import positive
from spikebnn.cli.screen import answer, busy
from spikebnn.errors import InputError
from spikebnn.mapped_for import target_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("program", metavar="PROGRAM", help="net.sbnn")
    parser.add_argument("--data", required=True, metavar="FILE", help=".npz with x, frames first")
    parser.add_argument("--limit", type=positive, default=100, metavar="N", help="frames, 100 if not given")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--target", "-t", metavar="NAME", help="prices of another preset of the same chip, or your own file"
    )
    parser.add_argument(
        "--python", metavar="PYTHON", help="interpreter that has SANA-FE (default: $SPIKEBNN_SANAFE_PYTHON)"
    )
    parser.add_argument(
        "--result", metavar="DIR", help="do not run SANA-FE; read the traces that it wrote here"
    )


def execute(chosen: argparse.Namespace) -> int:
    """Write; then run, or read, and compare."""
    from spikebnn import exchange
    from spikebnn.exchange import foreign

    folder = Path(chosen.output)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; -o names a folder here")
    if chosen.python and chosen.result:
        raise InputError("--python runs SANA-FE and --result reads what it wrote elsewhere; give one of them")
    frames = data.load(chosen.data, chosen.limit)
    program = spikebnn.load(chosen.program)
    target = target_of(program, chosen.target)
    python = None if chosen.result else foreign.interpreter(chosen.python)
    if python is not None:
        with busy(chosen, f"SANA-FE runs {len(frames.x)} frames"):
            found = exchange.second_opinion(program, target, frames.x, folder, python)
        answer(chosen, found.text(), found.to_json())
        return 0 if found.equal and found.inside is not False else 1
    with busy(chosen, f"writing {len(frames.x)} frames"):
        trace = exchange.write_files(program, target, frames.x, folder)
    if chosen.result:
        found = exchange.read_result(program, target, trace, Path(chosen.result))
        (folder / exchange.OPINION).write_text(json.dumps(found.to_json(), indent=2) + "\n", encoding="utf-8")
        answer(chosen, found.text(), found.to_json())
        return 0 if found.equal and found.inside is not False else 1
    steps = len(trace.spikes)
    names = ["arch.yaml", "net.txt", "spikes.csv", "potentials.csv", "perf.csv"]
    said = [
        f"{folder}: {', '.join(names)}; SANA-FE was NOT run",
        f"to run it: name an interpreter that has it, {foreign.VARIABLE}=PYTHON, or with its own program:",
        f"  sim -n -s -t simple -o DIR {folder / 'arch.yaml'} {folder / 'net.txt'} {steps}",
        f"  spikebnn exchange {chosen.program} --data {chosen.data} --limit {chosen.limit} -o {folder} --result DIR",
    ]
    answer(chosen, "\n".join(said), {"folder": str(folder), "files": names, "steps": steps, "ran": False})
    return 0
