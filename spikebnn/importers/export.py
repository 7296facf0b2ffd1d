"""Writes a torch module as a torch.export archive that our reader opens: the user's side of the door."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spikebnn.errors import ImportRefused, InputError
from spikebnn.importers import pt2
from spikebnn.network import Network

FEWEST = 8  # an example of fewer elements does not tell which values the input takes
_LEAKY = ("stack_trace", "from_node", "custom", "source_fn_stack")  # source lines, paths, memory addresses


def the_torch() -> Any:
    try:
        import torch
        import torch.export
    except ImportError:
        raise InputError("exporting a model needs PyTorch, which is not installed; run: pip install torch") from None
    return torch


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Neither warnings nor torch's log lines, while it traces."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what torch logs as an error, it raises as well
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """The model in eval mode; every module's own training flag is put back afterwards."""
    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag


def _first_line(error: Exception) -> str:
    """The kind of an error and the first line of what it says."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
    return f"{type(error).__name__}: {first[:200]}"


def _try_once(model: Any, inputs: tuple[Any, ...]) -> None:
    """Refuse a model that does not run on its own example: torch traces some that cannot. Its tensors are put back."""
    before = [(tensor, tensor.clone()) for tensor in (*model.parameters(), *model.buffers())]
    try:
        model(*inputs)
    except Exception as error:  # whatever the model's own forward raises
        given = " and ".join(f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}" for x in inputs)
        raise ImportRefused(
            f"{type(model).__name__} fails on an example input of {given}: {_first_line(error)}"
        ) from error
    finally:
        for tensor, kept in before:
            tensor.copy_(kept)


def _example(torch: Any, example_input: Any) -> tuple[Any, ...]:
    given = tuple(example_input) if isinstance(example_input, tuple | list) else (example_input,)
    tensors = []
    for x in given:
        t = torch.from_numpy(np.array(x)) if isinstance(x, np.ndarray) else x
        if not isinstance(t, torch.Tensor):
            raise InputError(f"the example input is a {type(t).__name__}; a tensor or NumPy array is wanted")
        if t.dim() < 2 or not t.shape[0]:
            raise InputError(
                f"the example input has shape {tuple(t.shape)}; give a batch as the model takes it, frames first,"
                " such as (2, 1, 28, 28)"
            )
        t = t.detach().cpu()
        tensors.append(torch.cat([t, t]) if len(t) == 1 else t)  # a batch of one would be built in for good
    return tuple(tensors)


def _check_types(torch: Any, model: Any) -> None:
    if not isinstance(model, torch.nn.Module):
        raise InputError(f"a torch.nn.Module is wanted, not a {type(model).__name__}")
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.dtype in (torch.float16, torch.bfloat16):
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ImportRefused(f"'{name}' is {kind}, where sums are not exact; export model.float() instead")
        if tensor.device.type != "cpu":
            raise ImportRefused(f"'{name}' lies on the device '{tensor.device}'; export model.cpu() instead")


def _note(x: Any) -> str:
    """What the archive tells of the input: its type, one frame's shape, and its values if there are just two."""
    array = x.numpy()
    values = np.unique(array)
    note: dict[str, Any] = {"dtype": array.dtype.name, "shape": list(array.shape[1:])}
    if len(values) == 2 and array.size >= FEWEST:
        note["values"] = [float(v) for v in values]
    return json.dumps({"format": 1, "input": note}, sort_keys=True)


def archive_bytes(model: Any, example_input: Any) -> bytes:
    """The torch.export archive of a module, without source lines, paths or sample inputs.

    The module is traced in eval mode, with a free batch axis, and rewritten without in-place
    operations. Equal modules give equal bytes. Raises ImportRefused where torch cannot trace it.
    """
    torch = the_torch()
    _check_types(torch, model)
    inputs = _example(torch, example_input)
    free = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
    with _quiet(), _evaluating(model), torch.no_grad():
        try:
            program = torch.export.export(model, inputs, dynamic_shapes=free).run_decompositions({})
        except Exception as error:  # whatever the model's own forward raises
            raise ImportRefused(f"torch.export cannot trace {type(model).__name__}: {_first_line(error)}") from error
        _try_once(model, inputs)
        for module in program.graph_module.modules():
            for node in getattr(getattr(module, "graph", None), "nodes", ()):
                for key in _LEAKY:
                    node.meta.pop(key, None)
        program.example_inputs = None
        out = io.BytesIO()
        torch.export.save(program, out, extra_files={"spikebnn.json": _note(inputs[0])})
    return out.getvalue()


def from_module(model: Any, example_input: Any) -> Network:
    """The network of a torch module; `example_input` is a batch as the model takes it, frames first."""
    return pt2.read_bytes(archive_bytes(model, example_input), f"the export of {type(model).__name__}")


def save(model: Any, example_input: Any, path: str | os.PathLike[str]) -> None:
    """Write the module as a torch.export archive, under any suffix, after reading it back once.

    A file appears whole or not at all. Raises ImportRefused if spikebnn would not read it.
    """
    data = archive_bytes(model, example_input)
    pt2.read_bytes(data, f"the export of {type(model).__name__}")
    write_whole(Path(path), data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place, then move it there."""
    if not path.parent.is_dir():
        raise InputError(f"there is no directory '{path.parent}' to write '{path.name}' into")
    if path.exists() and not path.is_file():
        raise InputError(f"'{path}' is no ordinary file; name another place to write to")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
