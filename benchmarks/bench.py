"""How fast a dense binary network runs, against the float32 matrix products of NumPy and torch, in one process.

    python benchmarks/bench.py [--frames N] [--rounds N] [--json]

The network is 784-1024-1024-1024-10 with weights of -1 and +1, as a program of four cores. All ways take their
turn in every round, on one thread, and the median of the rounds' ratios is shown: a busy machine slows all of them.
Packing of the input bits and all counts are included; every way's scores are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402

from spikebnn.arrays import Array, door, pack_bits  # noqa: E402
from spikebnn.program import AUXILIARY, NO_FLOOR, Core, Plane, Program, ProgramLayer  # noqa: E402
from spikebnn.simulate.bitwise import BitwiseSession, compiled_kernels  # noqa: E402
from spikebnn.simulate.blas import BlasSession  # noqa: E402
from spikebnn.simulate.reference import ReferenceSession  # noqa: E402
from spikebnn.threshold import Encoder, plain_readout  # noqa: E402

SIZES = (784, 1024, 1024, 1024, 10)
SYNAPSES = sum(a * b for a, b in pairwise(SIZES))
QUANTILE = {
    0.15: 1.0364,
    0.5: 0.0,
}  # of the normal distribution: keeps the density of spikes from layer to layer
Layers = list[tuple[Array, Array]]


def network(density: float, seed: int = 7, sizes: tuple[int, ...] = SIZES) -> Layers:
    """Weights (out, in) of -1 and +1, and integer thresholds; the last layer's are never reached."""
    rng = np.random.default_rng(seed)
    layers = []
    for number, (wide, out) in enumerate(pairwise(sizes)):
        weight = rng.choice(np.array([-1, 1], np.int32), (out, wide))
        middle = QUANTILE[density] * np.sqrt(density * wide)
        threshold = np.rint(middle + rng.integers(-2, 3, out)).astype(np.int32)
        layers.append((weight, threshold if number < len(sizes) - 2 else np.full(out, 2**31 - 1, np.int32)))
    return layers


def program(layers: Layers) -> Program:
    """The network as a program, one core per layer, a plus and a minus plane on the same axons."""
    cores, routes = [], []
    sizes = (layers[0][0].shape[1], *(weight.shape[0] for weight, _ in layers))
    for number, (weight, threshold) in enumerate(layers):
        out, wide = weight.shape
        one, none = np.ones(out, np.int32), np.zeros(out, np.int32)
        planes = tuple(
            Plane(
                start=0,
                stop=wide,
                scale=door(sign * one, np.int32, out),
                bits=door(pack_bits(weight == sign), np.uint8, out, None),
            )
            for sign in (1, -1)
        )
        cores.append(
            Core(
                chip=0,
                x=number,
                y=0,
                axons=wide,
                planes=planes,
                threshold=door(threshold, np.int32, out),
                leak=door(none, np.int32, out),
                reset=door(none.astype(np.uint8), np.uint8, out),
                floor=door(none + NO_FLOOR, np.int32, out),
                floor_mode=door(none.astype(np.uint8), np.uint8, out),
                start=door(none + number, np.int32, out),
                layer=door(none + number, np.int32, out),
                unit=door(none + AUXILIARY, np.int32, out),
            )
        )
        if number:
            routes += [(number - 1, axon, number, axon, 1) for axon in range(wide)]
    last, scores = len(layers) - 1, sizes[-1]
    return Program(
        cores=tuple(cores),
        routes=door(np.array(routes, np.int32), np.int32, None, 5),
        lines=door(np.array([(k, 0, k, 0) for k in range(sizes[0])], np.int32), np.int32, None, 4),
        inputs=sizes[0],
        controls=door(np.zeros((0, 2), np.int32), np.int32, None, 2),
        period=1,
        latency=len(layers),
        readout="membrane",
        outputs=door(np.array([(k, last, k) for k in range(scores)], np.int32), np.int32, None, 3),
        base=door(np.zeros(scores, np.int32), np.int32, scores),
        encoder=Encoder(kind="values", shape=(sizes[0],), dtype="uint8"),
        decoder=plain_readout(scores),
        layers=tuple(ProgramLayer(name=f"fc{k}", role="whole", neurons=n) for k, n in enumerate(sizes[1:])),
        target="benchmark",
    )


def numpy_matmul(layers: Layers, bits: Array) -> Callable[[], Array]:
    """The same network as float32 matrix products in NumPy."""
    weights = [np.ascontiguousarray(weight.T.astype(np.float32)) for weight, _ in layers]
    thresholds = [threshold.astype(np.float32) for _, threshold in layers]

    def work() -> Array:
        h = bits.astype(np.float32)
        for weight, threshold in zip(weights[:-1], thresholds):
            h = (h @ weight >= threshold).astype(np.float32)
        return np.asarray(h @ weights[-1])

    return work


def torch_matmul(layers: Layers, bits: Array) -> Callable[[], Array] | None:
    """The same in torch; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    weights = [torch.from_numpy(weight.T.astype(np.float32).copy()) for weight, _ in layers]
    thresholds = [torch.from_numpy(threshold.astype(np.float32)) for _, threshold in layers]
    given = torch.from_numpy(bits)

    def work() -> Array:
        with torch.inference_mode():
            h = given.float()
            for weight, threshold in zip(weights[:-1], thresholds):
                h = (h @ weight >= threshold).float()
            return np.asarray((h @ weights[-1]).numpy())

    return work


def ways(density: float, frames: int) -> tuple[dict[str, tuple[Callable[[], Array], int]], Array]:
    """Everything that is timed, with its number of frames, and the scores that all must give."""
    layers = network(density)
    made = program(layers)
    bits = (np.random.default_rng(11).random((frames, 1, SIZES[0])) < density).astype(np.uint8)
    few = min(frames, 1024)

    def session(chosen: Any, many: int) -> tuple[Callable[[], Array], int]:
        return (lambda: np.asarray(chosen.frames(bits[:many]).sums)), many

    found = {"NumPy float32 matmul": (numpy_matmul(layers, bits[:few, 0]), few)}
    other = torch_matmul(layers, bits[:few, 0])
    if other is not None:
        found["torch float32 matmul"] = other, few
    found["reference"] = session(ReferenceSession(made), few)
    found["bitwise, NumPy alone"] = session(BlasSession(made), few)
    kernels = compiled_kernels()
    if kernels is not None:
        found["bitwise"] = session(BitwiseSession(made, kernels, threads=1), frames)
        found["bitwise, one frame"] = session(BitwiseSession(made, kernels, threads=1), 1)
    return found, numpy_matmul(layers, bits[:, 0])()


def measure(density: float, frames: int, rounds: int) -> list[dict[str, Any]]:
    """Rows of the table for one density."""
    found, want = ways(density, frames)
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for name, (work, many) in found.items():  # compile, warm, and compare
        if not np.array_equal(work(), want[:many]):
            raise SystemExit(f"{name} gives other scores than the matmul at density {density}")
    for _ in range(rounds):
        for name, (work, many) in found.items():
            work()  # what ran before has set the clock and the caches
            began = time.process_time()
            work()
            seconds[name].append((time.process_time() - began) / many)
    base = seconds["NumPy float32 matmul"]
    return [
        {
            "density": density,
            "way": name,
            "frames": found[name][1],
            "frames_per_second": 1 / statistics.median(own),
            "synapses_per_second": SYNAPSES / statistics.median(own),
            "times_the_matmul": statistics.median(b / o for b, o in zip(base, own)),
        }
        for name, own in seconds.items()
    ]


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=5120, help="frames of the fast ways (default: 5120)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds; medians are shown (default: 7)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    rows = [row for density in QUANTILE for row in measure(density, chosen.frames, chosen.rounds)]
    if chosen.json:
        json.dump(
            {"network": SIZES, "synapses": SYNAPSES, "rounds": chosen.rounds, "rows": rows},
            sys.stdout,
            indent=1,
        )
        return
    title = (
        f"784-1024-1024-1024-10, weights -1 and +1, one thread, CPU time, medians of {chosen.rounds} rounds"
    )
    lines = [title, "", f"{'density':>7}  {'way':24}{'frames/s':>12}{'synapses/s':>12}{'x matmul':>10}"]
    lines += [
        f"{row['density']:7.2f}  {row['way']:24}{row['frames_per_second']:12,.0f}"
        f"{row['synapses_per_second']:12.2e}{row['times_the_matmul']:10.2f}"
        for row in rows
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
