"""Time the simulators on one program, against a float32 matmul that does nothing but the same sums.

  spikebnn bench net.sbnn --data test.npz --limit 2000

Every number is the best of three rounds; preparing the program is shown apart. Threads are what OMP_NUM_THREADS says.
"""

from __future__ import annotations

import argparse
import os

import spikebnn
from spikebnn import data
from spikebnn.cli.parser import positive
from spikebnn.cli.screen import answer, busy, table


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("program", metavar="PROGRAM", help="net.sbnn")
    parser.add_argument("--data", required=True, metavar="FILE", help=".npz with x, frames first")
    parser.add_argument(
        "--simulator", "-s", metavar="NAME", help="one name, or several with commas (default: all)"
    )
    parser.add_argument(
        "--limit", type=positive, default=4096, metavar="N", help="only the first N frames (default: 4096)"
    )


def execute(chosen: argparse.Namespace) -> int:
    """Time, and set side by side."""
    from spikebnn.bench import MATMUL, bench

    frames = data.load(chosen.data, chosen.limit)
    program = spikebnn.load(chosen.program)
    names = () if chosen.simulator is None else tuple(chosen.simulator.split(","))
    with busy(chosen, f"timing {len(frames.x)} frames"):
        paces = bench(program, frames.x, names)
    base = next(pace for pace in paces if pace.name == MATMUL)
    facts = {
        "program": chosen.program,
        "target": program.target,
        "cores": len(program.cores),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "paces": [
            {
                "name": pace.name,
                "version": pace.version,
                "frames": pace.frames,
                "seconds": pace.seconds,
                "load_seconds": pace.load,
                "frames_per_second": pace.frames_per_second,
                "times_the_matmul": pace.frames_per_second / base.frames_per_second,
            }
            for pace in paces
        ],
    }
    rows = [
        (
            pace.name,
            pace.version,
            pace.frames,
            f"{pace.frames_per_second:,.0f}",
            f"{1e6 * pace.seconds / pace.frames:,.1f}",
            f"{pace.frames_per_second / base.frames_per_second:.3g}x",
            f"{pace.load:.3f}",
        )
        for pace in paces
    ]
    head = ["way", "version", "frames", "frames/s", "µs/frame", "matmul", "to load, s"]
    answer(
        chosen,
        f"{program.target}, {len(program.cores)} cores, threads: {facts['threads']}\n\n{table(head, rows)}",
        facts,
    )
    return 0
