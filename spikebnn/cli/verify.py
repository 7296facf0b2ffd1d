"""Compare a program with the network it was made from, on data, bit for bit.

Writes a certificate: digests of network, target, program and data, versions, and the number of frames that differ.
Exit code 1 if one does; then frame, tick, layer, core, neuron, sum and threshold of the first are named.
"""

from __future__ import annotations

import argparse

import spikebnn
from spikebnn import data
from spikebnn.cli.parser import positive
from spikebnn.cli.screen import answer, as_json, check_output, counting, table, write
from spikebnn.verify import Certificate


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("program", metavar="PROGRAM", help="net.sbnn")
    parser.add_argument("--against", required=True, metavar="NET", help="net.pt, the original network")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help=".npz with x, frames first, and y where known"
    )
    parser.add_argument(
        "--simulator",
        "-s",
        default="bitwise,reference",
        metavar="NAME",
        help="one name, several with commas, or all that are installed, brian2 and lava too (default: bitwise,reference)",
    )
    parser.add_argument(
        "--oracle", choices=["auto", "torch", "numpy"], default="auto", help="who evaluates the original"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N frames")
    parser.add_argument("-o", "--output", metavar="FILE", help="certificate to write, JSON")


def execute(chosen: argparse.Namespace) -> int:
    """Verify, write the certificate, say what it says."""
    if chosen.output:
        check_output(chosen.output, chosen.program, chosen.against, chosen.data)
    frames = data.load(chosen.data, chosen.limit)
    program = spikebnn.load(chosen.program)
    names = "all" if chosen.simulator == "all" else tuple(chosen.simulator.split(","))
    with counting(chosen) as progress:
        certificate = spikebnn.verify(
            program,
            chosen.against,
            frames.x,
            frames.y,
            simulators=names,
            oracle=chosen.oracle,
            on_progress=progress,
        )
    facts = certificate.to_json()
    if chosen.output:
        write(chosen.output, as_json(facts))
    answer(chosen, text_of(certificate), facts)
    return 0 if certificate.equal else 1


def text_of(certificate: Certificate) -> str:
    """A certificate for reading."""
    head = [
        "simulator",
        "version",
        "frames",
        "differing",
        "classes",
        "scores",
        "spikes",
        "of spikes compared",
    ]
    rows = [
        (
            v.simulator,
            v.version,
            v.frames,
            v.differing_frames,
            v.differing_classes,
            v.differing_scores,
            v.differing_spikes,
            v.spikes_compared,
        )
        for v in certificate.verdicts
    ]
    result = "EQUAL" if certificate.equal else "NOT EQUAL"
    lines = [
        f"{result}: {certificate.target} against the original network ({certificate.oracle})",
        "",
        table(head, rows),
        "",
        f"structure  {certificate.structure}",
    ]
    lines += [f"accuracy   {value:.4f}  {name}" for name, value in certificate.accuracy.items()]
    if certificate.score_tolerance:
        lines.append(
            f"scores     compared within {certificate.score_tolerance:g}, the rounding of the original's own sum"
        )
    lines.append(
        f"digests    program {certificate.program[:16]}  network {certificate.network[:16]}  "
        f"target {certificate.target_digest[:16] or 'unknown'}  data {certificate.data[:16]}"
    )
    if not certificate.equal:
        lines += ["", certificate.reason()]
    return "\n".join(lines)
