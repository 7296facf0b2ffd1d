"""Time the simulators on one program, against a float32 matmul that does nothing but the same sums; or a whole chip.

  spikebnn bench net.sbnn --data test.npz --limit 2000
  spikebnn bench --chip 4096 --ticks 1000 --threads 2        the literature's own benchmark net, generated
  spikebnn bench --chip 64 -o chip.sbnn                      and kept, for every simulator
  spikebnn bench chip.sbnn --ticks 1000                      any program by itself, without input, tick by tick

Every speed is the best of three rounds; preparing the program is shown apart. On frames the threads are what
OMP_NUM_THREADS says. The chip of --chip is recurrent: every neuron to one random axon, delays of 1 to 15 ticks, about
20 Hz, 128 active synapses a neuron, four axon types with weights of their own in each neuron (Merolla et al. 2014,
Cassidy et al. 2014). It gets no input, and runs by its leaks alone.
"""

from __future__ import annotations

import argparse
import os

import spikebnn
from spikebnn import data
from spikebnn.cli.parser import positive
from spikebnn.cli.screen import answer, busy, table
from spikebnn.errors import InputError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("program", metavar="PROGRAM", nargs="?", help="net.sbnn")
    parser.add_argument("--data", metavar="FILE", help=".npz with x, frames first")
    parser.add_argument(
        "--simulator", "-s", metavar="NAME", help="one name, or several with commas (default: all)"
    )
    parser.add_argument(
        "--limit", type=positive, default=4096, metavar="N", help="only the first N frames (default: 4096)"
    )
    group = parser.add_argument_group("tick by tick, without input")
    group.add_argument(
        "--chip", type=positive, metavar="CORES", help="make the recurrent benchmark net of so many cores"
    )
    group.add_argument(
        "--ticks", type=positive, metavar="N", help="ticks of a round (default with --chip: 1000)"
    )
    group.add_argument(
        "--threads", type=positive, metavar="N", help="threads that share the cores (default: 1)"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the net of --chip (default: 0)")
    group.add_argument("-o", "--output", metavar="FILE", help="write the net of --chip there, too")


def execute(chosen: argparse.Namespace) -> int:
    """Time, and set side by side."""
    if (chosen.program is None) == (chosen.chip is None):
        raise InputError("bench takes a program, net.sbnn, or --chip CORES; give one of them")
    if chosen.chip or chosen.ticks:
        return _chip(chosen)
    if chosen.data is None:
        raise InputError(
            "bench times a program on frames with --data FILE, or by itself with --ticks N; give one of them"
        )
    if chosen.threads:
        raise InputError(
            "--threads is for --chip and --ticks; on frames OMP_NUM_THREADS says how many there are"
        )
    return _frames(chosen)


def _chip(chosen: argparse.Namespace) -> int:
    """One stream of a program, tick by tick."""
    from spikebnn.bench import chip_pace

    if chosen.output and not chosen.chip:
        raise InputError(f"-o keeps the net that --chip makes, and {chosen.program} is a file already")
    if chosen.data:
        raise InputError("--data is for frames; --chip and --ticks run without input: leave one of them out")
    if chosen.seed < 0:
        raise InputError(f"--seed is a whole number from 0 up, not {chosen.seed}")
    ticks = chosen.ticks or 1000
    with busy(chosen, "making the net" if chosen.chip else "reading the program"):
        program = (
            spikebnn.recurrent(chosen.chip, chosen.seed) if chosen.chip else spikebnn.load(chosen.program)
        )
        if chosen.output:
            program.save(chosen.output)
    with busy(chosen, f"timing {ticks} ticks of {len(program.cores)} cores"):
        pace = chip_pace(program, ticks, chosen.threads or 1)
    facts = {
        "program": chosen.output or chosen.program,
        "cores": pace.cores,
        "neurons": pace.neurons,
        "threads": pace.threads,
        "ticks": pace.ticks,
        "seconds": pace.seconds,
        "load_seconds": pace.load,
        "ticks_per_second": pace.ticks_per_second,
        "times_real_time": pace.times_real_time,
        "rate": pace.rate,
        "spikes": pace.spikes,
        "axon_events": pace.axon_events,
        "synaptic_events": pace.synaptic_events,
        "peak_bytes": pace.peak_bytes,
    }
    speed = pace.ticks_per_second
    rows = [
        ("ticks/s", f"{speed:,.0f}", f"{pace.times_real_time:.3g} times real time at 1 ms a tick"),
        ("spikes/s", f"{pace.spikes * speed:.3g}", f"{pace.spikes:,.0f} a tick, {pace.rate:.1f} Hz a neuron"),
        ("synaptic events/s", f"{pace.synaptic_events * speed:.3g}", f"{pace.synaptic_events:,.0f} a tick"),
        ("memory", f"{pace.peak_bytes / 2**20:,.0f} MiB", "the most that this process had"),
        ("to load", f"{pace.load:.2f} s", "lowering, compiling, the first 100 ticks"),
    ]
    head = f"{pace.cores:,} cores, {pace.neurons:,} neurons, threads: {pace.threads}, {ticks:,} ticks"
    told = f"{chosen.output}\n" if chosen.output else ""
    answer(chosen, f"{told}{head}\n\n{table(rows[0], rows[1:])}", facts)
    return 0


def _frames(chosen: argparse.Namespace) -> int:
    """Frames through every simulator."""
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
