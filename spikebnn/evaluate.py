"""Run a `Network` in NumPy, all of it or any piece of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spikebnn import ops
from spikebnn.arrays import Array
from spikebnn.errors import InputError
from spikebnn.network import Network, Node, Ref


def names_in(value: Any) -> list[str]:
    """All names that an argument refers to, tuples included."""
    if isinstance(value, Ref):
        return [value.name]
    if isinstance(value, tuple | list):
        return [name for item in value for name in names_in(item)]
    return []


def reads(node: Node) -> list[str]:
    """The names of all values a node takes."""
    return names_in(node.args) + names_in(tuple(node.kwargs.values()))


def needed(network: Network, given: set[str], want: Sequence[str]) -> tuple[list[Node], list[str]]:
    """The nodes between `given` values and `want`, in order, and the names nobody provides."""
    makers = {out: i for i, node in enumerate(network.nodes) for out in node.outs}
    chosen: set[int] = set()
    missing: list[str] = []
    seen: set[str] = set()
    todo = list(want)
    while todo:
        name = todo.pop()
        if name in seen or name in given:
            continue
        seen.add(name)
        if name in makers:
            at = makers[name]
            if at not in chosen:
                chosen.add(at)
                todo += reads(network.nodes[at])
        elif name not in network.tensors:
            missing.append(name)
    return [network.nodes[i] for i in sorted(chosen)], missing


def evaluate(
    network: Network, feeds: Mapping[str, Array], want: Sequence[str] | None = None, *, wide: bool = False
) -> dict[str, Array]:
    """The values named by `want` (by default the outputs), with the batch on axis 0.

    `feeds` gives the inputs, or any inner values instead: only what lies between is run. With
    `wide`, float32 constants and feeds enter as float64 and all arithmetic stays there.
    Raises InputError for a value that nothing provides, ImportRefused for an unknown operation.
    """
    wanted = list(network.outputs if want is None else want)
    nodes, missing = needed(network, set(feeds), wanted)
    if missing:
        raise InputError(
            f"the network needs a value for {', '.join(sorted(missing))}; given are {sorted(feeds)},"
            f" its inputs are {list(network.inputs)}"
        )
    left: dict[str, int] = dict.fromkeys(wanted, 1)
    for node in nodes:
        for name in reads(node):
            left[name] = left.get(name, 0) + 1
    values: dict[str, Array] = {}

    def widen(array: Array) -> Array:
        return array.astype(np.float64) if wide and array.dtype == np.float32 else array

    for name in left:
        if name in feeds:
            values[name] = widen(np.asarray(feeds[name]))
        elif name in network.tensors:
            values[name] = widen(network.tensors[name])

    def resolve(value: Any) -> Any:
        if isinstance(value, Ref):
            return values[value.name]
        if isinstance(value, tuple | list):
            return tuple(resolve(item) for item in value)
        return value

    for node in nodes:
        args = tuple(resolve(a) for a in node.args)
        results = ops.call(node, args, {k: resolve(v) for k, v in node.kwargs.items()}, wide=wide)
        made = zip(node.outs, results, strict=False)  # a value that was fed stays as it was fed
        values.update({name: result for name, result in made if name in left and name not in feeds})
        for name in reads(node):
            left[name] -= 1
            if not left[name]:
                values.pop(name, None)
    return {name: values[name] for name in wanted}
