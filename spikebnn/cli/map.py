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
from spikebnn.cli.screen import answer, busy, check_output, table


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    mapping_options(parser)
    parser.add_argument(
        "--calibrate",
        metavar="FILE",
        help=".npz with x: count packets on its first 100 frames, to place cores that talk much side by side, and "
        "partial sums, for --split window",
    )
    parser.add_argument(
        "--explore",
        action="store_true",
        help="write nothing: show every kind of split side by side, with its price or the reason why it is refused",
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

    if chosen.explore:
        return _explore(chosen)
    output = chosen.output or f"{Path(chosen.network).stem}.sbnn"
    check_output(output, chosen.network, chosen.target, chosen.calibrate)
    frames = None if chosen.calibrate is None else data.load(chosen.calibrate).x
    with busy(chosen, f"mapping {chosen.network} onto {chosen.target}"):
        program = spikebnn.map(chosen.network, chosen.target, calibrate=frames, **choices(chosen))
        sbnn.save(program, output)
    facts = {"file": output, **facts_of(program)}
    answer(chosen, f"{output}\n{text_of(facts)}", facts)
    return 0


def _explore(chosen: argparse.Namespace) -> int:
    """Show the kinds of split; 1 where none fits."""
    frames = None if chosen.calibrate is None else data.load(chosen.calibrate).x
    with busy(chosen, f"planning {chosen.network} on {chosen.target} in every way"):
        found = spikebnn.explore(chosen.network, chosen.target, calibrate=frames, **choices(chosen))
    head = ["split", "loses", "cores", "chips", "ticks/frame", "latency", "neurons", "spikes/frame", "J/frame", "J s"]
    rows: list[list[object]] = []
    for a in found.alternatives:
        name = f"{a.split} *" if a.chosen else a.split
        if a.refused:
            rows.append([name, "refused"])
            continue
        loses = "nothing" if a.lossless else f"{a.clipping['measured']:.2%} of sums" if a.clipping else "something"
        joules, delay = (f"{value:.3g}" if value is not None else "unknown" for value in (a.joules, a.energy_delay))
        rows.append([name, loses, a.cores, a.chips, a.ticks_per_frame, a.latency_ticks, a.neurons, f"{a.spikes:.0f}", joules,
                     delay])  # fmt: skip
    lines = [table(head, [[*row, *[""] * (len(head) - len(row))] for row in rows]), ""]
    lines += [f"{a.split}: {a.refused}" for a in found.alternatives if a.refused]
    lines += [
        f"{a.split}: worst case, a sum is wrong by {a.clipping['worst']}; a window of {a.clipping['window']} ticks, "
        f"{a.clipping['frames']} frames of calibration"
        for a in found.alternatives if a.clipping
    ]
    lines.append(f"* what --split auto takes: the least {found.by} of those that lose nothing")
    lines.append("spikes and joules are expected ones, half of all bits firing, without hops; a run counts the true ones")
    answer(chosen, "\n".join(lines), found.to_json())
    return 0 if any(not a.refused for a in found.alternatives) else 1
