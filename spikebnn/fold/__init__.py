"""Fold: from a trained float network to integer thresholds, by asking the network itself.

`fold` evaluates the network's own tail (scale, bias, batch norm, shift, sign) on every sum that a neuron can
reach and reads the threshold off: a proof for every input, not a test on some. `check_fold` compares the
result with the network on random frames and shares no code with it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikebnn.arrays import I64, Array, door
from spikebnn.errors import ImportRefused
from spikebnn.fold import contract
from spikebnn.fold.check import check_fold, check_frames
from spikebnn.fold.front import Front, cuts, input_values
from spikebnn.fold.lower import GATE, Lowered, lower
from spikebnn.fold.options import FoldOptions
from spikebnn.fold.tail import Tail, closure, subnetwork
from spikebnn.fold.values import Bits, Real, Root, Sum
from spikebnn.network import Network
from spikebnn.threshold import NO_TAP, Encoder, Finding, Layer, Readout, Synapses, ThresholdNetwork, Witness

__all__ = ["FoldOptions", "check_fold", "fold"]


def fold(network: Network, options: FoldOptions | None = None) -> ThresholdNetwork:
    """The same network with integer thresholds only; its bits and scores come out unchanged.

    Raises ImportRefused, in one sentence, for whatever cannot be the same network: real-valued layers without
    `host="auto"`, an activation that is no step function, a reachable sign(0), levels without `levels="expand"`.
    """
    options = options or FoldOptions()
    _check_ends(network)
    check_frames(network, input_values(network, options))
    state = lower(network, options)
    readout = _readout(state)
    if options.host != "auto" and state.hosted:
        _refuse_hosted(state)
    if not state.fronts:
        raise ImportRefused("no layer of the network works on bits, so nothing of it can be mapped")
    final, inputs = _numbering(state)
    hosted = tuple(
        Finding(layer=where, kind="host", count=macs, of=macs, text=f"runs on the host, {macs} MACs a frame: {reason}")
        for where, reason, macs in state.hosted
    )
    return ThresholdNetwork(
        inputs=inputs,
        encoder=_encoder(state),
        layers=tuple(_renumbered(layer, final) for layer in state.layers),
        readout=replace(readout, synapses=_moved(readout.synapses, final)),
        findings=(*state.findings, *hosted),
        digest=network.digest,
        meta={"origin": network.origin, "options": {k: getattr(options, k) for k in FoldOptions.__slots__}},
    )


def _check_ends(network: Network) -> None:
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise ImportRefused(
            f"the network has {len(network.inputs)} inputs and {len(network.outputs)} outputs; export it with one of each"
        )
    for name, array in network.tensors.items():
        if array.dtype == np.float16:
            raise ImportRefused(f"tensor '{name}' is half precision, where sums are not exact; export model.float()")


def _refuse_hosted(state: Lowered) -> None:
    if not state.hosted:
        left = f": {', '.join(state.unread)} is no form of a weight times data that is read; write linear, conv2d or matmul"
        raise ImportRefused("no layer of the network was recognised as binary" + (left if state.unread else ""))
    lines = "; ".join(f"layer '{where}' ({macs} MACs a frame): {reason}" for where, reason, macs in state.hosted)
    if not state.fronts or not (state.layers or state.roots):
        raise ImportRefused(f"this is not a binary network: {lines}")
    hint = "" if all("--input" in reason for _, reason, _ in state.hosted) else "; --host auto keeps such layers on the host"
    raise ImportRefused(f"{len(state.hosted)} of the layers cannot run on spiking cores: {lines}{hint}")


def _readout(state: Lowered) -> Readout:
    """What the cores hand to the host, and the float function behind it."""
    out = state.network.outputs[0]
    value = state.values[out]
    if isinstance(value, Real):
        if not value.late:
            _refuse_hosted(state)
            raise ImportRefused("the output does not depend on any bit that cores could compute")
        if len(value.frontier) != 1:
            raise ImportRefused(
                f"the host would have to join {len(value.frontier)} results of the cores "
                f"({', '.join(sorted(value.frontier))}), as after a real-valued skip or in an ensemble; join bits with "
                "torch.cat in front of one last layer, or export the parts as networks of their own"
            )
        start = next(iter(value.frontier))
        value = state.values[start]
    elif isinstance(value, Sum) and value.pool is not None:
        start = value.root.removesuffix(GATE)
    else:
        start = out
    if isinstance(value, Sum) and value.root.endswith(GATE):
        start, value = value.root.removesuffix(GATE), state.values[value.root.removesuffix(GATE)]
    if isinstance(value, Bits):
        name = state.same_as.get(start, start)
        root = contract.identity(name, "output bits", value)
        tail = closure(state.network, state.producer, state.constants, start, out)
    elif isinstance(value, Sum):
        root = state.roots[value.root]
        tail = closure(state.network, state.producer, state.constants, root.name, out)
    else:
        raise ImportRefused(f"the value '{start}' that the host starts from is neither bits nor sums")
    return _readout_of(state, root, tail)


def _readout_of(state: Lowered, root: Root, tail: Tail) -> Readout:
    return Readout(
        name=root.where,
        synapses=Synapses(weight=root.weight, taps=root.taps, row=root.row, patch=root.patch),
        alpha=root.alpha,
        unit=root.unit,
        offset=root.offset,
        bias=None if root.bias is None else root.bias.astype(root.dtype),
        shape=root.shape,
        tail=subnetwork(state.network, tail, (root.name,), (tail.end,)) if tail.nodes else None,
        witness=root.name,
        dtype=root.dtype,
        tolerance=root.rounding(),
    )


def _numbering(state: Lowered) -> tuple[I64, int]:
    """New number of every provisional bit: inputs first, then the layers."""
    final = np.full(state.next_bit + 1, NO_TAP, np.int64)  # the last entry is for NO_TAP itself
    number = 0
    for block in state.fronts:
        final[block.first : block.first + block.size] = np.arange(number, number + block.size)
        number += block.size
    inputs = number
    for layer in state.layers:
        final[layer.first : layer.first + layer.neurons] = np.arange(number, number + layer.neurons)
        number += layer.neurons
    return final, inputs


def _moved(synapses: Synapses, final: I64) -> Synapses:
    return Synapses(
        weight=door(synapses.weight, np.int16, None, None),
        taps=door(final[synapses.taps], np.int32, None, None),
        row=door(synapses.row, np.int32, None),
        patch=door(synapses.patch, np.int32, None),
    )


def _renumbered(layer: Layer, final: I64) -> Layer:
    witness = layer.witness
    if witness is not None:
        witness = Witness(value=witness.value, element=door(witness.element, np.int32), at_least=witness.at_least)
    return replace(
        layer,
        synapses=_moved(layer.synapses, final),
        sign=door(layer.sign, np.int8, None),
        threshold=door(layer.threshold, np.int32, None),
        first=int(final[layer.first]) if layer.neurons else 0,
        witness=witness,
    )


def _encoder(state: Lowered) -> Encoder:
    network = state.network
    raw = network.inputs[0]
    shape = tuple(int(n or 1) for n in network.shapes[raw][1:])
    dtype = str(network.example.get("dtype", "float32"))
    fronts = state.fronts
    if len(fronts) == 1 and fronts[0].kind != "host":
        front = fronts[0]
        levels = {"planes": 8, "thermometer": 255}.get(front.kind, 1)
        ticks = 255 if front.kind == "burst" else 1
        return Encoder(kind=front.kind, shape=shape, dtype=dtype, low=front.low, high=front.high, levels=levels, ticks=ticks)
    names = [f.source for f in fronts]
    nodes: dict[int, None] = {}
    used: dict[str, Array] = {}
    for name in names:
        tail = closure(network, state.producer, state.constants, raw, name)
        nodes.update(dict.fromkeys(id(n) for n in tail.nodes))
        used.update(tail.constants)
    order = tuple(n for n in network.nodes if id(n) in nodes)
    graph = subnetwork(network, Tail(raw, names[-1], order, used), (raw,), names)
    return Encoder(
        kind="host",
        shape=shape,
        dtype=dtype,
        graph=graph,
        cuts=tuple(_front_cuts(f) for f in fronts),
        allowed=tuple(f.values or (f.low, f.high) for f in fronts),
    )


def _front_cuts(front: Front) -> tuple[float, ...]:
    return cuts(front.values) if front.values else (front.high,)


