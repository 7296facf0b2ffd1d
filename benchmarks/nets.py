"""The networks of the benchmarks, as arrays for all who compute them and as networks that `spikebnn.map` takes.

W1 is dense, 784-1024-1024-1024-10; W2 is convolutional, 28 x 28 inputs, 30.7 million synapses a frame. Weights are -1 and +1,
spikes 0 and 1, and a neuron fires where its sum reaches its threshold; thresholds keep the density of spikes from
layer to layer. W3, a whole chip, is `spikebnn.recurrent`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
from scale import Writer

from spikebnn.arrays import Array, door, pack_bits
from spikebnn.network import Network, Ref
from spikebnn.program import AUXILIARY, NO_FLOOR, Core, Plane, Program, ProgramLayer
from spikebnn.threshold import Encoder, plain_readout

SIZES = (784, 1024, 1024, 1024, 10)
SYNAPSES = sum(a * b for a, b in pairwise(SIZES))
QUANTILE = {
    0.15: 1.0364,
    0.5: 0.0,
}  # of the normal distribution: keeps the density of spikes from layer to layer
CONV = ((32, 1, 3, 3), (64, 32, 3, 3), (128, 64, 3, 3), (256, 6272), (10, 256))
POOLED = (1, 2)  # the convolutions behind which a 2 x 2 maximum is taken
CONV_SYNAPSES = 784 * 9 * 32 + 784 * 288 * 64 + 196 * 576 * 128 + 6272 * 256 + 256 * 10
FLOAT32 = 7  # the number of this type in an export archive
NEVER = 2**31 - 1  # a threshold
Layers = list[tuple[Array, Array]]


def dense(density: float, seed: int = 7, sizes: tuple[int, ...] = SIZES) -> Layers:
    """Weights (out, in) of -1 and +1, and integer thresholds; the last layer's are never reached."""
    rng = np.random.default_rng(seed)
    layers = []
    for number, (wide, out) in enumerate(pairwise(sizes)):
        weight = rng.choice(np.array([-1, 1], np.int32), (out, wide))
        middle = QUANTILE[density] * np.sqrt(density * wide)
        threshold = np.rint(middle + rng.integers(-2, 3, out)).astype(np.int32)
        layers.append((weight, threshold if number < len(sizes) - 2 else np.full(out, NEVER, np.int32)))
    return layers


def convolutional(density: float, seed: int = 17, shapes: tuple[tuple[int, ...], ...] = CONV) -> Layers:
    """Weights of W2, or of other shapes in the same order, and thresholds, higher as the maxima raise the density."""
    rng = np.random.default_rng(seed)
    layers = []
    for shape in shapes:
        weight = rng.choice(np.array([-1, 1], np.int32), shape)
        middle = (1.0364 if density < 0.5 else 0.6) * math.sqrt(density * math.prod(shape[1:]))
        layers.append((weight, np.rint(middle + rng.integers(0, 2, shape[0])).astype(np.int32)))
    return layers


def inputs(frames: int, density: float, shape: tuple[int, ...] = (SIZES[0],), seed: int = 11) -> Array:
    """Frames of 0 and 1 (frames, *shape), uint8."""
    return (np.random.default_rng(seed).random((frames, *shape)) < density).astype(np.uint8)


def network(layers: Layers, shape: tuple[int, ...] | None = None) -> Network:
    """The layers as a network of 0/1 activations on uint8 data; `shape` is that of a frame, where it is not a row."""
    w = Writer(shape or (layers[0][0].shape[1],))
    w.node("_to_copy.default", Ref(w.at))
    w.nodes[-1] = replace(w.nodes[-1], kwargs={"dtype": FLOAT32})
    for number, (weight, threshold) in enumerate(layers):
        out, given = len(weight), w.const(weight.astype(np.float32))
        if weight.ndim == 4:
            w.node(
                "conv2d.default", Ref(w.at), given, None, (1, 1), (1, 1), (1, 1), 1, shape=(out, *w.shape[1:])
            )
        else:
            if len(w.shape) > 1:
                w.node("view.default", Ref(w.at), (-1, math.prod(w.shape)), shape=(math.prod(w.shape),))
            w.node("linear.default", Ref(w.at), given, None, shape=(out,))
        if number == len(layers) - 1:
            break
        at = w.const(threshold.astype(np.float32).reshape(-1, *(1 for _ in w.shape[1:])))
        fires = w.node("ge.Tensor", Ref(w.at), at)
        w.node("where.self", fires, w.const(np.float32(1)), w.const(np.float32(0)))
        if weight.ndim == 4 and number in POOLED:
            half = (out, *(n // 2 for n in w.shape[1:]))
            w.node("max_pool2d.default", Ref(w.at), (2, 2), (2, 2), (0, 0), (1, 1), False, shape=half)
    return replace(w.done(), example={"values": [0.0, 1.0], "dtype": "uint8"})


def by_hand(layers: Layers) -> Program:
    """Dense layers as a program, one core a layer whatever its size, a plus and a minus plane on the same axons."""
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
