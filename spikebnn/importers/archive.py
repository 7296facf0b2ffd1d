"""The raw members of a torch.export archive: its JSON documents and its tensor bytes.

Nothing in the file is executed. Members that torch itself would unpickle (sample inputs, weights
flagged `use_pickle`, opaque objects) are never opened. Source: PyTorch documentation, "PT2
Archive Spec", and the export schema, major version 8.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import ImportRefused
from spikebnn.ops.dtypes import dtype_of

MOST_MEMBERS = 20_000
MOST_JSON = 64 << 20  # bytes of one JSON document
MOST_TENSORS = 2 << 30  # bytes of all tensors together
STRIDED = 7  # Layout number of the export schema
RE_EXPORT = "export it again with `spikebnn export` or spikebnn.save(model, example_input, path)"

DAMAGE = (
    KeyError, TypeError, IndexError, ValueError, AttributeError, RecursionError, OverflowError, MemoryError,
    zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError,
)  # fmt: skip


@contextmanager
def damage_is_refused(name: str) -> Iterator[None]:
    """Turn every way in which a damaged file can trip the reader into one sentence."""
    try:
        yield
    except ImportRefused:
        raise
    except DAMAGE as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        what = " ".join(what.split())[:160]
        raise ImportRefused(f"{name} is damaged or not a torch.export archive ({what}); {RE_EXPORT}") from None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Archive:
    """What the reader needs of the file: the graph document, the tensors by name, the optional note."""

    document: dict[str, Any]
    weights: dict[str, Array]
    constants: dict[str, Array]
    note: dict[str, Any]  # extra/spikebnn.json, or empty


class _Members:
    """Archive members by name, each opened only within its size limit."""

    def __init__(self, data: bytes) -> None:
        self.zip = zipfile.ZipFile(io.BytesIO(data))
        infos = self.zip.infolist()
        self.names = [info.filename for info in infos]
        if len(infos) > MOST_MEMBERS:
            raise ImportRefused(f"the archive has {len(infos)} members; at most {MOST_MEMBERS} are read")
        if len(set(self.names)) != len(self.names):
            twice = next(n for n in self.names if self.names.count(n) > 1)
            raise ImportRefused(f"the archive holds two members called '{twice}', so its content is ambiguous; {RE_EXPORT}")
        self.sizes = {info.filename: info.file_size for info in infos}

    def read(self, name: str, most: int) -> bytes:
        size = self.sizes[name]
        if size > most:
            raise ImportRefused(f"the archive member '{name}' has {size} bytes; at most {most} are read")
        data = self.zip.read(name)
        if len(data) != size:
            raise ValueError(f"member '{name}' has {len(data)} bytes where {size} are announced")
        return data

    def document(self, name: str) -> dict[str, Any]:
        found = json.loads(self.read(name, MOST_JSON))
        if not isinstance(found, dict):
            raise TypeError(f"'{name}' holds a {type(found).__name__}")
        return found


def is_export(names: list[str]) -> bool:
    """Whether these member names are those of a torch.export archive."""
    return any(("/" + n).endswith("/archive_format") for n in names) and any(
        "/models/" in "/" + n and n.endswith(".json") for n in names
    )


def _whole(value: Any) -> int:
    number = value["as_int"]
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ValueError(f"size {number!r}")
    return number


def _tensor(name: str, meta: dict[str, Any], data: bytes, room: int) -> Array:
    """One strided tensor; its reach is checked against its bytes before anything is addressed."""
    if meta["layout"] != STRIDED:
        raise ImportRefused(f"the tensor '{name}' is sparse or packed (layout {meta['layout']}); store it dense")
    dtype = dtype_of(meta["dtype"], f"the tensor '{name}'").newbyteorder("<")
    sizes = [_whole(s) for s in meta["sizes"]]
    strides = [_whole(s) for s in meta["strides"]]
    offset = _whole(meta["storage_offset"])
    if len(sizes) != len(strides) or len(sizes) > 16:
        raise ValueError(f"tensor '{name}' has {len(sizes)} sizes and {len(strides)} strides")
    elements = 1
    for n in sizes:
        elements *= n
    if elements * dtype.itemsize > room:
        raise ImportRefused(f"the tensors of the archive need more than {MOST_TENSORS} bytes")
    flat = np.frombuffer(data, dtype, len(data) // dtype.itemsize)
    if not elements:
        return np.zeros(sizes, dtype)
    last = offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
    if last >= flat.size:
        raise ImportRefused(f"the tensor '{name}' reaches element {last} of its {flat.size}; {RE_EXPORT}")
    steps = [s * dtype.itemsize for s in strides]
    seen = np.lib.stride_tricks.as_strided(flat[offset:], sizes, steps, writeable=False)
    out = np.ascontiguousarray(seen).reshape(sizes).astype(dtype.newbyteorder("="))
    out.flags.writeable = False
    return out


def _payloads(members: _Members, root: str, kind: str, model: str, room: int) -> dict[str, Array]:
    name = f"{root}data/{kind}/{model}_{kind}_config.json"
    if name not in members.sizes:
        raise ImportRefused(f"the archive has no '{name}'; it was written by a torch older than 2.9: {RE_EXPORT}")
    out: dict[str, Array] = {}
    for fqn, entry in members.document(name)["config"].items():
        path = entry["path_name"]
        if entry.get("use_pickle") or not path.startswith(("weight_", "tensor_")):
            what = "a weight" if kind == "weights" else "a constant"
            raise ImportRefused(
                f"'{fqn}' is {what} stored as a pickle or custom object, which would run code when opened;"
                " export the model again with plain tensors"
            )
        data = members.read(f"{root}data/{kind}/{path}", room)
        out[fqn] = _tensor(fqn, entry["tensor_meta"], data, room)
        room -= max(out[fqn].nbytes, len(data))
    return out


def open_archive(data: bytes) -> Archive:
    """Read the graph, the tensors and our own note; refuse what is ambiguous, too big or pickled."""
    members = _Members(data)
    models = [n for n in members.names if "/models/" in "/" + n and n.endswith(".json")]
    if len(models) != 1:
        raise ImportRefused(f"the archive holds {len(models)} exported models; exactly one is wanted")
    cut = ("/" + models[0]).rindex("/models/")
    root, model = models[0][:cut], models[0][cut:].removeprefix("models/").removesuffix(".json")
    order = f"{root}byteorder"
    if order in members.sizes and members.read(order, 64).strip() != b"little":
        raise ImportRefused("the archive was written on a big-endian machine; only little-endian ones are read")
    document = members.document(models[0])
    version = document["schema_version"]
    if version["major"] != 8:
        raise ImportRefused(f"the archive has export schema {version['major']}; schema 8 is read (torch 2.9 to 2.13)")
    weights = _payloads(members, root, "weights", model, MOST_TENSORS)
    constants = _payloads(members, root, "constants", model, MOST_TENSORS - sum(w.nbytes for w in weights.values()))
    note_name = f"{root}extra/spikebnn.json"
    note = members.document(note_name) if note_name in members.sizes else {}
    return Archive(document=document, weights=weights, constants=constants, note=note)
