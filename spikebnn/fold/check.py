"""The fold's checker: run network and thresholds side by side on random frames and compare every bit."""

from __future__ import annotations

import re

import numpy as np

from spikebnn.arrays import Array
from spikebnn.encode import decode, encode
from spikebnn.errors import CheckError, ImportRefused
from spikebnn.evaluate import evaluate
from spikebnn.network import Network
from spikebnn.threshold import Encoder, ThresholdNetwork, execute


def random_frames(encoder: Encoder, frames: int, seed: int) -> Array:
    """Frames that the encoder accepts: its two values, bytes, or reals of mixed size."""
    rng = np.random.default_rng(seed)
    shape = (frames, *encoder.shape)
    dtype = np.dtype(encoder.dtype)
    if encoder.kind == "values":
        return np.where(rng.random(shape) < rng.random((frames, *(1,) * len(encoder.shape))),
                        encoder.high, encoder.low).astype(dtype)  # fmt: skip
    if encoder.kind != "host" or dtype.kind in "ui":
        return rng.integers(0, 256, shape).astype(dtype)
    scale = 10.0 ** rng.integers(-1, 3, (frames, *(1,) * len(encoder.shape)))
    return (rng.normal(size=shape) * scale).astype(dtype)


def check_frames(network: Network, values: tuple[float, float] | None, frames: int = 5, tries: int = 3) -> None:
    """Refuse a network whose answer for one frame depends on the other frames of the batch.

    `values` are the two values of the input where they are known. Every value of the network is compared between a
    batch, the same batch in another order, and its first frame alone; a difference counts if all tries show it, since
    one alone may be a sign decided by rounding.
    """
    for seed in range(tries):
        mixed = _mixed(network, values, frames, seed)
        if not mixed:
            return
    raise ImportRefused(
        f"at '{mixed}' the answer for one frame depends on the other frames of the batch; "
        "frames must be answered one by one (check the axis of softmax, mean, flip or reshape)"
    )


def _mixed(network: Network, values: tuple[float, float] | None, frames: int, seed: int) -> str:
    """The first place where frames are mixed, or nothing."""
    raw = network.inputs[0]
    shape = tuple(int(n or 1) for n in network.shapes[raw][1:])
    low, high = values or (0.0, 1.0)
    dtype = str(network.example.get("dtype", "float32"))
    example = Encoder(kind="values" if values else "host", shape=shape, dtype=dtype, low=low, high=high)
    x = random_frames(example, frames, seed)
    order = np.roll(np.arange(frames), 2)
    names = [out for node in network.nodes for out in node.outs[:1] if network.shapes.get(out, (0,))[:1] == (None,)]
    names = sorted({*names, *network.outputs} - {raw})
    together = evaluate(network, {raw: x}, names)
    try:
        others = [(which, evaluate(network, {raw: x[which]}, names)) for which in (order, order[:1])]
    except ImportRefused as error:
        raise ImportRefused(f"the network does not take frames one by one: {error}") from None
    for node in network.nodes:
        for name in node.outs[:1]:
            for which, other in others if name in together else ():
                here = np.asarray(together[name])
                alike = here.shape[:1] == (frames,) and here[which].shape == other[name].shape
                if not alike or not np.allclose(here[which], other[name], rtol=1e-3, atol=1e-3, equal_nan=True):
                    return node.where or node.op
    return ""


def check_fold(network: Network, folded: ThresholdNetwork, frames: int = 8, seed: int = 0) -> None:
    """Raise CheckError when a bit or a score of `folded` differs from `network` (evaluated in NumPy).

    From the first layer on that the float network decides by rounding (findings "fragile"), bits may differ and are
    not held against the fold, nor is a network that `sign0` changed.
    """
    fragile = {f.layer for f in folded.findings if f.kind == "fragile" and f.count}
    if any(f.kind == "tie" and "changed" in f.text for f in folded.findings):
        return
    x = random_frames(folded.encoder, frames, seed)
    names = sorted({layer.witness.value for layer in folded.layers if layer.witness} | set(network.outputs))
    seen = evaluate(network, {network.inputs[0]: x}, names)
    lines = encode(folded.encoder, x)
    bits, sums = execute(folded, lines.sum(axis=1) if lines.shape[1] > 1 else lines[:, 0])
    for layer in folded.layers:
        if re.split("[@#]", layer.name)[0].removesuffix(".pool") in fragile:
            return
        if layer.witness is None:
            continue
        shown = layer.witness.element >= 0
        value = np.asarray(seen[layer.witness.value]).reshape(frames, -1)[:, layer.witness.element[shown]]
        got = bits[:, layer.first : layer.first + layer.neurons][:, shown].astype(bool)
        wrong = got != (value >= layer.witness.at_least)
        if wrong.any():
            frame, neuron = np.argwhere(wrong)[0]
            raise CheckError(f"layer '{layer.name}': bit of neuron {neuron} differs from the network in frame {frame}")
    scores = decode(folded.readout, sums.astype(np.int64))
    want = np.asarray(seen[network.outputs[0]], np.float64).reshape(scores.shape)
    if not np.allclose(scores, want, rtol=1e-4, atol=1e-4 + 10 * folded.readout.tolerance):
        raise CheckError(f"scores differ from the network by up to {np.abs(scores - want).max():.3g}")
