"""A mapped classifier in a Lava graph, between an Injector and sinks: utterances stream in, speakers stream out.

    python examples/lava_stream.py [--limit N] [--target NAME]

The trained net of examples/japanese_vowels becomes one Lava Process. The host injects one utterance a step and takes
the decisions as they come, for as long as there are any; nothing in the graph knows how many. At the end every
decision is compared with the bit-packed simulator's. Exit code 1 if one differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import spikebnn
from spikebnn import data
from spikebnn.lava import (
    MappedNet,
    present,
    step_of,
)  # before Lava's own modules: makes them load on Python 3.11 and later

from lava.magma.core.run_conditions import RunContinuous  # isort: skip
from lava.magma.core.run_configs import Loihi2SimCfg  # isort: skip
from lava.proc.io.extractor import Extractor  # isort: skip
from lava.proc.io.injector import Injector  # isort: skip

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Stream, and say who spoke."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=370, help="utterances (default: all 370)")
    parser.add_argument("--target", default="loihi-sim", help="chip to map for (default: loihi-sim)")
    chosen = parser.parse_args()
    if chosen.limit < 1:
        parser.error("--limit is a number of utterances, 1 or more")
    frames = data.load(HERE / "japanese_vowels" / "test.npz")
    x, y = frames.x[: chosen.limit], frames.y[: chosen.limit]
    program = spikebnn.map(HERE / "japanese_vowels" / "net.pt", chosen.target)

    net = MappedNet(program)
    sensor = Injector(shape=net.s_in.shape)
    answers = Extractor(shape=net.class_out.shape)
    sensor.out_port.connect(net.s_in)
    net.class_out.connect(answers.in_port)

    spikes = present(program, x).T  # (steps, inputs); a sensor's driver would make them one by one
    decisions = []
    began = time.perf_counter()
    net.run(condition=RunContinuous(), run_cfg=Loihi2SimCfg())
    try:
        for step, now in enumerate(spikes):
            sensor.send(now)
            told = answers.receive()
            if len(decisions) < len(x) and step == step_of(program, len(decisions)):
                decisions.append(int(told[0]))
                if len(decisions) % 50 == 0:
                    right = (np.array(decisions) == y[: len(decisions)]).mean()
                    print(
                        f"{len(decisions):4} utterances, the last by speaker {decisions[-1]}; {right:.1%} right"
                    )
    finally:
        net.stop()
    seconds = time.perf_counter() - began

    want = spikebnn.run(program, x).classes
    differing = int((np.array(decisions) != want).sum())
    right = (np.array(decisions) == y).mean()
    print(
        f"{len(decisions)} utterances in {seconds:.1f} s, {right:.2%} right; {differing} differ from the bit-packed ones"
    )
    return 1 if differing or len(decisions) != len(x) else 0


if __name__ == "__main__":
    sys.exit(main())
