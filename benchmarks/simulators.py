"""Frames per second of every simulator on one program, dense 784-1024-1024-10, as ratios to the reference of the same run.

    python benchmarks/simulators.py [--rounds N] [--target numpy|cython] [--json]

One run of this script measures all of them; each row's ratio is the median of its rounds, against the reference of the
same round. Brian2 and the bit-packed engine are timed in CPU time, Lava, whose processes run at once, by the clock.
Brian2 and Lava are left out, and named, where they are not installed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from importlib.util import find_spec
from typing import Any

import numpy as np
from nets import by_hand as program
from nets import dense as network

from spikebnn.simulate import registry

SIZES, DENSITY, FRAMES = (784, 1024, 1024, 10), 0.5, 2048


def packed(rounds: int) -> list[dict[str, Any]]:
    """The reference and the bit-packed engine."""
    made = program(network(DENSITY, sizes=SIZES))
    bits = (np.random.default_rng(11).random((FRAMES, 1, SIZES[0])) < DENSITY).astype(np.uint8)
    sessions = {name: registry.simulator(name).load(made) for name in ("reference", "bitwise")}
    want = sessions["reference"].frames(bits).sums
    rates: dict[str, list[float]] = {name: [] for name in sessions}
    for session in sessions.values():
        session.frames(bits)
    for _ in range(rounds):
        for name, session in sessions.items():
            began = time.process_time()
            sums = session.frames(bits).sums
            rates[name].append(FRAMES / (time.process_time() - began))
            if not np.array_equal(sums, want):
                raise SystemExit(f"{name} is not exact")
    return [
        {
            "way": name,
            "frames_per_second": statistics.median(found),
            "times_the_reference": statistics.median(a / b for a, b in zip(found, rates["reference"])),
        }
        for name, found in rates.items()
    ]


def measure(rounds: int, target: str) -> tuple[list[dict[str, Any]], list[str]]:
    """All rows, and who is not here."""
    rows, missing = packed(rounds), []
    if find_spec("brian2"):
        import brian2_speed

        found = brian2_speed.measure(rounds, target=target)
        rows += [
            {**row, "times_the_reference": row.pop("ratio")} for row in found if row["way"] != "reference"
        ]
    else:
        missing.append("brian2")
    if find_spec("lava"):
        import lava_speed

        rows += [row for row in lava_speed.measure(rounds, 128) if row["way"] != "reference"]
    else:
        missing.append("lava")
    return rows, missing


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians are shown (default: 3)")
    parser.add_argument("--target", choices=("numpy", "cython"), default="numpy", help="Brian2's runtime")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    rows, missing = measure(chosen.rounds, chosen.target)
    if chosen.json:
        json.dump(
            {"network": SIZES, "density": DENSITY, "rows": rows, "missing": missing}, sys.stdout, indent=1
        )
        return
    print(f"dense {'-'.join(map(str, SIZES))}, half of the inputs on; medians of {chosen.rounds} rounds\n")
    print(f"{'way':36}{'frames/s':>12}{'x reference':>14}")
    for row in rows:
        print(f"{row['way']:36}{row['frames_per_second']:12,.0f}{row['times_the_reference']:14.3g}")
    for name in missing:
        print(f"{name} is not installed here, and was not measured")


if __name__ == "__main__":
    main()
