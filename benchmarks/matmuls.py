"""The networks as matrix products and convolutions: NumPy and torch in float32, torch and onnxruntime in int8.

Each function takes layers and frames of 0 and 1 and returns a function that computes the scores, on one thread. All of
them are exact: float32 holds every sum, and thresholds are compared as they stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from nets import POOLED, Layers

from spikebnn.arrays import Array

Work = Callable[[], Array]


def numpy_float32(layers: Layers, x: Array) -> Work:
    """Matrix products in NumPy; a convolution as a product over the nine shifted inputs of each place."""
    weights = [np.ascontiguousarray(w.reshape(len(w), -1).T.astype(np.float32)) for w, _ in layers]
    thresholds = [t.astype(np.float32) for _, t in layers]
    kinds = [w.ndim for w, _ in layers]

    def work() -> Array:
        h = x.astype(np.float32)
        for k, (weight, threshold) in enumerate(zip(weights, thresholds)):
            if kinds[k] == 4:
                h = (_places(h) @ weight >= threshold).astype(np.float32).reshape(len(h), *h.shape[2:], -1)
                h = h.transpose(0, 3, 1, 2)
                if k in POOLED:
                    n, c, high, wide = h.shape
                    h = h.reshape(n, c, high // 2, 2, wide // 2, 2).max((3, 5))
                continue
            h = h.reshape(len(h), -1) @ weight
            if k < len(weights) - 1:
                h = (h >= threshold).astype(np.float32)
        return h

    return work


def _places(h: Array) -> Array:
    """Rows of 9 inputs a channel for each place (frames * places, channels * 9); zeros beyond the border."""
    padded = np.pad(h, ((0, 0), (0, 0), (1, 1), (1, 1)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return seen.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 9 * h.shape[1])


def torch_float32(layers: Layers, x: Array) -> Work:
    """The same in torch, with its own convolutions, as anybody would write the inference."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    weights = [torch.from_numpy(w.astype(np.float32)) for w, _ in layers]
    thresholds = [torch.from_numpy(t.astype(np.float32)) for _, t in layers]
    given = torch.from_numpy(x)

    def work() -> Array:
        with torch.inference_mode():
            h = given.float()
            for k, (weight, threshold) in enumerate(zip(weights, thresholds)):
                if weight.ndim == 4:
                    h = (functional.conv2d(h, weight, padding=1) >= threshold[:, None, None]).float()
                    h = functional.max_pool2d(h, 2) if k in POOLED else h
                    continue
                h = h.flatten(1) @ weight.T
                if k < len(weights) - 1:
                    h = (h >= threshold).float()
            return np.asarray(h.numpy())

    return work


def torch_int8(layers: Layers, x: Array) -> Work:
    """Dense layers as torch's int8 products with int32 sums."""
    import torch

    torch.set_num_threads(1)
    weights = [torch.from_numpy(w.T.astype(np.int8).copy()) for w, _ in layers]
    thresholds = [torch.from_numpy(t.astype(np.int32)) for _, t in layers]
    given = torch.from_numpy(x)

    def work() -> Array:
        with torch.inference_mode():
            h = given.to(torch.int8)
            for weight, threshold in zip(weights[:-1], thresholds):
                h = (torch._int_mm(h, weight) >= threshold).to(torch.int8)  # noqa: SLF001, it has no other name
            return np.asarray(torch._int_mm(h, weights[-1]).numpy())  # noqa: SLF001

    return work


def onnxruntime_int8(layers: Layers, x: Array) -> Work:
    """MatMulInteger and ConvInteger in onnxruntime, uint8 spikes and int8 weights, int32 sums."""
    import onnxruntime

    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads = how.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        _onnx(layers, x.shape[1:]), how, providers=["CPUExecutionProvider"]
    )
    return lambda: np.asarray(session.run(None, {"x": x})[0])


def _onnx(layers: Layers, shape: tuple[int, ...]) -> bytes:
    """The layers as an ONNX model."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes: list[Any] = []
    held: list[Any] = []
    at = "x"

    def hold(array: Array) -> str:
        held.append(numpy_helper.from_array(np.ascontiguousarray(array), f"c{len(held)}"))
        return str(held[-1].name)

    def node(op: str, *names: str, **how: Any) -> str:
        nodes.append(helper.make_node(op, list(names), [f"v{len(nodes)}"], **how))
        return f"v{len(nodes) - 1}"

    for k, (weight, threshold) in enumerate(layers):
        if weight.ndim == 4:
            at = node("ConvInteger", at, hold(weight.astype(np.int8)), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        else:
            if k and layers[k - 1][0].ndim == 4:
                at = node("Flatten", at)
            at = node("MatMulInteger", at, hold(weight.T.astype(np.int8)))
        if k < len(layers) - 1:
            border = threshold.astype(np.int32).reshape(-1, *(1,) * (weight.ndim - 2))
            at = node("Cast", node("GreaterOrEqual", at, hold(border)), to=TensorProto.UINT8)
        if weight.ndim == 4 and k in POOLED:
            at = node("MaxPool", at, kernel_shape=[2, 2], strides=[2, 2])
    goes = helper.make_tensor_value_info("x", TensorProto.UINT8, [None, *shape])
    comes = helper.make_tensor_value_info(at, TensorProto.INT32, [None, len(layers[-1][0])])
    model = helper.make_model(
        helper.make_graph(nodes, "net", [goes], [comes], held), opset_imports=[helper.make_opsetid("", 16)]
    )
    model.ir_version = 8
    checker.check_model(model)
    return bytes(model.SerializeToString())
