"""Random programs for property tests: any mix of cores, planes, modes, delays, recurrence, controls and windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from numpy.random import Generator

from spikebnn.arrays import Array, door, pack_bits
from spikebnn.program import AUXILIARY, GRADED, MEMORYLESS, NO_FLOOR, Core, Plane, Program, ProgramLayer
from spikebnn.threshold import Encoder, plain_readout


def make_core(
    axons: int,
    planes: list[tuple[int, int, Array, Array]],
    threshold: Array,
    leak: Array,
    reset: Array,
    floor: Array,
    floor_mode: Array,
    start: Array,
    place: int = 0,
) -> Core:
    """A core from planes (start, stop, scale, bits as 0/1 (neurons, axons))."""
    count = len(threshold)
    return Core(
        chip=0,
        x=place,
        y=0,
        axons=axons,
        planes=tuple(
            Plane(
                start=a,
                stop=b,
                scale=door(scale, np.int32, count),
                bits=door(pack_bits(np.asarray(bits).reshape(count, b - a)), np.uint8, count, None),
            )
            for a, b, scale, bits in planes
        ),
        threshold=door(threshold, np.int32, count),
        leak=door(leak, np.int32, count),
        reset=door(reset, np.uint8, count),
        floor=door(floor, np.int32, count),
        floor_mode=door(floor_mode, np.uint8, count),
        start=door(start, np.int32, count),
        layer=door(np.zeros(count, np.int32), np.int32, count),
        unit=door(np.full(count, AUXILIARY, np.int32), np.int32, count),
    )


def make_program(
    cores: list[Core],
    routes: Array | Sequence[tuple[int, ...]],
    lines: Array | Sequence[tuple[int, ...]],
    inputs: int,
    controls: Array | Sequence[tuple[int, ...]] = (),
    period: int = 1,
    readout: str = "spikes",
    outputs: Array | Sequence[tuple[int, ...]] = (),
    base: Array | Sequence[int] = (),
    ticks: int = 1,
) -> Program:
    """A program around cores, with an encoder of 0/1 values."""
    latest = max((int(core.start.max(initial=0)) for core in cores), default=0)
    sums = np.asarray(base, np.int32)

    def rows(given: Array | Sequence[tuple[int, ...]], width: int) -> Array:
        return door(np.asarray(given, np.int32).reshape(-1, width), np.int32, None, width)

    return Program(
        cores=tuple(cores),
        routes=rows(routes, 5),
        lines=rows(lines, 4),
        inputs=inputs,
        controls=rows(controls, 2),
        period=period,
        latency=latest + period,
        readout=readout,
        outputs=rows(outputs, 3),
        base=door(sums, np.int32, None),
        encoder=Encoder(
            kind="burst" if ticks > 1 else "values",
            shape=(inputs,),
            dtype="uint8",
            low=0,
            high=1,
            ticks=ticks,
        ),
        decoder=plain_readout(len(sums)),
        layers=(ProgramLayer(name="all", role="whole", neurons=sum(core.neurons for core in cores)),),
        target="test",
        header={"made": "by a test"},
    )


@st.composite
def program_any(draw: st.DrawFn, max_cores: int = 4, max_size: int = 12, numbers: bool = True) -> Program:
    """Any legal program: recurrent routes, all resets and floors, multi-source axons, mixed starts, numbers on spikes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, max_cores))
    kind = draw(st.sampled_from(["mixed", "memoryless", "stateful"]))
    largest = draw(st.sampled_from([1, 2, 7, 300]))
    delays = draw(st.sampled_from([1, 2, 15]))
    cores = [
        _core(rng, draw(st.integers(1, max_size)), draw(st.integers(1, max_size)), kind, largest, k)
        for k in range(count)
    ]
    inputs = draw(st.integers(1, 8))
    controls = draw(st.integers(0, 2))
    period = draw(st.integers(1, 5))
    sizes = np.array([core.neurons for core in cores])
    axons = np.array([core.axons for core in cores])
    many = int(rng.integers(0, 2 * axons.sum() + 1))
    source, goal = rng.integers(0, count, many), rng.integers(0, count, many)
    routes = np.stack(
        [
            source,
            rng.integers(0, sizes[source]),
            goal,
            rng.integers(0, axons[goal]),
            rng.integers(1, delays + 1, many),
        ],
        axis=1,
    )
    fed = int(rng.integers(1, axons.sum() + 1))
    goal = rng.integers(0, count, fed)
    lines = np.stack(
        [
            rng.integers(0, inputs + controls, fed),
            goal,
            rng.integers(0, axons[goal]),
            rng.integers(0, delays + 1, fed),
        ],
        axis=1,
    )
    if numbers and draw(st.booleans()):
        cores, routes, lines = _numbered(rng, cores, routes, lines)
    pulses = [
        (inputs + k, int(rng.integers(0, period)))
        for k in range(controls)
        for _ in range(int(rng.integers(1, 3)))
    ]
    reads, sums = int(rng.integers(0, 7)), int(rng.integers(1, 4))
    core = rng.integers(0, count, reads)
    outputs = np.stack([rng.integers(0, sums, reads), core, rng.integers(0, sizes[core])], axis=1)
    return make_program(
        cores,
        routes,
        lines,
        inputs,
        pulses,
        period,
        draw(st.sampled_from(["spikes", "membrane"])),
        outputs,
        rng.integers(-5, 6, sums),
        ticks=draw(st.integers(1, period)),
    )


def _numbered(rng: Generator, cores: list[Core], routes: Array, lines: Array) -> tuple[list[Core], Array, Array]:
    """Some neurons of the first two cores send numbers, to later cores only, on axons that hear nothing else."""
    cores, some = list(cores), [np.zeros(core.neurons, bool) for core in cores]
    for k, core in enumerate(cores[:2]):
        some[k] = rng.random(core.neurons) < 0.6
        reset = np.where(some[k], GRADED, core.reset)
        threshold = np.where(some[k], np.maximum(core.threshold, 1), core.threshold)
        cores[k] = replace(
            core, reset=door(reset, np.uint8, core.neurons), threshold=door(threshold, np.int32, core.neurons)
        )
    graded = np.array([some[core][neuron] for core, neuron in routes[:, :2].tolist()], bool)
    kept = ~graded | (routes[:, 2] > routes[:, 0])
    routes, graded = routes[kept], graded[kept]
    taken: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(graded).tolist():
        taken.setdefault((int(routes[row, 2]), int(routes[row, 3])), row)
    kept = np.array([taken.get((c, a), k) == k for k, (c, a) in enumerate(routes[:, 2:4].tolist())], bool)
    free = np.array([(c, a) not in taken for c, a in lines[:, 1:3].tolist()], bool)
    return cores, routes[kept], lines[free]


@st.composite
def program_layered(draw: st.DrawFn, max_size: int = 40, numbers: bool = True) -> Program:
    """A feed-forward memoryless program of period 1, several layers to a core, as mapped networks are."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depth, inputs = draw(st.integers(1, 3)), draw(st.integers(1, max_size))
    per_core = draw(st.sampled_from([4, 9, max_size]))
    lag = draw(st.integers(0, 2))
    bias = draw(st.booleans())
    shared = draw(st.sampled_from([0.0, 0.0, 0.4]))  # how many axons hear a second source
    style = draw(st.sampled_from(["dense", "sparse", "wide"]))
    counting = -1 if shared or not numbers else draw(st.integers(-2, depth - 1))  # the layer whose spikes carry numbers
    spans = (
        [per_core] * depth if draw(st.booleans()) else [int(rng.integers(1, max_size)) for _ in range(depth)]
    )
    previous: list[tuple[int, int]] = []  # (core, neuron) of the layer below; lines below the first
    cores: list[Core] = []
    routes, lines, start = [], [], lag
    for depth_now, neurons in enumerate(spans):
        made: list[tuple[int, int]] = []
        sources = inputs if depth_now == 0 else len(previous)
        delay = int(rng.integers(1, 3))
        start += 0 if depth_now == 0 else delay
        for first in range(0, neurons, per_core):
            size, place = min(per_core, neurons - first), len(cores)
            extra = int(bias)
            axons = sources + extra
            plus = rng.random((size, sources)) < 0.5
            minus = ~plus
            if style != "dense":
                keep = rng.random((1 if rng.random() < 0.5 else size, sources)) < 0.4
                plus, minus = plus & keep, minus & keep
            scale = rng.integers(1, 5, size) if style == "wide" else np.ones(size, np.int64)
            planes = [(0, sources, scale, plus), (0, sources, -scale, minus)]
            if bias:
                planes.append((sources, axons, rng.integers(-3, 4, size), np.ones((size, 1), bool)))
            cores.append(
                make_core(
                    axons,
                    planes,
                    rng.integers(1 if depth_now == counting else -2, 4, size),
                    rng.integers(-2, 3, size),
                    np.full(size, GRADED if depth_now == counting else MEMORYLESS, np.uint8),
                    np.full(size, NO_FLOOR),
                    np.zeros(size, np.uint8),
                    np.full(size, start),
                    place,
                )
            )
            for axon in range(sources):
                heard = {axon}
                if rng.random() < shared:
                    heard.add(int(rng.integers(0, sources)))
                for source in sorted(heard):
                    if depth_now == 0:
                        lines.append((source, place, axon, lag))
                    else:
                        routes.append((*previous[source], place, axon, delay))
            if bias:
                lines.append((inputs, place, sources, 0))
            made += [(place, k) for k in range(size)]
        previous = made
    outputs = [(k % 3, *previous[k]) for k in range(min(len(previous), 6))]
    return make_program(
        cores,
        routes,
        lines,
        inputs,
        [(inputs, 0)] if bias else [],
        1,
        draw(st.sampled_from(["spikes", "membrane"])),
        outputs,
        [0, 5, -1],
    )


def _core(rng: Generator, axons: int, neurons: int, kind: str, largest: int, place: int) -> Core:
    planes = []
    for _ in range(int(rng.integers(0, 4))):
        start, stop = sorted(rng.integers(0, axons + 1, 2).tolist())
        density = rng.choice([0.1, 0.5, 1.0])
        planes.append(
            (
                start,
                stop,
                rng.integers(-largest, largest + 1, neurons),
                rng.random((neurons, stop - start)) < density,
            )
        )
    reset = {
        "mixed": rng.integers(0, 4, neurons),
        "memoryless": np.zeros(neurons),
        "stateful": rng.integers(1, 4, neurons),
    }[kind]
    floor = np.where(rng.random(neurons) < 0.5, NO_FLOOR, -rng.integers(0, 3 * largest + 1, neurons))
    threshold = rng.integers(-largest, 3 * largest + 1, neurons)
    threshold = np.where(rng.random(neurons) < 0.05, 2**31 - 1, threshold)
    return make_core(
        axons,
        planes,
        threshold,
        rng.integers(-largest, largest + 1, neurons),
        reset.astype(np.uint8),
        floor,
        rng.integers(0, 2, neurons),
        rng.integers(0, 6, neurons),
        place,
    )


def program_drive(program: Program, seed: int, streams: int, ticks: int, density: float) -> Array:
    """Random line activity (streams, ticks, lines) for a program."""
    from spikebnn.simulate.wiring import line_count

    rng = np.random.default_rng(seed)
    return (rng.random((streams, ticks, line_count(program))) < density).astype(np.uint8)


def program_bits(program: Program, seed: int, frames: int, density: float) -> Array:
    """Random input bits (frames, presentation ticks, inputs)."""
    rng = np.random.default_rng(seed)
    return (rng.random((frames, program.encoder.ticks, program.inputs)) < density).astype(np.uint8)
