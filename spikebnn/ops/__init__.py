"""The tensor operations an exported network is made of, in NumPy.

`OPS` maps an ATen name to a function that takes its arguments in ATen's order. The sets sort
them by what they do to a value: POINTWISE acts on each element alone; REWIRE moves elements;
COPY leaves everything; CONTRACT forms weighted sums; POOL and AVERAGE reduce windows; REDUCE
shrinks axes; TAIL are the usual last steps; CONSTANT needs no tensor at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import ImportRefused
from spikebnn.network import Node
from spikebnn.ops.activate import ACTIVATION_OPS
from spikebnn.ops.cast import CAST_OPS, COPY_OPS
from spikebnn.ops.contract import CONTRACT_OPS
from spikebnn.ops.create import CONSTANT_OPS, LIKE_OPS
from spikebnn.ops.margin import MARGIN_OPS
from spikebnn.ops.normalise import NORMALISE_OPS
from spikebnn.ops.pointwise import POINTWISE_OPS
from spikebnn.ops.pool import AVERAGE_OPS, POOL_OPS
from spikebnn.ops.reduce import REDUCE_OPS, TAIL_OPS
from spikebnn.ops.rewire import REWIRE_OPS

POINTWISE = frozenset({**POINTWISE_OPS, **ACTIVATION_OPS, **NORMALISE_OPS, **CAST_OPS, **LIKE_OPS})
REWIRE = frozenset({**REWIRE_OPS, **MARGIN_OPS})
COPY = frozenset(COPY_OPS)
CONTRACT = frozenset(CONTRACT_OPS)
POOL = frozenset(POOL_OPS)
AVERAGE = frozenset(AVERAGE_OPS)
REDUCE = frozenset(REDUCE_OPS)
TAIL = frozenset(TAIL_OPS)
CONSTANT = frozenset(CONSTANT_OPS)
TRAINING = frozenset({
    "aten._native_batch_norm_legit_functional.default", "aten._native_batch_norm_legit.default",
    "aten._native_batch_norm_legit.no_stats", "aten.native_batch_norm.default",
    "aten._batch_norm_with_update.default", "aten._batch_norm_with_update_functional.default",
    "aten.native_dropout.default", "aten.bernoulli.p", "aten.bernoulli.default", "aten.rrelu_with_noise.default",
    "aten.rand_like.default", "aten.rand.default", "aten.randn_like.default", "aten.randn.default",
})  # fmt: skip

OPS: dict[str, Callable[..., Any]] = {
    **POINTWISE_OPS, **ACTIVATION_OPS, **NORMALISE_OPS, **CAST_OPS, **LIKE_OPS, **REWIRE_OPS, **MARGIN_OPS,
    **COPY_OPS, **CONTRACT_OPS, **POOL_OPS, **AVERAGE_OPS, **REDUCE_OPS, **TAIL_OPS, **CONSTANT_OPS,
    "aten.sym_size.int": lambda x, dim: np.asarray(x.shape[dim]),
}  # fmt: skip

_DTYPE_AT = {"aten.to.dtype": 1, "aten.to.device": 2}


def _widened(op: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    at = _DTYPE_AT.get(op)
    if at is not None and len(args) > at and args[at] == 7:
        args = (*args[:at], 8, *args[at + 1 :])
    return args, {k: 8 if k == "dtype" and v == 7 else v for k, v in kwargs.items()}


def call(node: Node, args: Sequence[Any], kwargs: Mapping[str, Any], *, wide: bool = False) -> tuple[Array, ...]:
    """Run one node on arrays and plain numbers; the answer has one array per output.

    With `wide`, a cast to float32 stays in float64: the cross-check of a fold asks for that.
    An unknown operation, and arguments that do not fit, are refused with the module path.
    """
    where = f" at '{node.where}'" if node.where else ""
    if node.op in TRAINING:
        raise ImportRefused(f"{node.op}{where} belongs to training; call model.eval() before the export")
    function = OPS.get(node.op)
    if function is None:
        raise ImportRefused(f"the operation {node.op}{where} is not known; write it with basic tensor operations")
    if wide:
        args, kwargs = _widened(node.op, args, kwargs)
    try:
        with np.errstate(all="ignore"):
            out = function(*args, **kwargs)
    except ImportRefused as error:
        raise ImportRefused(f"{error} ({node.op}{where})") from None
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError, MemoryError,
            NotImplementedError) as error:  # fmt: skip
        raise ImportRefused(f"{node.op}{where} does not fit its arguments: {error}") from None
    many = out if isinstance(out, tuple) else (out,)
    return tuple(np.asarray(a) for a in many)
