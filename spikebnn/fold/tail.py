"""A tail: the piece of the network's own float graph between a contraction and the value that is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikebnn import ops
from spikebnn.arrays import I64, Array
from spikebnn.network import Network, Node, Ref


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The nodes from `start` to `end` in order, and the constants that they read."""

    start: str
    end: str
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]

    @property
    def has_sign(self) -> bool:
        return any(node.op == "aten.sign.default" for node in self.nodes)


def references(node: Node) -> list[str]:
    """Names that a node reads, in order, with those inside lists."""
    found: list[str] = []

    def walk(arg: Any) -> None:
        if isinstance(arg, Ref):
            found.append(arg.name)
        elif isinstance(arg, (tuple, list)):
            for item in arg:
                walk(item)

    for arg in (*node.args, *node.kwargs.values()):
        walk(arg)
    return found


def closure(network: Network, producer: Mapping[str, Node], constants: Mapping[str, Array], start: str, end: str) -> Tail:
    """The tail from `start` to `end`: every node on which `end` depends, down to `start` and constants."""
    needed: set[int] = set()
    used: dict[str, Array] = {}
    todo = [end]
    while todo:
        name = todo.pop()
        if name in constants:
            used[name] = constants[name]
        if name == start or name in constants or name not in producer:
            continue
        node = producer[name]
        if id(node) not in needed:
            needed.add(id(node))
            todo += references(node)
    return Tail(start, end, tuple(n for n in network.nodes if id(n) in needed), used)


def resolve(arg: Any, env: Mapping[str, Array]) -> Any:
    """`arg` with every Ref replaced by its array; -1 for a symbolic size, which no array carries."""
    if isinstance(arg, Ref):
        return env.get(arg.name, -1)
    if isinstance(arg, (tuple, list)):
        return type(arg)(resolve(item, env) for item in arg)
    return arg


def step(node: Node, env: dict[str, Array], wide: bool = False) -> None:
    """Run one node and put its results into `env`."""
    kwargs = {k: resolve(v, env) for k, v in node.kwargs.items()}
    env.update(zip(node.outs, ops.call(node, resolve(node.args, env), kwargs, wide=wide), strict=False))


def run(tail: Tail, y: Array, wide: bool = False) -> Array:
    """`tail` applied to `y` (batch, *shape); `wide` does it in float64, with the same constants."""
    env: dict[str, Array] = dict(tail.constants)
    if wide:
        env = {k: a.astype(np.float64) if a.dtype == np.float32 else a for k, a in env.items()}
        y = y.astype(np.float64)
    env[tail.start] = y
    with np.errstate(all="ignore"):
        for node in tail.nodes:
            step(node, env, wide)
    return env[tail.end]


def position_free(tail: Tail, shape: tuple[int, ...]) -> bool:
    """Can the tail be evaluated once per channel, for a contraction of `shape` (channels, height, width)?

    True when it is pointwise (a pool counts as the identity) and no constant varies over height or width.
    """
    if len(shape) != 3:
        return False
    for node in tail.nodes:
        if node.op not in ops.POINTWISE and node.op not in ops.POOL and node.op not in ops.COPY:
            return False
    for array in tail.constants.values():
        if array.ndim >= 3 and any(n != 1 for n in array.shape[-2:]):
            return False
        if array.ndim == 2 and array.shape != (1, 1):
            return False
    return not any(broadcasts_last(node, tail) for node in tail.nodes)


def broadcasts_last(node: Node, tail: Tail) -> bool:
    """Does an elementwise node broadcast a 1-d constant over the last axis? Norms and prelu take theirs by channel."""
    if any(word in node.op for word in ("batch_norm", "prelu")):
        return False
    arrays = [tail.constants[name] for name in references(node) if name in tail.constants]
    return any(a.ndim == 1 and a.size > 1 for a in arrays)


def wiring(tail: Tail, elements: I64, shapes: Mapping[str, tuple[int | None, ...]]) -> I64:
    """Which element of the start each element of the end comes from: the tail's rewiring run on numbers.

    `elements` (*shape of the start); the result has the end's shape. Pointwise nodes keep numbers in place and
    spread them where a constant broadcasts.
    """
    env: dict[str, Any] = {tail.start: elements[None]}
    for node in tail.nodes:
        moved = [name for name in references(node) if name in env]
        if not moved:
            continue
        if node.op in ops.REWIRE:
            plain = {**tail.constants, **env}
            kwargs = {k: resolve(v, plain) for k, v in node.kwargs.items()}
            env.update(zip(node.outs, ops.call(node, resolve(node.args, plain), kwargs), strict=False))
            continue
        source = env[moved[0]]
        wanted = shapes.get(node.outs[0])
        for out in node.outs[:1]:
            if wanted is not None and len(wanted) >= 1:
                target = (1, *(int(n or 1) for n in wanted[1:]))
                source = np.broadcast_to(source, target) if target != source.shape else source
            env[out] = source
    wired: I64 = np.asarray(env[tail.end])[0]
    return wired


def subnetwork(network: Network, tail: Tail, inputs: Sequence[str], outputs: Sequence[str]) -> Network:
    """The tail as a network of its own, for the host."""
    names = {*inputs, *outputs, *tail.constants, *(out for node in tail.nodes for out in node.outs)}
    return Network(
        nodes=tail.nodes,
        tensors=dict(tail.constants),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        shapes={k: v for k, v in network.shapes.items() if k in names},
        origin=network.origin,
    )
