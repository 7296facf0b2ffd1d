"""Runs a user's own Python file to get a model, and loads its weights: the side of `spikebnn export` that needs trust."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikebnn.errors import InputError
from spikebnn.importers.diagnose import kind
from spikebnn.importers.export import FEWEST, save, the_torch

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # a terminal's colours
_SAVE_ONE = "weights are a state_dict, saved with torch.save(model.state_dict(), 'sd.pt')"
_NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "weights")


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
    torch = the_torch()
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
        if drawn.size < FEWEST:
            drawn = np.resize(drawn, (FEWEST, *shape))
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
        raise InputError(f"'{file}' failed while making {name}: {_said(error)}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
        sys.modules.pop(loader.name, None)
    if not isinstance(model, torch.nn.Module):
        raise InputError(f"{name}() in '{file}' gives a {type(model).__name__}, not a torch.nn.Module")
    return model


def _said(error: BaseException) -> str:
    """An error of somebody else's code on one line."""
    text = " ".join(_ESCAPES.sub("", str(error)).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


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
        what = kind(path)
        if what.startswith(("a state_dict", "a training checkpoint")):  # damaged: it looks like one and cannot be read
            what = f"not a plain state_dict ({_said(error)[:120]})"
        raise InputError(f"'{path}' is {what}; {_SAVE_ONE}") from None
    for key in _NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
            break
    if not isinstance(state, Mapping) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise InputError(f"'{path}' holds a {type(state).__name__}, not a state_dict of tensors; {_SAVE_ONE}")
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
