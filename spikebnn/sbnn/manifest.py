"""A `Program` as one JSON document and a handful of flat arrays, and back.

Cores are not stored one by one: their neurons, planes and scales are joined into long arrays with
offsets, and plane blocks or scales that occur several times (tiles of a convolution) are stored once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from spikebnn.arrays import Array, door
from spikebnn.errors import InputError
from spikebnn.network import Network, Node, Ref
from spikebnn.payload import payloads
from spikebnn.program import Core, Plane, Program, ProgramLayer
from spikebnn.threshold import Encoder, Readout, Synapses

Document = dict[str, Any]
DECODER_ARRAYS = ("alpha", "offset", "bias")
SYNAPSE_ARRAYS = ("weight", "taps", "row", "patch")
NEURON_ARRAYS: dict[str, DTypeLike] = {
    "threshold": np.int32,
    "leak": np.int32,
    "reset": np.uint8,
    "floor": np.int32,
    "floor_mode": np.uint8,
    "start": np.int32,
    "layer": np.int32,
    "unit": np.int32,
}


def flatten(program: Program) -> tuple[Document, dict[str, Array]]:
    """The JSON document of a program, and its arrays by name."""
    arrays: dict[str, Array] = {}
    cores = program.cores
    arrays["cores"] = np.array([(c.chip, c.x, c.y, c.axons, c.neurons) for c in cores], np.int32).reshape(
        -1, 5
    )
    for name, dtype in NEURON_ARRAYS.items():
        arrays[name] = np.concatenate([np.zeros(0, dtype), *(getattr(c, name) for c in cores)]).astype(dtype)
    scale, bits = _Blocks(np.int32), _Blocks(np.uint8)
    rows = [
        (number, plane.start, plane.stop, scale.place(plane.scale), bits.place(plane.bits))
        for number, core in enumerate(cores)
        for plane in core.planes
    ]
    arrays["planes"] = np.array(rows, np.int64).reshape(-1, 5)
    arrays["scale"], arrays["bits"] = scale.join(), bits.join()
    arrays.update(routes=program.routes, lines=program.lines, controls=program.controls)
    arrays.update(outputs=program.outputs, base=program.base)
    document: Document = {
        "inputs": program.inputs,
        "period": program.period,
        "latency": program.latency,
        "readout": program.readout,
        "target": program.target,
        "layers": [[layer.name, layer.role, layer.neurons] for layer in program.layers],
        "header": _json(program.header),
        "encoder": _encoder(program.encoder, arrays),
        "decoder": _decoder(program.decoder, arrays),
    }
    return document, arrays


def rebuild(document: Document, arrays: Mapping[str, Array]) -> Program:
    """The program of a document and its arrays; anything that does not hang together is a ValueError or the like."""
    table = door(arrays["cores"], np.int32, None, 5)
    neurons = {
        name: door(arrays[name], dtype, int(table[:, 4].sum())) for name, dtype in NEURON_ARRAYS.items()
    }
    plane_table = door(arrays["planes"], np.int64, None, 5)
    scale, bits = door(arrays["scale"], np.int32, None), door(arrays["bits"], np.uint8, None)
    planes: list[list[Plane]] = [[] for _ in table]
    for number, start, stop, at_scale, at_bits in plane_table.tolist():
        axons, count = int(table[number, 3]), int(table[number, 4])
        if not (number >= 0 and 0 <= start <= stop <= axons):
            raise ValueError(f"a plane of core {number} covers axons {start} to {stop} of {axons}")
        width = (stop - start + 7) // 8
        block = _cut(bits, at_bits, count * width).reshape(count, width)
        planes[number].append(Plane(start=start, stop=stop, scale=_cut(scale, at_scale, count), bits=block))
    cores, first = [], 0
    for number, (chip, x, y, axons, count) in enumerate(table.tolist()):
        own = {name: _cut(flat, first, count) for name, flat in neurons.items()}
        cores.append(Core(chip=chip, x=x, y=y, axons=axons, planes=tuple(planes[number]), **own))
        first += count
    program = Program(
        cores=tuple(cores),
        routes=door(arrays["routes"], np.int32, None, 5),
        lines=door(arrays["lines"], np.int32, None, 4),
        inputs=int(document["inputs"]),
        controls=door(arrays["controls"], np.int32, None, 2),
        period=int(document["period"]),
        latency=int(document["latency"]),
        readout=str(document["readout"]),
        outputs=door(arrays["outputs"], np.int32, None, 3),
        base=door(arrays["base"], np.int32, None),
        encoder=_to_encoder(document["encoder"], arrays),
        decoder=_to_decoder(document["decoder"], arrays),
        layers=tuple(ProgramLayer(name=n, role=r, neurons=int(k)) for n, r, k in document["layers"]),
        target=str(document["target"]),
        header=_value(document["header"]),
    )
    _inside(program)
    return program


def _inside(program: Program) -> None:
    """Raise ValueError where a number of the program points outside what it counts."""
    cores, sums = program.cores, len(program.base)
    neurons = np.array([core.neurons for core in cores], np.int64)
    axons = np.array([core.axons for core in cores], np.int64)
    joined = {
        name: np.concatenate([np.zeros(0), *(getattr(c, name) for c in cores)]) for name in NEURON_ARRAYS
    }
    routes, lines, outputs, controls = program.routes, program.lines, program.outputs, program.controls
    limits: list[tuple[str, Array, Any]] = [
        ("a neuron's reset", joined["reset"], 5),
        ("a neuron's floor mode", joined["floor_mode"], 2),
        ("a neuron's layer", joined["layer"], len(program.layers)),
        ("a neuron's start", joined["start"], np.inf),
        ("a neuron's floor, negated", -joined["floor"], np.inf),
        ("a route's delay, less one", routes[:, 4] - 1, np.inf),
        ("a line's delay", lines[:, 3], np.inf),
        ("a line", lines[:, 0], np.inf),
        ("a control's line", controls[:, 0], np.inf),
        ("a control's tick", controls[:, 1], program.period),
        ("an output's sum", outputs[:, 0], sums),
    ]
    places = (("route's source", routes, 0, neurons), ("route's goal", routes, 2, axons))
    for name, rows, at, count in (*places, ("line's goal", lines, 1, axons), ("output", outputs, 1, neurons)):
        limits.append((f"a {name}'s core", rows[:, at], len(cores)))
        if len(cores):
            core = np.clip(rows[:, at], 0, len(cores) - 1)
            limits.append((f"a {name}", rows[:, at + 1], count[core]))
    for name, values, stop in limits:
        if not ((values >= 0) & (values < stop)).all():
            raise ValueError(f"{name} is out of range")
    if program.period < 1 or program.inputs < 0 or program.readout not in ("spikes", "membrane"):
        raise ValueError("its period, inputs or readout is out of range")
    try:
        payloads(program)
    except InputError as why:
        raise ValueError(str(why)) from why


class _Blocks:
    """Blocks joined end to end, each different one once."""

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype, self.size = np.dtype(dtype), 0
        self.parts: list[Array] = []
        self.known: dict[bytes, int] = {}

    def place(self, block: Array) -> int:
        flat = np.ascontiguousarray(block, self.dtype).ravel()
        key = flat.tobytes()
        if key not in self.known:
            self.known[key] = self.size
            self.parts.append(flat)
            self.size += flat.size
        return self.known[key]

    def join(self) -> Array:
        return np.concatenate([np.zeros(0, self.dtype), *self.parts])


def _cut(flat: Array, first: int, size: int) -> Array:
    if not 0 <= first <= first + size <= len(flat):
        raise ValueError(f"block {first} to {first + size} of {len(flat)}")
    return flat[first : first + size]


def _json(value: Any) -> Any:
    """Python values as JSON: tuples become lists, a `Ref` and a non-finite float become one-key objects."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, Ref):
        return {"ref": value.name}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, Mapping):
        return {"map": {str(key): _json(item) for key, item in value.items()}}
    if isinstance(value, np.generic):
        return _json(value.item())
    raise ValueError(f"a {type(value).__name__} cannot be stored in a program file")


def _value(value: Any) -> Any:
    """Undo `_json`; lists come back as tuples, objects as read-only mappings."""
    if isinstance(value, list):
        return tuple(_value(item) for item in value)
    if isinstance(value, dict):
        ((kind, content),) = value.items()
        makers: dict[str, Callable[[Any], Any]] = {
            "float": float,
            "ref": Ref,
            "map": lambda items: MappingProxyType({key: _value(item) for key, item in items.items()}),
        }
        return makers[kind](content)
    return value


def _network(network: Network | None, prefix: str, arrays: dict[str, Array]) -> Document | None:
    if network is None:
        return None
    names = {name: f"{prefix}.{number}" for number, name in enumerate(sorted(network.tensors))}
    arrays.update({names[name]: tensor for name, tensor in network.tensors.items()})
    return {
        "nodes": [[n.op, _json(n.args), _json(n.kwargs), list(n.outs), n.where] for n in network.nodes],
        "tensors": names,
        "inputs": list(network.inputs),
        "outputs": list(network.outputs),
        "shapes": {name: list(shape) for name, shape in network.shapes.items()},
        "digest": network.digest,
        "origin": network.origin,
        "example": _json(network.example),
    }


def _to_network(document: Document | None, arrays: Mapping[str, Array]) -> Network | None:
    if document is None:
        return None
    nodes = tuple(
        Node(op=op, args=_value(args), kwargs=_value(kwargs), outs=tuple(outs), where=where)
        for op, args, kwargs, outs, where in document["nodes"]
    )
    return Network(
        nodes=nodes,
        tensors=MappingProxyType({name: arrays[stored] for name, stored in document["tensors"].items()}),
        inputs=tuple(document["inputs"]),
        outputs=tuple(document["outputs"]),
        shapes=MappingProxyType({name: tuple(shape) for name, shape in document["shapes"].items()}),
        digest=document["digest"],
        origin=document["origin"],
        example=_value(document["example"]),
    )


def _encoder(encoder: Encoder, arrays: dict[str, Array]) -> Document:
    plain = {f.name: _json(getattr(encoder, f.name)) for f in fields(encoder) if f.name != "graph"}
    return plain | {"graph": _network(encoder.graph, "encoder", arrays)}


def _to_encoder(document: Document, arrays: Mapping[str, Array]) -> Encoder:
    graph = _to_network(document["graph"], arrays)
    return Encoder(graph=graph, **{name: _value(item) for name, item in document.items() if name != "graph"})


def _decoder(decoder: Readout, arrays: dict[str, Array]) -> Document:
    for name in DECODER_ARRAYS:
        if getattr(decoder, name) is not None:
            arrays[f"decoder.{name}"] = getattr(decoder, name)
    for name in SYNAPSE_ARRAYS:
        arrays[f"decoder.{name}"] = getattr(decoder.synapses, name)
    kept = {f.name for f in fields(decoder)} - {*DECODER_ARRAYS, "synapses", "tail"}
    document = {name: _json(getattr(decoder, name)) for name in sorted(kept)}
    return document | {"tail": _network(decoder.tail, "tail", arrays)}


def _to_decoder(document: Document, arrays: Mapping[str, Array]) -> Readout:
    plain = {name: _value(item) for name, item in document.items() if name != "tail"}
    own: dict[str, Any] = {name: arrays.get(f"decoder.{name}") for name in DECODER_ARRAYS}
    synapses = Synapses(**{name: arrays[f"decoder.{name}"] for name in SYNAPSE_ARRAYS})
    if own["alpha"] is None or own["offset"] is None:
        raise ValueError("the decoder's alpha or offset is missing")
    return Readout(synapses=synapses, tail=_to_network(document["tail"], arrays), **own, **plain)
