"""Dense layers in plain Lava, of Lava's own Dense and LIF processes in floats, which are exact here and its quickest."""

from __future__ import annotations

import time
from importlib.metadata import version

import numpy as np
from nets import Layers
from rounds import Spent, Way

from spikebnn.arrays import Array


def lava(layers: Layers, x: Array) -> Way:
    """A frame a step; each turn starts a graph of its own, and only its run is timed, by the clock on the wall."""
    from spikebnn.lava import run_steps  # makes Lava load on Python 3.11 and later, and ends runs that hang
    from spikebnn.lava.shim import require

    require()
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.dense.process import Dense
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source
    from lava.proc.lif.process import LIF

    frames, lag = len(x), len(layers)  # a Dense sends what it has summed one step later
    steps = frames + lag
    data = np.zeros((x.shape[1], steps), np.int32)
    data[:, :frames] = x.T

    def turn() -> tuple[Spent, Array]:
        source = Source(data=data)
        port = source.s_out
        for k, (weight, threshold) in enumerate(layers):
            sums = Dense(weights=weight.astype(np.float64))
            port.connect(sums.s_in)
            if k < len(layers) - 1:  # u and v forget at once, and the threshold stands in the bias: `>` there
                fires = LIF(shape=(len(weight),), du=1.0, dv=1.0, vth=0.0, bias_mant=0.5 - threshold)
                sums.a_out.connect(fires.a_in)
                port = fires.s_out
        sink = Sink(shape=sums.a_out.shape, buffer=steps)
        sums.a_out.connect(sink.a_in)
        how = Loihi2SimCfg(select_tag="floating_pt")
        source.create_runtime(run_cfg=how)
        try:
            began = time.perf_counter()
            run_steps(source, steps, how)
            seconds = (time.perf_counter() - began) * frames / steps
            found = sink.data.get()[:, lag:].T
        finally:
            source.stop()
        return Spent(cpu=seconds, wall=seconds), np.rint(found)

    package = f"lava-nc {version('lava-nc')}"
    return Way(
        name="Lava Dense and LIF", frames=frames, turn=turn, clock="wall", package=package, quick=False
    )
