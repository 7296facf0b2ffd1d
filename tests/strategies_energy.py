"""Small hand-made programs and counts for the tests of energy, score, report and compare."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from spikebnn.network import Network, Node, Ref
from spikebnn.program import MEMORYLESS, NO_FLOOR, Core, Plane, Program, ProgramLayer
from spikebnn.run import Counts, Run
from spikebnn.targets import load_target
from spikebnn.threshold import Encoder, Readout, Synapses


def core(
    chip: int = 0, x: int = 0, y: int = 0, neurons: int = 2, axons: int = 4, layer: int = 0, leak: int = 0
) -> Core:
    bits = np.packbits(np.ones((neurons, axons), bool), axis=-1, bitorder="little")
    zeros = np.zeros(neurons, np.int32)
    return Core(
        chip=chip, x=x, y=y, axons=axons,
        planes=(Plane(start=0, stop=axons, scale=zeros + 1, bits=bits),),
        threshold=zeros + 1, leak=zeros + leak, reset=np.full(neurons, MEMORYLESS, np.uint8),
        floor=np.full(neurons, NO_FLOOR, np.int32), floor_mode=np.zeros(neurons, np.uint8), start=zeros,
        layer=zeros + layer, unit=np.arange(neurons, dtype=np.int32),
    )  # fmt: skip


def encoder_of(kind: str) -> Encoder:
    """An encoder: "values", "stem" (a weighted layer on the host) or "host" (comparisons with constants)."""
    if kind == "values":
        return Encoder(kind=kind, shape=(4,), dtype="float32")
    op = "aten.linear.default" if kind == "stem" else "aten.ge.Tensor"
    node = Node(op=op, args=(Ref("x"), Ref("w")), outs=("y",), where="input")
    graph = Network(nodes=(node,), tensors={"w": np.ones(4, np.float32)}, inputs=("x",), outputs=("y",), shapes={})
    return Encoder(kind="host", shape=(4,), dtype="float32", graph=graph)


def program(
    cores: tuple[Core, ...],
    routes: list[tuple[int, int, int, int, int]] | None = None,
    target: str = "tiny-test",
    period: int = 1,
    layers: tuple[ProgramLayer, ...] = (ProgramLayer(name="fc1", role="whole", neurons=2),),
    encoder_kind: str = "values",
) -> Program:
    none = np.zeros((0, 1), np.int32)
    synapses = Synapses(
        weight=none.astype(np.int16), taps=none, row=np.zeros(0, np.int32), patch=np.zeros(0, np.int32)
    )
    readout = Readout(
        name="out", synapses=synapses, alpha=np.ones(2, np.float32), unit=1.0, offset=np.zeros(2), bias=None,
        shape=(2,), tail=None, witness="out", tolerance=0.0,
    )  # fmt: skip
    return Program(
        cores=cores, routes=np.array(routes or [], np.int32).reshape(-1, 5), lines=np.zeros((0, 4), np.int32), inputs=4,
        controls=np.zeros((0, 2), np.int32), period=period, latency=2 * period, readout="spikes",
        outputs=np.zeros((0, 3), np.int32), base=np.zeros(2, np.int32),
        encoder=encoder_of(encoder_kind), decoder=readout, layers=layers, target=target,
        header={},
    )  # fmt: skip


def counts(made: Program, frames: int, seed: int = 0) -> Counts:
    """Random counts that a simulator could have returned."""
    rng = np.random.default_rng(seed)
    size = (frames, len(made.cores))
    axons = np.array([c.axons for c in made.cores])
    neurons = np.array([c.neurons for c in made.cores])
    axon_events = rng.integers(0, axons * made.period + 1, size)
    per_neuron = rng.integers(0, frames * made.period + 1, int(neurons.sum()))
    edges = np.concatenate([[0], np.cumsum(neurons)])
    spikes = np.zeros(size, np.int64)
    for c in range(len(made.cores)):
        whole = int(per_neuron[edges[c] : edges[c + 1]].sum())
        spikes[:, c] = np.bincount(rng.integers(0, frames, whole), minlength=frames) if frames else 0
    return Counts(
        spikes=spikes,
        axon_events=axon_events.astype(np.int64),
        synaptic_events=(axon_events * neurons).astype(np.int64),
        neuron_spikes=per_neuron.astype(np.int64),
    )


def run(made: Program, frames: int, seed: int = 0, classes: int = 3) -> Run:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 9, (frames, classes)).astype(np.float64)
    return Run(
        program="d" * 64, target=made.target, simulator="bitwise", version="1", frames=frames,
        sums=scores.astype(np.int64), scores=scores, classes=scores.argmax(axis=1).astype(np.int64),
        counts=counts(made, frames, seed), seconds=0.25,
    )  # fmt: skip


@st.composite
def programs(draw: st.DrawFn, target: str = "tiny-test") -> Program:
    """One to four cores on the 8 x 4 corner of one or two chips, as the target has, with random routes."""
    top = load_target(target).topology
    chips, wide, high = min(2, top.chips), min(8, top.width), min(4, top.height)
    spots = draw(
        st.lists(
            st.tuples(st.integers(0, chips - 1), st.integers(0, wide - 1), st.integers(0, high - 1)),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    cores = tuple(
        core(
            chip,
            x,
            y,
            neurons=draw(st.integers(1, 6)),
            axons=draw(st.integers(1, 9)),
            leak=draw(st.integers(-1, 1)),
        )
        for chip, x, y in spots
    )
    routes = []
    for _ in range(draw(st.integers(0, 8))):
        a, b = draw(st.integers(0, len(cores) - 1)), draw(st.integers(0, len(cores) - 1))
        routes.append(
            (a, draw(st.integers(0, cores[a].neurons - 1)), b, draw(st.integers(0, cores[b].axons - 1)), 1)
        )
    return program(cores, routes, target=target, period=draw(st.integers(1, 5)))
