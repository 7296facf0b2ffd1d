"""The literature's own benchmark of a whole chip: every neuron to a random axon, about 20 Hz, half of the synapses set.

Merolla et al. 2014 (Science 345, supplement) and Cassidy et al. 2014 (SC14) measure TrueNorth on recurrent networks of
this kind: 4,096 cores of 256 axons and 256 neurons, delays of 1 to 15 ticks, 20 Hz and 128 active synapses per neuron.
Theirs draws spikes at random; here leak and noise from the network itself drive them, so that a run is repeatable.
"""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import door
from spikebnn.errors import InputError
from spikebnn.program import AUXILIARY, SATURATE, ZERO, Core, Plane, Program, ProgramLayer
from spikebnn.threshold import Encoder, plain_readout

SIDE = 256  # axons and neurons of a core
TYPES = 4


def recurrent(cores: int = 4096, seed: int = 0) -> Program:
    """A chip of so many cores, full: four axon types, each neuron its own weight of 1 or 2 for each, two of them negative.

    Neurons leak upwards by 1, fire at 40 to 62, go back to 0, and do not fall below -255. Neuron and axon are matched
    at random over the whole chip, with delays of 1 to 15 ticks. One line is there and enters nowhere but at axon 0.
    """
    if cores < 1:
        raise InputError(f"a chip has at least one core, not {cores}")
    rng = np.random.default_rng(seed)
    count = cores * SIDE
    goal = rng.permutation(count)
    number = np.arange(count)
    routes = np.stack(
        [number // SIDE, number % SIDE, goal // SIDE, goal % SIDE, rng.integers(1, 16, count)], axis=1
    ).astype(np.int32)
    none, one = np.zeros(SIDE, np.int32), np.ones(SIDE, np.int32)
    made = []
    for place in range(cores):
        width = SIDE // TYPES
        planes = tuple(
            Plane(
                start=kind * width,
                stop=(kind + 1) * width,
                scale=door((-1) ** kind * rng.integers(1, 3, SIDE), np.int32, SIDE),
                bits=door(rng.integers(0, 256, (SIDE, width // 8)), np.uint8, SIDE, width // 8),
            )
            for kind in range(TYPES)
        )
        made.append(
            Core(
                chip=place // 4096,
                x=place % 64,
                y=place % 4096 // 64,
                axons=SIDE,
                planes=planes,
                threshold=door(rng.integers(40, 63, SIDE), np.int32, SIDE),
                leak=door(one, np.int32, SIDE),
                reset=door(none + ZERO, np.uint8, SIDE),
                floor=door(none - 255, np.int32, SIDE),
                floor_mode=door(none + SATURATE, np.uint8, SIDE),
                start=door(none, np.int32, SIDE),
                layer=door(none, np.int32, SIDE),
                unit=door(none + AUXILIARY, np.int32, SIDE),
            )
        )
    return Program(
        cores=tuple(made),
        routes=door(routes, np.int32, None, 5),
        lines=door(np.array([[0, 0, 0, 0]]), np.int32, None, 4),
        inputs=1,
        controls=door(np.zeros((0, 2)), np.int32, None, 2),
        period=1,
        latency=1,
        readout="spikes",
        outputs=door(np.zeros((1, 3)), np.int32, None, 3),
        base=door(np.zeros(1), np.int32, 1),
        encoder=Encoder(kind="values", shape=(1,), dtype="uint8"),
        decoder=plain_readout(1),
        layers=(ProgramLayer(name="chip", role="whole", neurons=count),),
        target="recurrent",
    )
