"""Writes a torch module as a torch.export archive that our reader opens: the user's side of the door."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikebnn.errors import ImportRefused, InputError
from spikebnn.importers import pt2
from spikebnn.network import Network

_FEWEST = 8  # an example of fewer elements does not tell which values the input takes
_NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
_LEAKY = ("stack_trace", "from_node", "custom", "source_fn_stack")  # source lines, paths, memory addresses


def _torch() -> Any:
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
    logging.disable(logging.WARNING)
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
    if len(values) == 2 and array.size >= _FEWEST:
        note["values"] = [float(v) for v in values]
    return json.dumps({"format": 1, "input": note}, sort_keys=True)


def archive_bytes(model: Any, example_input: Any) -> bytes:
    """The torch.export archive of a module, without source lines, paths or sample inputs.

    The module is traced in eval mode, with a free batch axis, and rewritten without in-place
    operations. Equal modules give equal bytes. Raises ImportRefused where torch cannot trace it.
    """
    torch = _torch()
    _check_types(torch, model)
    inputs = _example(torch, example_input)
    free = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
    with _quiet(), _evaluating(model), torch.no_grad():
        try:
            program = torch.export.export(model, inputs, dynamic_shapes=free).run_decompositions({})
        except Exception as error:  # whatever the model's own forward raises
            first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            raise ImportRefused(
                f"torch.export cannot trace {type(model).__name__}: {type(error).__name__}: {first[:200]}"
            ) from error
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


def export_file(
    spec: str,
    weights: str | os.PathLike[str] | None,
    shape: Sequence[int],
    out: str | os.PathLike[str],
    *,
    values: Sequence[float] | None = None,
    dtype: str = "float32",
) -> None:
    """Run the user's own file, build the module "file.py:Name", load its weights and export it.

    `shape` is that of one frame. `values`, where given, are the two values the input takes.
    """
    torch = _torch()
    model = _build(torch, spec)
    if weights is not None:
        _load_weights(torch, model, Path(weights), spec)
    save(model, _frames(torch, shape, values, dtype), out)


def _frames(torch: Any, shape: Sequence[int], values: Sequence[float] | None, dtype: str) -> Any:
    if not shape or min(shape) < 1:
        raise InputError(f"the input shape is {tuple(shape)}; give one frame's axes, such as 1,28,28")
    if dtype not in ("float32", "float64", "uint8", "int8", "int64", "bool"):
        raise InputError(f"the input type '{dtype}' is not known; one of float32, float64, uint8, int8, int64, bool")
    size = (2, *shape)
    if values is not None:
        if len(set(values)) != 2:
            raise InputError(f"the input values are {list(values)}; give the two values that the input takes")
        drawn = np.resize(np.array(sorted(values)), size)
        if drawn.size < _FEWEST:
            drawn = np.resize(drawn, (_FEWEST, *shape))
    else:
        drawn = np.random.default_rng(0).random(size) if dtype.startswith("float") else np.zeros(size)
    return torch.from_numpy(drawn.astype(dtype))


def _build(torch: Any, spec: str) -> Any:
    """The module that "file.py:Name" stands for: a class or function without arguments, or an instance."""
    file, colon, name = spec.rpartition(":")
    if not colon or not name.isidentifier():
        raise InputError(f"'{spec}' does not name a model; write it as file.py:Name")
    path = Path(file)
    if not path.is_file():
        raise InputError(f"there is no file '{file}' to take {name} from")
    loader = importlib.util.spec_from_file_location(f"_spikebnn_user_{path.stem}", path)
    if loader is None or loader.loader is None:
        raise InputError(f"'{file}' is not a Python file; write the model as file.py:Name")
    module = importlib.util.module_from_spec(loader)
    sys.modules[loader.name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        loader.loader.exec_module(module)
        found = getattr(module, name, None)
        if found is None:
            classes = {k: v for k, v in vars(module).items() if inspect.isclass(v) and v.__module__ == loader.name}
            known = sorted(k for k, v in classes.items() if issubclass(v, torch.nn.Module))
            raise InputError(f"'{file}' has no '{name}'; its models are: {', '.join(known) or 'none'}")
        if isinstance(found, torch.nn.Module):
            return found
        if not callable(found):
            raise InputError(f"'{name}' in '{file}' is a {type(found).__name__}, not a model")
        _check_no_arguments(found, name, file)
        model = found()
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # the user's own code may raise anything
        raise InputError(f"'{file}' failed while making {name}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
        sys.modules.pop(loader.name, None)
    if not isinstance(model, torch.nn.Module):
        raise InputError(f"{name}() in '{file}' gives a {type(model).__name__}, not a torch.nn.Module")
    return model


def _check_no_arguments(found: Any, name: str, file: str) -> None:
    try:
        given = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return
    needed = [p.name for p in given if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if needed:
        raise InputError(
            f"{name} needs arguments ({', '.join(needed)}); add to '{file}' a function without arguments that"
            f" returns the model, and name that function instead of {name}"
        )


def _load_weights(torch: Any, model: Any, path: Path, spec: str) -> None:
    if not path.is_file():
        raise InputError(f"there is no weights file '{path}'")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        first = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise InputError(
            f"'{path}' is not a plain state_dict ({first}); save one with torch.save(model.state_dict(), 'sd.pt')"
        ) from None
    for key in _NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
            break
    if not isinstance(state, Mapping) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise InputError(f"'{path}' holds a {type(state).__name__}, not a state_dict of tensors")
    wanted = model.state_dict()
    if state and all(k.startswith("module.") for k in state) and not any(k.startswith("module.") for k in wanted):
        state = {k.removeprefix("module."): v for k, v in state.items()}  # saved from a DataParallel model
    missing, extra = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    problems = [f"{len(missing)} missing ({', '.join(missing[:3])})"] if missing else []
    problems += [f"{len(extra)} unknown ({', '.join(extra[:3])})"] if extra else []
    unequal = [k for k in wanted if k in state and wanted[k].shape != state[k].shape]
    if unequal:
        k = unequal[0]
        problems.append(f"{len(unequal)} of another shape ({k} is {tuple(state[k].shape)}, not {tuple(wanted[k].shape)})")
    if problems:
        raise InputError(f"the weights in '{path}' do not fit {spec}: {'; '.join(problems)}")
    model.load_state_dict(state)
