"""Read a network node by node and lower it: bits and integer sums where possible, the rest stays on the host.

Between two contractions everything is pointwise per neuron, so it is left as it is and only run, on every
reachable sum, when its value is needed as bits (see `settle`). Rewiring is run on arrays of bit numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from spikebnn import ops
from spikebnn.arrays import Array
from spikebnn.errors import ImportRefused
from spikebnn.fold import contract
from spikebnn.fold.front import Front, front_bits
from spikebnn.fold.operands import average_members, max_pool_members, operands
from spikebnn.fold.options import FoldOptions
from spikebnn.fold.settle import Settled, pool_bits, settle
from spikebnn.fold.tail import Tail, closure, references, resolve
from spikebnn.fold.values import Bits, Const, Pool, Real, Root, Sum, Value
from spikebnn.network import Network, Node, Ref
from spikebnn.threshold import NO_TAP, Finding, Layer

GATE = "#bits"  # suffix of the identity root of a bit value


@dataclass(slots=True)
class Lowered:
    """The state while a network is read; frozen away by `fold`."""

    network: Network
    options: FoldOptions
    producer: dict[str, Node]
    values: dict[str, Value] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    roots: dict[str, Root] = field(default_factory=dict)
    same_as: dict[str, str] = field(default_factory=dict)  # a copy of bits -> the bits
    layers: list[Layer] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    fronts: list[Front] = field(default_factory=list)
    hosted: list[tuple[str, str, int]] = field(default_factory=list)  # layer, reason, MACs per frame
    unread: list[str] = field(default_factory=list)  # contractions of a form that is not known
    next_bit: int = 0

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(int(n or 1) for n in self.network.shapes[name][1:])


def lower(network: Network, options: FoldOptions) -> Lowered:
    """Walk the network once; every node's outputs get a `Value`."""
    state = Lowered(network, options, {out: node for node in network.nodes for out in node.outs})
    for name, array in network.tensors.items():
        state.constants[name] = array
        state.values[name] = Const(array)
    state.values[network.inputs[0]] = Real(late=False)
    for node in network.nodes:
        if node.op == "aten.sym_size.int" or not node.outs or "assert" in node.op:
            continue
        _node(state, node)
    return state


def _node(state: Lowered, node: Node) -> None:
    names = [n for n in references(node) if n in state.values]
    moving = [n for n in names if not isinstance(state.values[n], Const)]
    if not moving:
        arrays = ops.call(node, resolve(node.args, state.constants),
                          {k: resolve(v, state.constants) for k, v in node.kwargs.items()})  # fmt: skip
        for out, array in zip(node.outs, arrays, strict=False):
            state.constants[out] = array
            state.values[out] = Const(array)
        return
    if node.op not in ops.OPS:
        raise ImportRefused(f"the operation {node.op} at '{node.where}' is not known; write it with basic tensor operations")
    if node.op in ops.TRAINING:
        raise ImportRefused(f"{node.op} at '{node.where}' belongs to training; call model.eval() before the export")
    if node.op in ops.COPY and isinstance(state.values[moving[0]], Bits):
        state.values[node.outs[0]] = state.values[moving[0]]
        state.same_as[node.outs[0]] = state.same_as.get(moving[0], moving[0])
    elif node.op in ops.CONTRACT:
        _contract(state, node, moving)
    elif node.op in ops.POOL or node.op in ("aten.amax.default", "aten.max.dim"):
        _pool(state, node, moving[0])
    elif node.op in ops.AVERAGE or node.op in ("aten.mean.dim", "aten.sum.dim_IntList"):
        _average(state, node, moving[0])
    elif node.op in ops.REWIRE or node.op in ops.COPY:
        _rewire(state, node, moving)
    elif node.op in ops.POINTWISE:
        _pointwise(state, node, moving)
    else:
        _real(state, node, moving)


def _real(state: Lowered, node: Node, moving: Sequence[str]) -> None:
    """The node runs on the host."""
    frontier: set[str] = set()
    late = False
    for name in moving:
        value = state.values[name]
        if isinstance(value, Real):
            late |= value.late
            frontier |= value.frontier
        else:
            late = True
            frontier.add(_start(state, name))
    if late and any(isinstance(v := state.values[n], Real) and not v.late for n in moving):
        raise ImportRefused(
            f"at '{node.where or node.op}' a real-valued branch meets one computed from bits (a real-valued skip); "
            "remove the skip or make it binary"
        )
    for out in node.outs:
        state.values[out] = Real(late, frozenset(frontier))


def _start(state: Lowered, name: str) -> str:
    """The graph value at which the cores end when `name` is computed on the host."""
    value = state.values[name]
    if isinstance(value, Sum):
        return value.root.removesuffix(GATE)
    return state.same_as.get(name, name)


def as_bits(state: Lowered, name: str, probe: bool = False) -> Bits | None:
    """The value as bits, settling what is pending; None when it is real."""
    value = state.values[name]
    if isinstance(value, Bits):
        return value
    if isinstance(value, Real):
        if value.late:
            return None
        front = front_bits(state.network, state.producer, state.constants, name, state.options, state.next_bit)
        if front is None:
            return None
        for known in state.fronts:
            if known.source == front.source and known.kind == front.kind == "values":
                front = front_bits(state.network, state.producer, state.constants, name, state.options, known.first)
                assert front is not None
                break
        else:
            state.fronts.append(front)
            state.next_bit += front.size
        state.values[name] = front.bits
        return front.bits
    assert isinstance(value, Sum)
    if probe and value.pool is None and value.root == name:
        return None
    done = _settle(state, name, value, probe)
    return None if done is None else _adopt(state, name, done)


def _adopt(state: Lowered, name: str, done: Settled) -> Bits:
    used = {layer.name for layer in state.layers}
    for layer in done.layers:
        unique, count = layer.name or "layer", 1
        while unique in used:
            count += 1
            unique = f"{layer.name or 'layer'}#{count}"
        used.add(unique)
        state.layers.append(replace(layer, name=unique))
        state.next_bit += layer.neurons
    state.findings += done.findings
    state.values[name] = done.bits
    return done.bits


def _tails(state: Lowered, name: str, value: Sum) -> tuple[Root, Tail, Tail | None]:
    root = state.roots[value.root]
    stop = value.root.removesuffix(GATE)
    if value.pool is None:
        return root, closure(state.network, state.producer, state.constants, stop, name), None
    before = closure(state.network, state.producer, state.constants, stop, value.pool.inner)
    after = closure(state.network, state.producer, state.constants, value.pool.out, name)
    return root, before, after


def _settle(state: Lowered, name: str, value: Sum, probe: bool) -> Settled | None:
    root, before, after = _tails(state, name, value)
    return settle(state.network, root, before, after, value.pool, state.options, state.next_bit, probe)


def _pointwise(state: Lowered, node: Node, moving: Sequence[str]) -> None:
    kinds = [state.values[n] for n in moving]
    if any(isinstance(k, Real) for k in kinds):
        _real(state, node, moving)
        return
    found: list[Sum] = []
    for name, value in zip(moving, kinds, strict=True):
        if isinstance(value, Bits):
            key = state.same_as.get(name, name) + GATE
            if key not in state.roots:
                state.roots[key] = contract.identity(state.same_as.get(name, name), node.where, value)
            found.append(Sum(key))
        elif isinstance(value, Sum):
            found.append(value)
    first = found[0]
    if all(s.root == first.root and s.pool is first.pool for s in found):
        for out in node.outs:
            state.values[out] = first
        return
    if node.op == "aten.add.Tensor" and len(found) == 2 and not node.kwargs and all(
        s.root == n and s.pool is None for s, n in zip(found, moving, strict=True)
    ):  # fmt: skip
        merged = contract.add(node.outs[0], node.where, *(state.roots[s.root] for s in found))
        if merged is not None:
            state.roots[merged.name] = merged
            state.values[merged.name] = Sum(merged.name)
            return
    if node.op in ("aten.add.Tensor", "aten.sub.Tensor") and len(found) == 2 and not node.kwargs:
        both = [as_bits(state, n, probe=True) for n in moving]
        if both[0] is not None and both[1] is not None:
            joined = contract.join(both[0], both[1], -1 if "sub" in node.op else 1)
            if joined is not None and joined.shape == state.shape(node.outs[0]):
                state.values[node.outs[0]] = joined
                return
    _real(state, node, moving)


def _rewire(state: Lowered, node: Node, moving: Sequence[str]) -> None:
    first = state.values[moving[0]]
    padding = "pad" in node.op
    if len(moving) == 1 and isinstance(first, Sum) and not padding:
        settled = None if node.op in ops.COPY else as_bits(state, moving[0], probe=True)
        if settled is None:
            for out in node.outs:
                state.values[out] = first
            return
    if node.op in ops.COPY or all(isinstance(state.values[n], Real) for n in moving) and not padding:
        _real(state, node, moving)
        return
    bits = [as_bits(state, n) for n in moving]
    if any(b is None for b in bits) or _joins_constants(node, moving):
        _real(state, node, moving)
        return
    sources = {n: b for n, b in zip(moving, bits, strict=True) if b is not None}
    head = next(iter(sources.values()))
    if not all(b.same_code(head) for b in sources.values()):
        raise ImportRefused(
            f"at '{node.where or node.op}' values of different kinds are joined "
            f"({head.base:g}/{head.base + head.unit:g} and others); binarise both alike"
        )
    for out, bit in zip(node.outs, _rewired(state, node, sources, head), strict=False):
        state.values[out] = bit


def _joins_constants(node: Node, moving: Sequence[str]) -> bool:
    """Does the node put constants beside computed values? An index that merely says where to read does not."""
    joined = node.args[0] if node.args and isinstance(node.args[0], (tuple, list)) else ()
    return any(isinstance(part, Ref) and part.name not in moving for part in joined)


def _rewired(state: Lowered, node: Node, sources: Mapping[str, Bits], head: Bits) -> list[Bits]:
    number = 0.0
    if "pad" in node.op:
        given = [a for a in node.args[2:] if isinstance(a, (int, float)) and not isinstance(a, bool)]
        given += [v for k, v in node.kwargs.items() if k == "value" and v is not None]
        number = float(given[0]) if given else 0.0
    index = ops.call(_filled(node, NO_TAP), *_with(state, node, {n: b.index for n, b in sources.items()}, NO_TAP))
    held = ops.call(_filled(node, number), *_with(state, node, {n: b.fixed for n, b in sources.items()}, number))
    return [replace(head, index=i.astype(np.int64), fixed=h) for i, h in zip(index, held, strict=True)]


def _filled(node: Node, number: float) -> Node:
    """A constant pad that fills with `number`; any other node unchanged."""
    if "pad" not in node.op or _mode(node) != "constant":
        return node
    if node.op == "aten.pad.default":
        return replace(node, args=(*node.args[:2], "constant", number), kwargs={})
    return replace(node, args=(*node.args[:2], number), kwargs={})


def _mode(node: Node) -> str:
    if node.op == "aten.pad.default":
        return str(next((a for a in node.args[2:] if isinstance(a, str)), node.kwargs.get("mode", "constant")))
    return "constant" if node.op == "aten.constant_pad_nd.default" else "other"


def _with(state: Lowered, node: Node, arrays: Mapping[str, Array], number: float) -> tuple[Any, Any]:
    env = {**state.constants, **arrays}
    filled = _filled(node, number)
    return resolve(filled.args, env), {k: resolve(v, env) for k, v in filled.kwargs.items()}


def _pool(state: Lowered, node: Node, name: str) -> None:
    value = state.values[name]
    bits = as_bits(state, name, probe=True)
    if bits is None and isinstance(value, Sum) and value.pool is not None:
        bits = as_bits(state, name)
    if bits is None and not (isinstance(value, Sum) and value.pool is None):
        _real(state, node, [name])
        return
    members = max_pool_members(node, state.shape(name))
    if members is None:
        _real(state, node, [name])
        return
    out = node.outs[0]
    for places in node.outs[1:]:  # where the largest element was: no bit says that
        state.values[places] = Real(late=True, frontier=frozenset([_start(state, name)]))
    if bits is not None:
        _adopt(state, out, pool_bits(node.where or out, bits, members, state.shape(out), out, state.next_bit))
    else:
        assert isinstance(value, Sum)
        spatial = node.op in ops.POOL
        state.values[out] = Sum(value.root, Pool(name, out, members, spatial))


def _average(state: Lowered, node: Node, name: str) -> None:
    """Averages and sums of bits are contractions with all weights one."""
    bits = as_bits(state, name)
    shape = state.shape(name)
    out = node.outs[0]
    members = None if bits is None else average_members(node, shape)
    if bits is None or members is None:
        _real(state, node, [name])
        return
    count = members.shape[1]
    scale = 1.0 if "sum" in node.op else 1.0 / count
    root = contract.total(out, node.where, bits, members, scale, state.shape(out), "float32")
    state.roots[out] = root
    state.values[out] = Sum(out)


def _contract(state: Lowered, node: Node, moving: Sequence[str]) -> None:
    name, weight, bias, geometry = operands(node, state.constants)
    if name is None or weight is None:
        state.unread.append(f"{node.op} at '{node.where or node.outs[0]}'")
        if len(moving) > 1:
            raise ImportRefused(
                f"at '{node.where or node.op}' two computed values are multiplied; a weight must be a constant"
            )
        _real(state, node, moving)
        return
    if weight.dtype not in (np.float32, np.float64):
        raise ImportRefused(f"layer '{node.where}' has {weight.dtype} weights; export model.float()")
    where = node.where or _weight_name(state, node) or name
    value = state.values[name]
    if contract.binary(weight) is None:
        _host(state, node, where, f"its weights are not binary ({contract.not_binary(weight)})", weight, [name])
        return
    bits = as_bits(state, name)
    if bits is None:
        late = not isinstance(value, Real) or value.late
        reason = (
            "its input is real-valued, although its weights are binary"
            if late
            else "it takes the raw input, of which the file does not say what it holds; say --input signs "
            "(-1 and +1), bits (0 and 1), or uint8-planes, uint8-thermometer or uint8-burst"
        )
        _host(state, node, where, reason, weight, [name])
        return
    dtype = str(weight.dtype)
    if geometry is None:
        root = contract.dense(node.outs[0], where, bits, weight, bias, dtype)
    else:
        if len(bits.shape) == 2 and weight.ndim == 3:  # 1-d: a row of height one
            bits = replace(bits, index=bits.index[:, :, None], fixed=bits.fixed[:, :, None])
            weight = weight[:, :, None]
        stride, margins, dilation, groups = geometry
        root = contract.conv(node.outs[0], where, bits, weight, bias, stride, margins, dilation, groups, dtype)
    assert root is not None
    root = replace(root, shape=state.shape(node.outs[0]))
    state.roots[root.name] = root
    state.values[root.name] = Sum(root.name)


def _weight_name(state: Lowered, node: Node) -> str:
    """The parameter behind a contraction's weight, for a layer that has no module of its own."""
    todo = [n for n in references(node) if n in state.constants and state.constants[n].ndim > 1]
    for name in todo:  # grows while it is walked
        if name in state.network.tensors:
            return name[2:] if name[:2] in ("p_", "b_", "c_") else name
        if name in state.producer:
            todo += references(state.producer[name])
    return ""


def _host(state: Lowered, node: Node, where: str, reason: str, weight: Array, moving: Sequence[str]) -> None:
    places = int(np.prod(state.shape(node.outs[0]))) // max(1, weight.shape[0])
    state.hosted.append((where, reason, int(weight.size) * places))
    for name in moving:  # the cores go on up to the last bits
        with suppress(ImportRefused):
            as_bits(state, name)
    _real(state, node, moving)
