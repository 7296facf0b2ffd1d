"""Reads a torch.export archive into a `Network`, with zipfile, json and NumPy alone."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from spikebnn import ops
from spikebnn.arrays import Array
from spikebnn.errors import ImportRefused
from spikebnn.evaluate import evaluate, reads
from spikebnn.importers.archive import DAMAGE, Archive, damage_is_refused, is_export, open_archive
from spikebnn.importers.batch import BatchFree, live
from spikebnn.importers.functional import Functional
from spikebnn.importers.graph import Draft, add_graph
from spikebnn.network import Network, Node
from spikebnn.ops.dtypes import SCALAR_TYPES, dtype_of

MOST_FILE = 4 << 30  # bytes
_NO_STATS = "aten._native_batch_norm_legit.no_stats"  # batch norm by the batch's own mean and variance


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether the file at `path` is a zip with the members of a torch.export archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return is_export(archive.namelist())
    except DAMAGE:
        return False


def read(path: str | os.PathLike[str]) -> Network:
    """The network in the torch.export archive at `path`.

    Nothing in the file is executed. Raises ImportRefused, in one sentence, for anything that is
    damaged, ambiguous, pickled, in half precision or exported in training mode.
    """
    file = Path(path)
    with damage_is_refused(str(file)):
        if file.stat().st_size > MOST_FILE:
            raise ImportRefused(f"{file} has {file.stat().st_size} bytes; at most {MOST_FILE} are read")
        return read_bytes(file.read_bytes(), str(file))


def read_bytes(data: bytes, name: str = "the archive") -> Network:
    """The network in the bytes of a torch.export archive; `name` is used in messages."""
    with damage_is_refused(name):
        return _network(open_archive(data), hashlib.sha256(data).hexdigest())


def _tensors(archive: Archive, draft: Draft) -> tuple[dict[str, Array], dict[str, str]]:
    """Constants by graph name, and buffers' graph names by their own names."""
    signature = archive.document["graph_module"]["signature"]
    tensors: dict[str, Array] = {}
    buffers: dict[str, str] = {}
    for spec in signature["input_specs"]:
        ((kind, entry),) = spec.items()
        if kind == "user_input":
            ((what, value),) = entry["arg"].items()
            if what == "as_tensor":
                draft.inputs.append(value["name"])
            elif what not in ("as_none", "as_string", "as_int", "as_float", "as_bool"):
                raise ImportRefused(f"the network takes an input of kind '{what:.40}'; only tensors are supported")
        elif kind == "parameter":
            tensors[entry["arg"]["name"]] = archive.weights[entry["parameter_name"]]
        elif kind == "buffer":
            source = archive.weights if entry["buffer_name"] in archive.weights else archive.constants
            tensors[entry["arg"]["name"]] = source[entry["buffer_name"]]
            buffers[entry["buffer_name"]] = entry["arg"]["name"]
        elif kind == "tensor_constant":
            tensors[entry["arg"]["name"]] = archive.constants[entry["tensor_constant_name"]]
        elif kind != "constant_input":
            raise ImportRefused(
                f"the graph takes a '{kind:.40}', a custom object, which is not opened; export the model with plain tensors"
            )
    return tensors, buffers


def _outputs(archive: Archive, draft: Draft, buffers: dict[str, str]) -> None:
    for spec in archive.document["graph_module"]["signature"]["output_specs"]:
        ((kind, entry),) = spec.items()
        if kind == "user_output":
            ((what, value),) = entry["arg"].items()
            if what == "as_tensor":
                draft.outputs.append(value["name"])
            elif what != "as_none":
                raise ImportRefused(f"the network returns something of kind '{what:.40}'; it must return tensors")
        elif kind == "buffer_mutation":
            draft.changed.append((buffers[entry["buffer_name"]], entry["arg"]["name"]))
        elif kind not in ("parameter_mutation", "user_input_mutation"):
            raise ImportRefused(f"a graph output of kind '{kind:.40}' is not supported")
    if not draft.outputs or not draft.inputs:
        raise ImportRefused(f"the network has {len(draft.inputs)} inputs and {len(draft.outputs)} outputs that are tensors")


def _static_batch(draft: Draft) -> int | None:
    """The batch size the graph is tied to, or None where it is free."""
    sizes: set[int | None] = set()
    for name in draft.inputs:
        shape = draft.shapes[name]
        if len(shape) < 2 or None in shape[1:]:
            raise ImportRefused(
                f"the input '{name}' has shape {shape}; axis 0 must be the batch and all other axes of fixed length:"
                " export with an example input that has the batch axis first"
            )
        sizes.add(shape[0])
    if len(sizes) > 1:
        raise ImportRefused(f"the inputs have different batch sizes {sorted(map(str, sizes))} on axis 0")
    return sizes.pop()


def _check_order(draft: Draft, tensors: dict[str, Array]) -> None:
    known = set(tensors) | set(draft.inputs)
    for node in draft.nodes:
        for name in reads(node):
            if name not in known:
                raise ValueError(f"'{name}' is read before it is made")
        for out in node.outs:
            if out and out in known:
                raise ValueError(f"'{out}' is made twice")
            known.add(out)
    for name in draft.outputs:
        if name not in known:
            raise ValueError(f"the output '{name}' is never made")


def _check_ops(draft: Draft) -> None:
    """Refuse, by module path, what belongs to training, what is unknown, and half precision."""
    for node in draft.nodes:
        where = f"'{node.where}'" if node.where else "the model"
        switch = {"aten.batch_norm.default": 5, "aten.dropout.default": 2, "aten.feature_dropout.default": 2,
                  "aten.alpha_dropout.default": 2}.get(node.op)  # fmt: skip
        if node.op == _NO_STATS or (node.op == "aten.batch_norm.default" and node.args[3:4] == (None,)):
            raise ImportRefused(
                f"{where} has no running statistics (track_running_stats=False), so its answer depends on the batch;"
                " train it with track_running_stats=True"
            )
        if node.op in ops.TRAINING or (switch is not None and len(node.args) > switch and node.args[switch] is True):
            raise ImportRefused(f"{where} was exported in training mode ({node.op}); call model.eval() and export again")
        if node.op not in ops.OPS:
            raise ImportRefused(
                f"{where} uses the operation {node.op:.80}, which is not known; write it with basic"
                " tensor operations"
            )
        for out in node.outs:
            if out in draft.dtypes and draft.dtypes[out] not in SCALAR_TYPES:
                dtype_of(draft.dtypes[out], where)


def _example(archive: Archive, draft: Draft) -> dict[str, Any]:
    """What the file tells of its input values: our own note where there is one, else the type."""
    first = draft.inputs[0]
    out: dict[str, Any] = {"dtype": dtype_of(draft.dtypes[first], f"the input '{first}'").name}
    note = archive.note.get("input")
    if archive.note.get("format") == 1 and isinstance(note, dict):
        values = note.get("values")
        if isinstance(values, list) and 1 <= len(values) <= 2:
            out["values"] = tuple(sorted(float(v) for v in values))
        if note.get("dtype") in set(SCALAR_TYPES.values()):
            out["dtype"] = note["dtype"]
    return out


def _network(archive: Archive, digest: str) -> Network:
    draft = Draft()
    tensors, buffers = _tensors(archive, draft)
    graph = archive.document["graph_module"]["graph"]
    add_graph(graph, draft, {})
    _outputs(archive, draft, buffers)
    _check_order(draft, tensors)
    for name, tensor in tensors.items():
        draft.shapes[name] = tensor.shape
    Functional(draft, set(tensors)).run()
    made = draft.nodes
    batch = _static_batch(draft)
    BatchFree(draft, batch).run()
    draft.nodes = live(draft.nodes, draft.outputs)
    _check_ops(draft)
    used = {name for node in draft.nodes for name in reads(node)} | set(draft.outputs)
    _check_state(draft, made, used, {v: k for k, v in buffers.items()})
    names = used | {out for node in draft.nodes for out in node.outs} | set(draft.inputs)
    network = Network(
        nodes=tuple(_sealed(node) for node in draft.nodes),
        tensors=MappingProxyType({k: v for k, v in tensors.items() if k in used}),
        inputs=tuple(draft.inputs),
        outputs=tuple(draft.outputs),
        shapes=MappingProxyType({k: v for k, v in draft.shapes.items() if k in names}),
        digest=digest,
        origin=f"torch.export {str(archive.document.get('torch_version', '')).split('+')[0][:20]}",
        example=MappingProxyType(_example(archive, draft)),
    )
    if batch is not None:
        _check_batch(network, draft, batch)
    return network


def _sealed(node: Node) -> Node:
    return Node(op=node.op, args=node.args, kwargs=MappingProxyType(dict(node.kwargs)), outs=node.outs, where=node.where)


def _check_state(draft: Draft, made: list[Node], used: set[str], buffers: dict[str, str]) -> None:
    """Refuse a network whose answer depends on what it was shown before.

    A parameter that is clamped or rounded in place is the model's own affair: only data make it a
    state. A buffer that is changed and read is one in any case.
    """
    data = set(draft.inputs)
    for node in made:
        if data.intersection(reads(node)):
            data.update(node.outs)
    for name, value in draft.changed:
        if name in used and value != name and (name in buffers or value in data):
            raise ImportRefused(
                f"the buffer '{buffers.get(name, name)}' is changed by every call and read by the next, so the network"
                " keeps state; only networks that answer each frame on its own are mapped"
            )


def _check_batch(network: Network, draft: Draft, batch: int) -> None:
    """A graph tied to one batch size was freed of it; see that two frames answer as each does alone."""
    rng = np.random.default_rng(1)
    feeds = {}
    for name in network.inputs:
        drawn = rng.integers(0, 2, (2 * batch, *(n or 0 for n in network.shapes[name][1:])))
        feeds[name] = (drawn * 2 - 1).astype(dtype_of(draft.dtypes[name]))
    sorry = (
        f"the network was exported for a batch of {batch} and does not treat its frames one by one; export it again"
        " with an example of two frames and dynamic_shapes=({0: torch.export.Dim.AUTO},), or with spikebnn.save"
    )
    try:
        both = evaluate(network, feeds)
        parts = [evaluate(network, {k: v[i : i + batch] for k, v in feeds.items()}) for i in (0, batch)]
    except ImportRefused as error:
        raise ImportRefused(f"{sorry} ({error})") from None
    for name in network.outputs:
        alone = np.concatenate([np.atleast_1d(p[name]) for p in parts])
        if both[name].shape != alone.shape or not np.allclose(both[name], alone, 1e-3, 1e-3, equal_nan=True):
            raise ImportRefused(sorry)


