"""How fast a dense 784-1024-1024-10 runs in Lava: Lava's own processes, one MappedNet, and 128 copies of it side by side.

    python benchmarks/lava_speed.py [--rounds N] [--batch N] [--json]

All ways take their turn in every round, source and sink included, starting and compiling of a graph left out; wall
time, as Lava's processes run at once. The median of the rounds is shown, with the ratio to the reference of the same
round. Every way's sums are compared with the reference's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from nets import by_hand as program
from nets import dense as network

from spikebnn.arrays import Array
from spikebnn.lava import MappedNet, SubMappedNetModel, run_steps, step_of
from spikebnn.program import Program
from spikebnn.simulate.reference import ReferenceSession

SIZES = (784, 1024, 1024, 10)
DENSITY = 0.5


def in_lava(made: Program, bits: Array, batch: int, own: bool) -> tuple[float, Array]:
    """Seconds of a graph's run, one frame and copy in each step, and the sums (frames, sums); `own` are Lava's processes."""
    from lava.magma.core.run_configs import Loihi2SimCfg

    from spikebnn.lava.processes.files import BitsFrom, RowsTo

    steps = len(bits) // batch
    drive = bits[:, 0].reshape(steps, batch, -1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        np.save(place / "drive.npy", np.packbits(drive, axis=-1, bitorder="little"))
        shape = (steps + step_of(made, 0), batch, len(made.base))
        np.lib.format.open_memmap(place / "sums.npy", mode="w+", dtype=np.int64, shape=shape).flush()
        net = MappedNet(made, batch)
        source = BitsFrom(path=str(place / "drive.npy"), batch=batch, many=made.inputs, shape=net.s_in.shape)
        sink = RowsTo(path=str(place / "sums.npy"), shape=net.sums_out.shape)
        source.s_out.connect(net.s_in)
        net.sums_out.connect(sink.a_in)
        models = {MappedNet: SubMappedNetModel} if own else {}
        config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
        net.create_runtime(run_cfg=config)
        began = time.perf_counter()
        run_steps(net, steps + step_of(made, 0), config)
        seconds = time.perf_counter() - began
        net.stop()
        sums = np.load(place / "sums.npy")[step_of(made, 0) - 1 :][:steps]
    return seconds, sums.reshape(len(bits), -1)


def measure(rounds: int, batch: int) -> list[dict[str, Any]]:
    """Rows of the table."""
    made = program(network(DENSITY, sizes=SIZES))
    session = ReferenceSession(made)
    many = {"reference": batch, "lava, Dense and LIFReset": 200, "lava, one process": 1000}
    many[f"lava, one process, {batch} copies"] = 200 * batch
    bits = (np.random.default_rng(11).random((max(many.values()), 1, SIZES[0])) < DENSITY).astype(np.uint8)
    want = session.frames(bits[: max(batch, 1000)]).sums
    rates: dict[str, list[float]] = {name: [] for name in many}
    for _ in range(rounds):
        for name, frames in many.items():
            if name == "reference":
                began = time.perf_counter()
                sums = session.frames(bits[:frames]).sums
                seconds = time.perf_counter() - began
            else:
                copies = batch if "copies" in name else 1
                seconds, sums = in_lava(made, bits[:frames], copies, own="LIFReset" in name)
            if not np.array_equal(sums[: len(want)], want[: len(sums)]):
                raise SystemExit(f"{name} gives other sums than the reference")
            rates[name].append(frames / seconds)
    return [
        {
            "way": name,
            "frames": many[name],
            "frames_per_second": statistics.median(own),
            "times_the_reference": statistics.median(r / b for r, b in zip(own, rates["reference"])),
            "times_lavas_own": statistics.median(
                r / b for r, b in zip(own, rates["lava, Dense and LIFReset"])
            ),
        }
        for name, own in rates.items()
    ]


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds; medians are shown (default: 5)")
    parser.add_argument("--batch", type=int, default=128, help="copies side by side (default: 128)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    rows = measure(chosen.rounds, chosen.batch)
    if chosen.json:
        json.dump(rows, sys.stdout, indent=1)
        print()
        return
    print(f"dense {'-'.join(map(str, SIZES))}, half of all inputs on; frames per second")
    print(f"{'way':36} {'frames/s':>10} {'x reference':>12} {'x Lava own':>11}")
    for row in rows:
        print(
            f"{row['way']:36} {row['frames_per_second']:10,.0f} {row['times_the_reference']:12.2f} "
            f"{row['times_lavas_own']:11.1f}"
        )


if __name__ == "__main__":
    main()
