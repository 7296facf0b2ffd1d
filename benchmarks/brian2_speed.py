"""How fast a dense 784-1024-1024-10 runs in Brian2: one stream in a `MappedNet`, and many side by side in the simulator.

    python benchmarks/brian2_speed.py [--target numpy|cython] [--streams N] [--rounds N] [--json]

A frame a tick. All ways take their turn in every round; making the objects and compiling code are left out;
time is this process's CPU time. The median of the rounds is shown, with the ratio to the reference of the
same round. Every way's sums are compared with the reference's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

import numpy as np
from nets import by_hand as program
from nets import dense as network

from spikebnn.arrays import Array
from spikebnn.brian2 import MappedNet
from spikebnn.brian2.simulator import Brian2
from spikebnn.program import Program
from spikebnn.simulate.layout import watched
from spikebnn.simulate.protocol import Session
from spikebnn.simulate.reference import Reference

SIZES = (784, 1024, 1024, 10)
DENSITY = 0.5
LAST = len(SIZES) - 2  # ticks from a frame to its sums


def side_by_side(session: Session, made: Program, bits: Array, streams: int) -> tuple[float, Array]:
    """CPU seconds of one call of a simulator, and the sums (frames, sums); each stream has its share of the frames."""
    frames = bits.reshape(streams, -1, made.inputs)
    drive = np.concatenate([frames, np.zeros((streams, LAST, made.inputs), np.uint8)], axis=1)
    began = time.process_time()
    trace = session.ticks(drive, watched(made))
    seconds = time.process_time() - began
    return seconds * frames.shape[1] / drive.shape[1], trace.membranes[:, LAST:].reshape(len(bits), -1)


def measure(
    rounds: int = 3, streams: int = 24, ticks: int = 300, target: str = "numpy"
) -> list[dict[str, Any]]:
    """Rows of the table; `ticks` is how many frames follow each other in a stream."""
    import brian2 as b2

    old = b2.prefs.codegen.target
    b2.prefs.codegen.target = target
    try:
        return _measure(rounds, streams, ticks, target)
    finally:
        b2.prefs.codegen.target = old


def _measure(rounds: int, streams: int, ticks: int, target: str) -> list[dict[str, Any]]:
    import brian2 as b2

    made = program(network(DENSITY, sizes=SIZES))
    bits = (np.random.default_rng(11).random((streams * ticks, SIZES[0])) < DENSITY).astype(np.uint8)
    reference, simulator = Reference().load(made), Brian2().load(made)
    _, want = side_by_side(reference, made, bits, streams)
    side_by_side(simulator, made, bits, streams)  # makes its objects, compiles
    one = MappedNet(made, name="one", record=True)
    alone = b2.Network(one)
    alone.run(1 * b2.ms)
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in (
            "reference",
            f"brian2 on {target}, one stream",
            f"brian2 on {target}, {streams} streams",
        ):
            if "one stream" in name:
                one.present(bits[:ticks])
                began = time.process_time()
                alone.run(one.duration(ticks))
                seconds, sums, frames = time.process_time() - began, one.sums(), ticks
            else:
                session = reference if name == "reference" else simulator
                seconds, sums = side_by_side(session, made, bits, streams)
                frames = len(bits)
            if not np.array_equal(sums, want[: len(sums)]):
                raise SystemExit(f"{name} is not exact")
            rates.setdefault(name, []).append(frames / seconds)
    base = rates["reference"]
    return [
        {
            "way": name,
            "frames_per_second": statistics.median(found),
            "ratio": statistics.median(a / b for a, b in zip(found, base)),
        }
        for name, found in rates.items()
    ]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", choices=("numpy", "cython"), default="numpy")
    parser.add_argument("--streams", type=int, default=24)
    parser.add_argument("--ticks", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    rows = measure(chosen.rounds, chosen.streams, chosen.ticks, chosen.target)
    if chosen.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(
            f"{row['way']:<34} {row['frames_per_second']:>10,.0f} frames/s  {row['ratio']:>8.2f} x reference"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
