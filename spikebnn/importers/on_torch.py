"""Runs a `Network` with PyTorch's own kernels: the oracle that shares no arithmetic with `spikebnn.ops`.

Only operations that `spikebnn.ops` knows by name are looked up, so a crafted graph reaches no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import ImportRefused, InputError
from spikebnn.evaluate import needed, reads
from spikebnn.network import Network, Node, Ref
from spikebnn.ops import CONSTANT, OPS
from spikebnn.ops.dtypes import dtype_of, guard_size

_DROPPED = ("MemoryFormat", "Layout", "Device")


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise InputError("checking against PyTorch needs PyTorch; run: pip install torch") from None
    return torch


def _overload(torch: Any, node: Node) -> Any:
    where = f" at '{node.where}'" if node.where else ""
    parts = node.op.split(".")
    if node.op not in OPS or len(parts) != 3 or parts[0] != "aten":
        raise ImportRefused(f"the operation {node.op}{where} is not known; write it with basic tensor operations")
    try:
        return getattr(getattr(torch.ops.aten, parts[1]), parts[2])
    except AttributeError:
        raise ImportRefused(f"this PyTorch ({torch.__version__}) has no operation {node.op}{where}") from None


def _typed(torch: Any, declared: str, value: Any) -> Any:
    """An argument as its ATen type wants it: ScalarType numbers become dtypes, layouts are left out."""
    if any(kind in declared for kind in _DROPPED):
        return None
    if "ScalarType" in declared and isinstance(value, int):
        return getattr(torch, dtype_of(value).name)
    return value


def _arguments(torch: Any, overload: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    declared = overload._schema.arguments  # noqa: SLF001 - the only way to an overload's types
    types = {a.name: str(a.real_type if hasattr(a, "real_type") else a.type) for a in declared}
    plain = [_typed(torch, types[a.name], v) for a, v in zip(declared, args)]
    named = {k: _typed(torch, types.get(k, ""), v) for k, v in kwargs.items()}
    return plain, {k: v for k, v in named.items() if v is not None}


def evaluate(network: Network, feeds: Mapping[str, Array], want: Sequence[str] | None = None) -> dict[str, Array]:
    """Like `spikebnn.evaluate.evaluate`, every operation executed by torch.ops.aten on the CPU."""
    torch = _torch()
    wanted = list(network.outputs if want is None else want)
    nodes, missing = needed(network, set(feeds), wanted)
    if missing:
        raise InputError(f"the network needs a value for {', '.join(sorted(missing))}; given are {sorted(feeds)}")
    left: dict[str, int] = dict.fromkeys(wanted, 1)
    for node in nodes:
        for name in reads(node):
            left[name] = left.get(name, 0) + 1
    values: dict[str, Any] = {}
    for name in left:
        source = feeds[name] if name in feeds else network.tensors.get(name)
        if source is not None:
            values[name] = torch.from_numpy(np.array(source))

    def resolve(value: Any) -> Any:
        if isinstance(value, Ref):
            return values[value.name]
        return [resolve(v) for v in value] if isinstance(value, tuple | list) else value

    with torch.no_grad():
        for node in nodes:
            overload = _overload(torch, node)
            args, kwargs = _arguments(torch, overload, resolve(node.args), {k: resolve(v) for k, v in node.kwargs.items()})
            if node.op in CONSTANT and args and isinstance(args[0], list):
                guard_size(tuple(args[0]))
            if node.op == "aten.view.default":  # our views may stand for a reshape of another layout
                overload = torch.ops.aten.reshape.default
            try:
                out = overload(*args, **kwargs)
            except (RuntimeError, TypeError, ValueError, IndexError) as error:
                first = str(error).strip().splitlines()[0][:200]
                raise ImportRefused(f"{node.op} at '{node.where}' does not fit its arguments: {first}") from None
            results = out if isinstance(out, tuple | list) else (out,)
            values.update({k: v for k, v in zip(node.outs, results) if k in left and k not in feeds})
            for name in reads(node):
                left[name] -= 1
                if not left[name]:
                    values.pop(name, None)
    return {name: torch.as_tensor(values[name]).detach().cpu().numpy() for name in wanted}
