"""Operands for the operations' tests, and one call of an operation by NumPy and by torch's own kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikebnn.evaluate import evaluate
from spikebnn.importers import on_torch
from spikebnn.network import Network, Node, Ref

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.1, 16777216.0, 1e-40, -1e-40, 3e38, np.inf, -np.inf, np.nan]


def float32s(*shape: int) -> st.SearchStrategy[np.ndarray]:
    """Arrays of any float32 at all: subnormal, infinite and NaN ones too."""
    one = st.floats(width=32) | st.sampled_from([float(np.float32(s)) for s in SPECIAL]) | st.integers(-300, 300).map(float)
    return arrays(np.float32, shape, elements=one)


def both(op: str, *args: Any, **kwargs: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """All outputs of one ATen operation: ours, and torch's."""
    tensors: dict[str, np.ndarray] = {}

    def lift(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            tensors[f"t{len(tensors)}"] = value
            return Ref(f"t{len(tensors) - 1}")
        return tuple(lift(v) for v in value) if isinstance(value, list | tuple) else value

    outs = tuple(f"out{i}" for i in range(8))
    node = Node(op=f"aten.{op}", args=tuple(lift(a) for a in args), kwargs={k: lift(v) for k, v in kwargs.items()}, outs=outs)
    network = Network(nodes=(node,), tensors=tensors, inputs=(), outputs=("out0",), shapes={})
    found: list[list[np.ndarray]] = []
    for run in (evaluate, on_torch.evaluate):
        many: list[np.ndarray] = []
        for name in outs:
            try:
                many.append(run(network, {}, [name])[name])
            except KeyError:  # the operation has no further output
                break
        found.append(many)
    return found[0], found[1]


def assert_equal(op: str, *args: Any, within: float = 0.0, **kwargs: Any) -> None:
    """Same number of outputs, shapes, types and values; NaN equals NaN; `within` is a relative distance."""
    ours, theirs = both(op, *args, **kwargs)
    assert len(ours) == len(theirs) >= 1
    for a, b in zip(ours, theirs, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if within:
            assert np.allclose(a, b, rtol=within, atol=within, equal_nan=True)
        else:
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
