"""Archives for the importers' tests: exported members of the zoo, and archives damaged or crafted on purpose."""

from __future__ import annotations

import functools
import io
import json
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import torch

from tests import zoo


@functools.cache
def saved(name: str) -> bytes:
    """The archive that spikebnn.save writes for a member of the zoo."""
    from spikebnn.importers.export import archive_bytes

    return archive_bytes(*zoo.member(name))


@functools.cache
def raw(name: str, batch: int | None) -> bytes:
    """A plain torch.export.save without our help: batch None is a free axis, a number is built in."""
    model, x = zoo.member(name)
    return raw_of(model, x if batch is None else x[:batch], batch is None)


def raw_of(model: torch.nn.Module, x: torch.Tensor, free: bool = True, core: bool = False) -> bytes:
    """torch.export.save alone; `core` rewrites the graph in Core ATen first."""
    out = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        shapes = ({0: torch.export.Dim.AUTO},) if free else None
        program = torch.export.export(model, (x,), dynamic_shapes=shapes)
        torch.export.save(program.run_decompositions() if core else program, out)
    return out.getvalue()


def members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {info.filename: opened.read(info) for info in opened.infolist()}


def packed(content: dict[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")  # duplicate names are made on purpose
        for name, data in content.items() if isinstance(content, dict) else content:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return out.getvalue()


def edited(archive: bytes, ending: str, change: Callable[[Any], Any]) -> bytes:
    """The archive with the JSON member that ends so replaced by what `change` makes of it."""
    content = members(archive)
    name = next(n for n in content if n.endswith(ending))
    document = json.loads(content[name])
    changed = change(document)
    content[name] = json.dumps(document if changed is None else changed).encode()
    return packed(content)
