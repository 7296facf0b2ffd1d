"""What the worker does: build the Lava graph source -> MappedNet -> sinks from a job's files, and run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from spikebnn.sbnn import load
from spikebnn.simulate.wiring import line_count

# files of a job's folder
PROGRAM, DRIVE, WATCH, OPTIONS = "program.sbnn", "drive.npy", "watch.npy", "options.json"
SPIKES, MEMBRANES, PROGRESS = "spikes.npy", "membranes.npy", "progress"
SLOTS = 2  # messages that a channel holds: Lava's own 64 would take 64 times a batch of frames


def ticks(folder: str) -> dict[str, Any]:
    """Run the drive (ticks, streams, packed lines) through the program; spikes and membranes go into files."""
    from spikebnn.lava.shim import require

    require()
    from lava.magma.core.run_configs import Loihi2SimCfg

    from spikebnn.lava.guard import run_steps
    from spikebnn.lava.processes.files import BitsFrom, RowsTo
    from spikebnn.lava.processes.net import MappedNet

    place = Path(folder)
    program = load(place / PROGRAM)
    options = json.loads((place / OPTIONS).read_text("utf-8"))
    whole = options["model"] == "whole"
    drive, watch = np.load(place / DRIVE, mmap_mode="r"), np.load(place / WATCH)
    count, streams = drive.shape[:2]
    net = MappedNet(program, streams, watch=watch, controls="outside")
    source = BitsFrom(path=str(place / DRIVE), batch=streams, many=line_count(program), shape=net.s_in.shape)
    source.s_out.connect(net.s_in)
    sinks: list[Any] = []
    neurons = program.first[-1]
    for port, name, shape, kind in (
        (net.all_out if whole else net.s_out, SPIKES, (count, streams, -(-neurons // 8)), np.uint8),
        (net.v_out, MEMBRANES, (count, streams, len(watch)), np.int64),
    ):
        np.lib.format.open_memmap(place / name, mode="w+", dtype=kind, shape=shape).flush()  # type: ignore[no-untyped-call]
        if shape[2]:
            sinks.append(
                RowsTo(
                    path=str(place / name), shape=port.shape, progress="" if sinks else str(place / PROGRESS)
                )
            )
            port.connect(sinks[-1].a_in)
    run_steps(
        net,
        count + 1,
        Loihi2SimCfg(select_tag=options["tag"], select_sub_proc_model=not whole),
        compile_config={"pypy_channel_size": SLOTS},
    )
    net.stop()
    return {}
