"""Run a program on data and report: accuracy, agreement, spikes, energy with its interval, latency, cores.

spikebnn run net.sbnn --data test.npz -o run.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import spikebnn
from spikebnn import data
from spikebnn.cli.parser import positive
from spikebnn.cli.screen import answer, as_json, busy, check_output, colored, write
from spikebnn.detail import detail
from spikebnn.errors import InputError
from spikebnn.mapped_for import check_mapped_for, target_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("program", metavar="PROGRAM", help="net.sbnn")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help=".npz with x, frames first, and y where known"
    )
    parser.add_argument(
        "--simulator",
        "-s",
        default="bitwise",
        metavar="NAME",
        help="bitwise (default), reference, brian2, lava, or another that a package offers",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N frames")
    parser.add_argument(
        "--against", metavar="NET", help="net.pt: say how often the original network answers the same"
    )
    parser.add_argument(
        "--target",
        "-t",
        metavar="NAME",
        help="price the run by another preset of the same chip, or by your own file",
    )
    parser.add_argument(
        "--tick", type=float, metavar="SECONDS", help="length of a tick (default: the target's own)"
    )
    parser.add_argument(
        "--rate", type=float, metavar="HZ", help="frames per second: also price a chip that stays on between them"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="score to write, JSON, for `report` and `compare`"
    )
    parser.add_argument("--html", metavar="FILE", help="page to write, with figures, for a browser")
    parser.add_argument(
        "--detail", type=int, default=8, metavar="N", help="keep the spikes of N frames in what is written (default: 8)"
    )


def execute(chosen: argparse.Namespace) -> int:
    """Run, score, report."""
    for path in (chosen.output, chosen.html):
        if path:
            check_output(path, chosen.program, chosen.data, chosen.against)
    if chosen.detail < 0:
        raise InputError(f"--detail is a number of frames, 0 or more, not {chosen.detail}")
    frames = data.load(chosen.data, chosen.limit)
    program = spikebnn.load(chosen.program)
    target = target_of(program, chosen.target)
    check_mapped_for(program, target)
    with busy(chosen, f"running {len(frames.x)} frames in {chosen.simulator}"):
        run = spikebnn.run(program, frames.x, simulator=chosen.simulator)
        original = None if chosen.against is None else spikebnn.original(chosen.against, frames.x)
        score = spikebnn.score(run, program, target, frames.y, original, chosen.tick, chosen.rate)
        closer = detail(run, program, target, frames.x, frames.y, chosen.detail) if chosen.output or chosen.html else None
    if chosen.output and closer is not None:
        write(chosen.output, as_json({**json.loads(score.to_json()), "detail": closer.to_json()}))
    if chosen.html:
        from spikebnn import page

        write(chosen.html, page.html(score, closer, f"{Path(chosen.program).stem} on {Path(chosen.data).stem}"))
    answer(chosen, spikebnn.report(score, color=colored()).rstrip(), score.to_json().rstrip())
    return 0
