"""Map a trained network onto a target and write the program.

The fit is checked first: if the network does not fit, every violation is listed with its layer, number, limit
and remedy, nothing is written, and the exit code is 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import spikebnn
from spikebnn import data
from spikebnn.cli.facts import facts_of, text_of
from spikebnn.cli.mapping import choices, mapping_options
from spikebnn.cli.screen import answer, busy, check_output


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    mapping_options(parser)
    parser.add_argument(
        "--calibrate",
        metavar="FILE",
        help=".npz with x: count packets on its first 100 frames, to place cores that talk much side by side",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="program file to write (default: the network's name with .sbnn, in this folder)",
    )


def execute(chosen: argparse.Namespace) -> int:
    """Map, save, say what came out."""
    from spikebnn import sbnn

    output = chosen.output or f"{Path(chosen.network).stem}.sbnn"
    check_output(output, chosen.network, chosen.target, chosen.calibrate)
    frames = None if chosen.calibrate is None else data.load(chosen.calibrate).x
    with busy(chosen, f"mapping {chosen.network} onto {chosen.target}"):
        program = spikebnn.map(chosen.network, chosen.target, calibrate=frames, **choices(chosen))
        sbnn.save(program, output)
    facts = {"file": output, **facts_of(program)}
    answer(chosen, f"{output}\n{text_of(facts)}", facts)
    return 0
