"""SANA-FE on our files, as a program of its own (it is GPL): seconds of its loop, and whether it counts what we count."""

from __future__ import annotations

import subprocess
from pathlib import Path

from spikebnn import exchange
from spikebnn.arrays import Array
from spikebnn.exchange import foreign
from spikebnn.program import Program
from spikebnn.targets import load_target

TARGET = "loihi-sim-sanafe2025"
LOOP = """\
import sys, time
import sanafe
arch, net, out, steps = sys.argv[1:]
chip_file = sanafe.load_arch(arch)
chip = sanafe.SpikingChip(chip_file)
chip.load(sanafe.load_net(net, chip_file, True))
began = time.perf_counter()
chip.sim(int(steps), timing_model="simple", spike_trace=out + "/spikes.csv",
         potential_trace=out + "/potentials.csv", perf_trace=out + "/perf.csv")
print("seconds", time.perf_counter() - began)
"""


def seconds_a_frame(program: Program, x: Array, folder: Path, python: str | None = None) -> tuple[float, str]:
    """Its wall seconds a frame on a program mapped for `TARGET`, and its version; SystemExit where it counts otherwise.

    Raises SimulatorMissing where no interpreter with SANA-FE is named.
    """
    chosen = foreign.needed(foreign.interpreter(python))
    told, target = foreign.version(chosen), load_target(TARGET)
    trace = exchange.write_files(program, target, x, folder)
    out = folder / "result"
    out.mkdir(exist_ok=True)
    steps = len(trace.spikes)
    words = [chosen, "-c", LOOP, str(folder / "arch.yaml"), str(folder / "net.txt"), str(out), str(steps)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds = next(float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("seconds "))
    if not exchange.read_result(program, target, trace, out, told).equal:
        raise SystemExit("SANA-FE counts other events")
    return seconds / steps, f"sanafe {told}"
