"""Read the arguments of contractions and pools off a node: operands, kernel, stride, padding, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.errors import ImportRefused
from spikebnn.fold.windows import pool_members
from spikebnn.network import Node, Ref

Margins = tuple[tuple[int, int], tuple[int, int]]
Geometry = tuple[tuple[int, int], Margins, tuple[int, int], int]  # stride, padding, dilation, groups


def pair(value: Any, default: Any = None) -> tuple[int, int]:
    if value is None or value == () or value == []:
        value = default
    if isinstance(value, int):
        return value, value
    items = tuple(int(v) for v in value)
    return (items[0], items[0]) if len(items) == 1 else (items[0], items[1])


def arguments(node: Node, names: Sequence[str], defaults: Sequence[Any]) -> list[Any]:
    """Positional and keyword arguments of a node after its first, filled up with defaults."""
    given = list(node.args[1:]) + [None] * len(names)
    return [
        node.kwargs.get(name, given[i] if i < len(node.args) - 1 and given[i] is not None else default)
        for i, (name, default) in enumerate(zip(names, defaults, strict=True))
    ]


def over_axes(dims: Sequence[int] | None, shape: tuple[int, ...]) -> I64 | None:
    """Elements (outputs, members) that a reduction over `dims` takes together; None where that mixes frames."""
    if not dims or any(d % (len(shape) + 1) == 0 for d in dims):
        return None
    element = np.arange(int(np.prod(shape))).reshape(shape)
    axes = [d % (len(shape) + 1) - 1 for d in dims]
    kept = [a for a in range(len(shape)) if a not in axes]
    size = int(np.prod([shape[a] for a in axes]))
    return np.asarray(element.transpose(*kept, *axes).reshape(-1, size))


def adaptive(size: tuple[int, int], shape: tuple[int, ...]) -> I64 | None:
    """Windows of an adaptive pool to `size` where they are all alike; None otherwise."""
    if len(shape) != 3 or any(n % o for n, o in zip(shape[1:], size, strict=True)):
        return None
    kernel = (shape[1] // size[0], shape[2] // size[1])
    return pool_members(shape, kernel, kernel, (0, 0), (1, 1), False)[0]


def max_pool_members(node: Node, shape: tuple[int, ...]) -> I64 | None:
    """Elements (outputs, members) of every window of a max over `shape`, -1 outside; None over the batch."""
    if node.op in ("aten.amax.default", "aten.max.dim"):
        dims = node.args[1] if len(node.args) > 1 else ()
        return over_axes((dims,) if isinstance(dims, int) else dims, shape)
    if node.op == "aten.adaptive_max_pool2d.default":
        return adaptive(pair(node.args[1]), shape)
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    kernel, stride, padding, dilation, ceil = arguments(node, names, (1, (), 0, 1, False))
    if "1d" in node.op:
        k, s, p, d = pair(kernel)[0], pair(stride, kernel)[0], pair(padding)[0], pair(dilation)[0]
        return pool_members((*shape[:-1], 1, shape[-1]), (1, k), (1, s), (0, p), (1, d), bool(ceil))[0]
    if "2d" not in node.op or "adaptive" in node.op or len(shape) != 3:
        raise ImportRefused(f"the pooling {node.op} at '{node.where}' is not supported; use max_pool2d with a fixed window")
    return pool_members(shape, pair(kernel), pair(stride, kernel), pair(padding), pair(dilation), bool(ceil))[0]


def average_members(node: Node, shape: tuple[int, ...]) -> I64 | None:
    if node.op in ("aten.mean.dim", "aten.sum.dim_IntList"):
        return over_axes(node.args[1] if len(node.args) > 1 else (), shape)
    if "adaptive" in node.op:
        return adaptive(pair(node.args[1]), shape)
    kernel, stride, padding, ceil, include, divisor = arguments(
        node,
        ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
        (1, (), 0, False, True, None),
    )
    if "2d" not in node.op or len(shape) != 3 or pair(padding) != (0, 0) or ceil or divisor is not None:
        return None
    del include
    return pool_members(shape, pair(kernel), pair(stride, kernel), (0, 0), (1, 1), False)[0]


def operands(node: Node, constants: Mapping[str, Array]) -> tuple[str | None, Array | None, Array | None, Geometry | None]:
    """(name of the data, weight (out, ...), bias, geometry or None) of a contraction; None where not understood."""

    def constant(arg: Any) -> Array | None:
        return constants.get(arg.name) if isinstance(arg, Ref) else None

    def data(arg: Any) -> str | None:
        return arg.name if isinstance(arg, Ref) and arg.name not in constants else None

    args = node.args
    if node.op == "aten.linear.default":
        return data(args[0]), constant(args[1]), constant(args[2]) if len(args) > 2 else None, None
    if node.op in ("aten.mm.default", "aten.matmul.default"):
        weight = constant(args[1])
        return data(args[0]), None if weight is None or weight.ndim != 2 else weight.T, None, None
    if node.op == "aten.addmm.default" and not node.kwargs:
        weight = constant(args[2])
        return data(args[1]), None if weight is None else weight.T, constant(args[0]), None
    if node.op == "aten.einsum.default" and len(node.args[1]) == 2:
        weight = constant(node.args[1][1])
        flip = _einsum(str(node.args[0]))
        if weight is not None and weight.ndim == 2 and flip is not None:
            return data(node.args[1][0]), weight.T if flip else weight, None, None
    if "conv" not in node.op:
        return None, None, None, None
    names = ("weight", "bias", "stride", "padding", "dilation", "groups")
    weight_ref, bias_ref, stride, padding, dilation, *rest = arguments(node, names, (None, None, 1, 0, 1, 1))
    weight, transposed = constant(weight_ref), False
    groups = rest[0]
    if node.op == "aten.convolution.default":
        transposed, groups = bool(args[6]), int(args[8])
    flat = weight is not None and weight.ndim == 3
    if weight is None or transposed or weight.ndim not in (3, 4):
        return data(args[0]), None, None, None
    strides, dilations = pair(stride), pair(dilation)
    if isinstance(padding, str):  # "same" or "valid"
        spans = [(k - 1) * d * (padding == "same") for k, d in zip(weight.shape[2:], dilations, strict=False)]
        sides = [(s // 2, s - s // 2) for s in spans]
    else:
        sides = [(p, p) for p in pair(padding)][: weight.ndim - 2]
    if flat:  # a 1-d convolution is a 2-d one of height one
        strides, dilations, sides = (1, strides[0]), (1, dilations[0]), [(0, 0), sides[0]]
    return data(args[0]), weight, constant(bias_ref), (strides, (sides[0], sides[1]), dilations, int(groups))


def _einsum(equation: str) -> bool | None:
    """Is the equation a dense layer: False for weight (out, in), True for (in, out), None for anything else."""
    left, _, result = equation.replace(" ", "").partition("->")
    data, _, weight = left.partition(",")
    if len(weight) != 2 or len(data) < 2 or len({*data, *weight}) != len(data) + 1 or result[:-1] != data[:-1]:
        return None
    if weight == result[-1] + data[-1]:
        return False
    return True if weight == data[-1] + result[-1] else None
