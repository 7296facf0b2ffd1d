"""Network files come in here: each is recognised by its content, then read, or refused in one sentence.

Another package adds a format through the entry-point group `spikebnn.importers`: an object with
`recognises(path) -> bool`, which must not execute anything from the file, and `read(path) -> Network`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from spikebnn.errors import ImportRefused
from spikebnn.network import Network


class Importer(Protocol):
    """Reads one file format."""

    def recognises(self, path: Path) -> bool: ...

    def read(self, path: Path) -> Network: ...


def _torch_export() -> Importer:
    from spikebnn.importers import pt2

    return pt2


IMPORTERS: dict[str, Callable[[], Importer]] = {"torch.export": _torch_export}


def importers() -> dict[str, Callable[[], Importer]]:
    """Our importers and those of installed packages, by name; ours come first."""
    found = dict(IMPORTERS)
    for point in entry_points(group="spikebnn.importers"):
        found.setdefault(point.name, point.load)
    return found


def load_network(path: str | os.PathLike[str]) -> Network:
    """The network in the file at `path`, recognised by its content, whatever its suffix.

    Raises ImportRefused with one sentence that says what the file is and how to export it.
    """
    from spikebnn.importers.diagnose import diagnose

    file = Path(path)
    if not file.is_file():
        raise ImportRefused(diagnose(file))
    for getter in importers().values():
        importer = getter()
        if importer.recognises(file):
            return importer.read(file)
    raise ImportRefused(diagnose(file))


def save(model: Any, example_input: Any, path: str | os.PathLike[str]) -> None:
    """Export a torch module as a network file; `example_input` is a batch as the model takes it."""
    from spikebnn.importers.export import save as run

    run(model, example_input, path)


def from_module(model: Any, example_input: Any) -> Network:
    """The network of a torch module, through the same archive that `save` writes."""
    from spikebnn.importers.export import from_module as run

    return run(model, example_input)


def export_file(
    spec: str,
    weights: str | os.PathLike[str] | None,
    shape: Sequence[int],
    out: str | os.PathLike[str],
    *,
    values: Sequence[float] | None = None,
    dtype: str = "float32",
) -> None:
    """Export the module named by "file.py:Name" with weights from a state_dict file; runs that file."""
    from spikebnn.importers.user_model import export_file as run

    run(spec, weights, shape, out, values=values, dtype=dtype)
