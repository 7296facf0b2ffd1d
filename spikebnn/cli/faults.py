"""Say what faults do to a program on data: accuracy and missed frames against the rate of each kind of fault.

  spikebnn faults net.sbnn --data test.npz --sweep packet-loss=0,0.01,0.1 --seed 3
  spikebnn faults net.sbnn --data test.npz --sweep dead-cores=0,0.05,0.2 --repeats 10 -o curve.json --html curve.html

Kinds of fault:
{kinds}

At rate 0 nothing changes; the same seed draws the same faults, and a higher rate those of a lower one and more.
On sensor streams: spikebnn stream --sweep.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import spikebnn
from spikebnn import data
from spikebnn.cli.curves import asked, curve_options, text_of
from spikebnn.cli.parser import positive
from spikebnn.cli.screen import answer, as_json, busy, check_output, write
from spikebnn.faults import KINDS
from spikebnn.faults.curve import MISSING, fault_curve
from spikebnn.mapped_for import check_mapped_for, target_of
from spikebnn.recorded import curves_document
from spikebnn.sbnn import digest

__doc__ = (__doc__ or "").replace("{kinds}", "\n".join(f"  {kind:<14} {text}" for kind, text in KINDS.items()))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("program", metavar="PROGRAM", help="net.sbnn")
    parser.add_argument("--data", required=True, metavar="FILE", help=".npz with x, frames first, and y where known")
    curve_options(parser.add_argument_group("faults"), required=True)
    parser.add_argument(
        "--missing", choices=MISSING, default="skip",
        help="a frame with a missing reading is not decided, or the reading is zero (default: skip)",
    )  # fmt: skip
    parser.add_argument("--target", "-t", metavar="NAME", help="the program's, if it is a file of your own")
    parser.add_argument("--simulator", "-s", default="bitwise", metavar="NAME",
                        help="for faults that last (default: bitwise); those in the run have their own engine")  # fmt: skip
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N frames")
    parser.add_argument("-o", "--output", metavar="FILE", help="curves to write, JSON, for `report --html`")
    parser.add_argument("--html", metavar="FILE", help="page to write, with the curves, for a browser")


def execute(chosen: argparse.Namespace) -> int:
    """Run at every rate, print the curves."""
    for path in (chosen.output, chosen.html):
        if path:
            check_output(path, chosen.program, chosen.data)
    wanted = asked(chosen.sweep)
    frames = data.load(chosen.data, chosen.limit)
    program = spikebnn.load(chosen.program)
    target = target_of(program, chosen.target)
    check_mapped_for(program, target)
    curves = []
    for kind, rates in wanted:
        with busy(chosen, f"running {len(frames.x)} frames at {len(rates)} rates of {kind}"):
            curves.append(
                fault_curve(program, target, frames.x, frames.y, kind=kind, rates=rates, seed=chosen.seed or 0,
                            repeats=chosen.repeats, missing=chosen.missing, simulator=chosen.simulator)
            )  # fmt: skip
    title = f"{Path(chosen.program).stem} on {Path(chosen.data).stem}"
    document = curves_document(title, digest(program), target.name, curves)
    if chosen.output:
        write(chosen.output, as_json(document))
    if chosen.html:
        from spikebnn.page import faults_html

        write(chosen.html, faults_html(document))
    answer(chosen, "\n\n".join(text_of(curve) for curve in curves), document)
    return 0
