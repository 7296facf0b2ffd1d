"""Writes net.pt from a torch module that stands in a Python file, with weights from a state_dict file.

This is the only place where a file of the user is executed, and it is the user's own Python file, named for that
purpose. Weight files are read with `weights_only=True`: nothing in them runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251  (only the name of an error)
from typing import Any

import numpy as np

from spikebnn.errors import InputError


def export(
    source: str,
    shape: Sequence[int],
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    dtype: str = "float32",
    values: Sequence[float] = (-1.0, 1.0),
    arguments: Mapping[str, Any] | None = None,
) -> None:
    """Write the archive `path` for the module that `source` names as "file.py:Net".

    Net is a torch.nn.Module, a subclass of it, or a function that makes one; the latter two are called with
    `arguments`. `shape` is the shape of one frame. The example frame that torch.export records holds `values`
    by turns (0 and 255 for uint8 unless said otherwise), which is how the file says what the input holds.
    """
    import torch

    from spikebnn.importers import save

    model = _made(source, arguments or {})
    if not isinstance(model, torch.nn.Module):
        raise InputError(
            f"{source} is a {type(model).__name__}; wanted a torch.nn.Module, or something that makes one"
        )
    if weights is not None:
        _load(model, weights)
    frame = np.resize(np.asarray(values), tuple(shape)).astype(dtype)
    save(model.eval(), torch.from_numpy(frame[None]), path)


def _made(source: str, arguments: Mapping[str, Any]) -> Any:
    """The module that "file.py:Net" stands for."""
    file, colon, name = source.rpartition(":")
    if not colon or not name or not file.endswith(".py"):
        raise InputError(f"wanted a Python file and a name in it, such as mod.py:Net; found {source!r}")
    path = Path(file).resolve()
    if not path.is_file():
        raise InputError(f"there is no file {file}")
    spec = spec_from_file_location(f"_exported_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} cannot be loaded as a Python module")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))  # so that the file finds its neighbours, as `python mod.py` would
    try:
        spec.loader.exec_module(module)
        made = getattr(module, name, None)
        if made is None:
            found = sorted(
                key for key, value in vars(module).items() if callable(value) and not key.startswith("_")
            )
            raise InputError(
                f"{file} has no {name}; it has {', '.join(found) or 'nothing that can be called'}"
            )
        return made if not callable(made) or _is_module(made) else made(**arguments)
    except InputError:
        raise
    except Exception as error:  # the user's own code may fail in any way
        raise InputError(f"{source} failed: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))


def _is_module(value: Any) -> bool:
    import torch

    return isinstance(value, torch.nn.Module)


def _load(model: Any, weights: str | os.PathLike[str]) -> None:
    """Put the state_dict of a file into the model; a checkpoint may hold it under "state_dict" or "model"."""
    import torch

    if not Path(weights).is_file():
        raise InputError(f"there is no file {weights}")
    try:
        found = torch.load(weights, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise InputError(
            f"{weights} holds more than tensors, so it is not opened; save the weights alone: "
            "torch.save(model.state_dict(), path)"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"{weights} is not a file of weights that torch can read: {error}") from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping):
        raise InputError(f"{weights} holds a {type(found).__name__}; wanted a state_dict")
    try:
        model.load_state_dict(found)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the weights in {weights} do not belong to this module: {reason}") from error
