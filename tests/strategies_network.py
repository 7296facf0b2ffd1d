"""Random small binary networks, written node by node as an export would, with every tail that people use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from spikebnn.fold import FoldOptions
from spikebnn.network import Network, Node, Ref


@dataclass
class Writer:
    """Collects nodes; `at` is the current value and `shape` its shape without the batch axis."""

    rng: np.random.Generator
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    shapes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    at: str = "x"
    shape: tuple[int, ...] = ()
    where: str = ""

    def const(self, array: Any) -> Ref:
        name = f"c{len(self.tensors)}"
        self.tensors[name] = np.asarray(array)
        return Ref(name)

    def node(self, op: str, *args: Any, shape: tuple[int, ...] | None = None) -> str:
        out = f"v{len(self.nodes)}"
        self.nodes.append(Node(op=f"aten.{op}", args=args, outs=(out,), where=self.where))
        self.shape = self.shape if shape is None else shape
        self.shapes[out] = (None, *self.shape)
        self.at = out
        return out

    def weight(self, kind: str, shape: tuple[int, ...]) -> Ref:
        """A binary weight from latent floats, through the graph's own preparation."""
        latent = self.rng.normal(size=shape).astype(np.float32)
        if kind == "stored":
            return self.const(np.where(latent >= 0, 1, -1).astype(np.float32))
        if kind == "int8":
            self.nodes.append(Node(op="aten.to.dtype", args=(self.const(np.where(latent >= 0, 1, -1).astype(np.int8)), 7),
                                   outs=(name := f"w{len(self.nodes)}",), where=self.where))  # fmt: skip
            return Ref(name)
        source = self.const(latent)
        name = f"w{len(self.nodes)}"
        self.shapes[name] = shape
        if kind == "sign":
            self.nodes.append(Node(op="aten.sign.default", args=(source,), outs=(name,), where=self.where))
        elif kind == "zero-one":
            self.nodes.append(Node(op="aten.gt.Scalar", args=(source, 0.0), outs=(name + "b",), where=self.where))
            self.nodes.append(Node(op="aten.to.dtype", args=(Ref(name + "b"), 7), outs=(name,), where=self.where))
        elif kind == "ternary":
            kept = self.const(np.where(np.abs(latent) > 0.5, np.sign(latent), 0).astype(np.float32))
            return kept
        else:  # a scale per filter: a power of two, or the mean of |w|
            dims = tuple(range(1, len(shape)))
            scale = np.abs(latent).mean(axis=dims, keepdims=True)
            if kind == "pow2":
                scale = 2.0 ** np.round(np.log2(scale))
            return self.const((np.where(latent >= 0, 1, -1) * scale).astype(np.float32))
        return Ref(name)

    def norm(self, ties: bool) -> None:
        channels = self.shape[0]
        gamma = self.rng.normal(size=channels)
        gamma[self.rng.random(channels) < 0.15] = 0
        mean = self.rng.integers(-3, 4, channels) if ties else self.rng.normal(size=channels) * 2
        var = self.rng.random(channels) * 10 + 0.3
        beta = np.zeros(channels) if ties else self.rng.normal(size=channels) * 0.5
        arrays = [self.const(a.astype(np.float32)) for a in (gamma, beta, mean, var)]
        self.node("_native_batch_norm_legit_no_training.default", Ref(self.at), *arrays, 0.1, 1e-5)

    def pool(self, kernel: int, stride: int, padding: int) -> None:
        size = tuple((n + 2 * padding - kernel) // stride + 1 for n in self.shape[1:])
        self.node("max_pool2d.default", Ref(self.at), (kernel, kernel), (stride, stride), (padding, padding),
                  shape=(self.shape[0], *size))  # fmt: skip

    def activate(self, kind: str) -> None:
        x = Ref(self.at)
        if kind == "sign":
            self.node("sign.default", x)
        elif kind == "detach":
            mask = Ref(self.node("ge.Scalar", x, 0.0))
            sign = Ref(self.node("where.self", mask, self.const(np.float32(1)), self.const(np.float32(-1))))
            delta = Ref(self.node("sub.Tensor", sign, x))
            self.node("add.Tensor", Ref(self.node("detach.default", delta)), x)
        elif kind in ("ge", "gt"):
            mask = Ref(self.node(f"{kind}.Scalar", x, 0.0))
            self.node("to.dtype", mask, 7)
        elif kind == "hardtanh":
            clipped = Ref(self.node("hardtanh.default", x, -1.0, 1.0))
            mask = Ref(self.node("ge.Scalar", clipped, 0.0))
            self.node("where.self", mask, self.const(np.float32(1)), self.const(np.float32(-1)))
        elif kind == "shift":
            channels = self.shape[0]
            shift = (self.rng.normal(size=(channels, *(1,) * (len(self.shape) - 1))) * 0.7).astype(np.float32)
            moved = Ref(self.node("add.Tensor", x, self.const(shift)))
            mask = Ref(self.node("ge.Scalar", moved, 0.0))
            self.node("where.self", mask, self.const(np.float32(1)), self.const(np.float32(-1)))
        elif kind == "levels":
            clipped = Ref(self.node("clamp.default", x, 0.0, 3.0))
            self.node("round.default", clipped)


ACTIVATIONS = ("sign", "detach", "ge", "gt", "hardtanh", "shift", "levels")
WEIGHTS = ("sign", "stored", "int8", "zero-one", "ternary", "pow2", "alpha")


def _scaled_safely(draw: Any, kind: str) -> bool:
    return kind == "alpha" or draw(st.booleans())


def _conv(draw: Any, w: Writer, number: int) -> None:
    channels, height, width = w.shape
    groups = draw(st.sampled_from([g for g in (1, 2, channels) if channels % g == 0]))
    out = groups * draw(st.integers(1, 3))
    kernel = draw(st.integers(1, min(3, height, width)))
    dilation = draw(st.integers(1, 2)) if (kernel - 1) * 2 < min(height, width) else 1
    stride = draw(st.integers(1, 2))
    padding = draw(st.integers(0, 1))
    w.where = f"conv{number}"
    if draw(st.integers(0, 5)) == 0:
        value = draw(st.sampled_from([-1.0, 0.0, 1.0]))
        w.node("constant_pad_nd.default", Ref(w.at), (1, 1, 1, 1), value, shape=(channels, height + 2, width + 2))
        height, width = height + 2, width + 2
    span = (kernel - 1) * dilation + 1
    size = tuple((n + 2 * padding - span) // stride + 1 for n in (height, width))
    kind = draw(st.sampled_from(WEIGHTS))
    weight = w.weight(kind, (out, channels // groups, kernel, kernel))
    bias = w.const(w.rng.integers(-2, 3, out).astype(np.float32) + np.float32(0.25)) if draw(st.booleans()) else None
    w.node("conv2d.default", Ref(w.at), weight, bias, (stride, stride), (padding, padding), (dilation, dilation), groups,
           shape=(out, *size))  # fmt: skip
    _tail(draw, w, kind, pool=min(size) >= 2)


def _dense(draw: Any, w: Writer, number: int) -> None:
    w.where = f"fc{number}"
    out = draw(st.integers(1, 8))
    kind = draw(st.sampled_from(WEIGHTS))
    weight = w.weight(kind, (out, w.shape[0]))
    bias = w.const(w.rng.integers(-2, 3, out).astype(np.float32) - np.float32(0.5)) if draw(st.booleans()) else None
    w.node("linear.default", Ref(w.at), weight, bias, shape=(out,))
    _tail(draw, w, kind, pool=False)


def _tail(draw: Any, w: Writer, kind: str, pool: bool) -> None:
    place = draw(st.sampled_from(["none", "raw", "normed", "bits"])) if pool else "none"
    geometry = draw(st.sampled_from([(2, 2, 0), (2, 1, 0), (3, 2, 1)]))
    if place == "raw":
        w.pool(*geometry)
    if _scaled_safely(draw, kind):
        w.norm(draw(st.booleans()))
        if draw(st.integers(0, 4)) == 0:
            w.node("relu.default", Ref(w.at))
            w.node("sub.Tensor", Ref(w.at), w.const(np.float32(0.3)))
    if place == "normed":
        w.pool(*geometry)
    w.activate(draw(st.sampled_from(ACTIVATIONS)))
    if place == "bits":
        w.pool(*geometry)


def _rewire(draw: Any, w: Writer) -> None:
    """Two branches beside each other, a slice, or an average of bits."""
    w.where = "wire"
    source = Ref(w.at)
    kind = draw(st.sampled_from(["slice", "concat", "flip", "mean"]))
    if kind == "slice" and w.shape[0] > 1:
        w.node("slice.Tensor", source, 1, 1, 9223372036854775807, shape=(w.shape[0] - 1, *w.shape[1:]))
    elif kind == "concat":
        again = Ref(w.node("flip.default", source, (1,)))
        w.node("cat.default", (source, again), 1, shape=(2 * w.shape[0], *w.shape[1:]))
    elif kind == "flip":
        w.node("flip.default", source, (1,))
    elif kind == "mean" and len(w.shape) == 3 and min(w.shape[1:]) >= 2:
        size = tuple((n - 2) // 2 + 1 for n in w.shape[1:])
        w.node("avg_pool2d.default", source, (2, 2), (2, 2), shape=(w.shape[0], *size))
        w.activate("shift")


def _flatten(draw: Any, w: Writer) -> None:
    if len(w.shape) == 1:
        return
    w.where = "flat"
    channels, height, width = w.shape
    if draw(st.booleans()):
        w.node("permute.default", Ref(w.at), (0, 2, 3, 1), shape=(height, width, channels))
    w.node("reshape.default", Ref(w.at), (-1, channels * height * width), shape=(channels * height * width,))


@st.composite
def networks(draw: Any) -> tuple[Network, FoldOptions]:
    """A network of up to three binary layers and a binary readout, and the options under which it folds."""
    w = Writer(np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
    if draw(st.booleans()):
        w.shape = (draw(st.integers(1, 3)), draw(st.integers(3, 6)), draw(st.integers(3, 6)))
    else:
        w.shape = (draw(st.integers(1, 24)),)
    frame = w.shape
    w.shapes["x"] = (None, *frame)
    code = draw(st.sampled_from(["signs", "bits"] * 6 + ["planes", "thermometer", "burst"]))
    if code in ("planes", "thermometer", "burst"):
        if np.prod(w.shape) > 12:
            w.shape = frame = (draw(st.integers(1, 4)),)
            w.shapes["x"] = (None, *frame)
        w.where = "scale"
        w.node("to.dtype", Ref("x"), 7)
    for number in range(draw(st.integers(1, 3))):
        if number and draw(st.integers(0, 4)) == 0:
            _rewire(draw, w)
        if len(w.shape) == 3 and min(w.shape[1:]) >= 2 and draw(st.integers(0, 3)):
            _conv(draw, w, number)
        else:
            _flatten(draw, w)
            _dense(draw, w, number)
    _flatten(draw, w)
    w.where = "out"
    kind = draw(st.sampled_from(["sign", "stored", "ternary", "pow2", "zero-one"]))
    classes = draw(st.integers(1, 5))
    weight = w.weight(kind, (classes, w.shape[0]))
    w.node("linear.default", Ref(w.at), weight, None, shape=(classes,))
    if draw(st.booleans()):
        w.norm(ties=False)
    values = [-1.0, 1.0] if code == "signs" else [0.0, 1.0]
    example = {"values": values, "dtype": "float32"} if code in ("signs", "bits") else {"dtype": "uint8"}
    network = Network(
        nodes=tuple(w.nodes), tensors=w.tensors, inputs=("x",), outputs=(w.at,), shapes=w.shapes,
        digest="0" * 64, origin="written by a test", example=example,
    )  # fmt: skip
    given = "auto" if code in ("signs", "bits") else f"uint8-{code}"
    return network, FoldOptions(levels="expand", ternary="expand", input=given)


def frames_of(network: Network, frames: int, seed: int) -> np.ndarray:
    """Random frames of the network's two input values, of mixed density; or bytes."""
    rng = np.random.default_rng(seed)
    shape = (frames, *(int(n) for n in network.shapes["x"][1:]))
    if "values" not in network.example:
        return rng.integers(0, 256, shape).astype(np.uint8)
    low, high = network.example["values"]
    density = rng.random((frames, *(1,) * (len(shape) - 1)))
    return np.where(rng.random(shape) < density, high, low).astype(np.float32)
