"""Checkpoints: the whole state of a stream in one file, written whole or not at all, and refused where it does not belong.

    spikebnn stream checkpoint 1 SHA256      first line; the sum is that of the rest
    {"identity": {...}, "state": {...}}      JSON; arrays as {"array": dtype, "shape": [...], "data": base64}

Nothing is pickled. `identity` holds the digests of program, scenario, source and the simulator: a checkpoint goes on
only with all of them unchanged.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from spikebnn.errors import InputError

FORMAT, VERSION = "spikebnn stream checkpoint", 1


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise InputError, before any work, where something else than a checkpoint would be replaced."""
    if not os.path.lexists(path):
        return
    if not os.path.isfile(path):
        raise InputError(f"{path} is there and is no file; name another for the checkpoint")
    with open(path, "rb") as file:
        if file.read(len(FORMAT)) not in (FORMAT.encode(), b""):
            raise InputError(f"{path} is there and is no checkpoint of a stream; name another file")


def save(path: str | os.PathLike[str], identity: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a checkpoint beside its place and move it there, so that a kill at any moment leaves the old or the new one."""
    body = json.dumps({"identity": dict(identity), "state": state}, default=_plain).encode()
    head = f"{FORMAT} {VERSION} {hashlib.sha256(body).hexdigest()}\n".encode()
    goal = Path(os.path.realpath(path))
    part = goal.with_name(f".{goal.name}.part")
    try:
        with open(part, "wb") as file:
            file.write(head + body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, goal)
        _settle(goal.parent)
    except OSError as why:
        with suppress(OSError):
            part.unlink()
        raise InputError(
            f"the checkpoint {path} cannot be written: {(why.strerror or 'the system refused').lower()}"
        ) from None


def load(path: str | os.PathLike[str], identity: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The state of a checkpoint, None where there is no such file; InputError where it is damaged or another stream's."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as why:
        raise InputError(
            f"the checkpoint {path} cannot be read: {(why.strerror or 'the system refused').lower()}"
        ) from None
    if not data:
        return None
    head, _, body = data.partition(b"\n")
    words = head.decode("utf-8", "replace").rsplit(" ", 2)
    if len(words) != 3 or words[0] != FORMAT or not words[1].isdigit():
        raise InputError(
            f"{path} is no checkpoint of a stream; name another file, or start anew without resuming"
        )
    if int(words[1]) != VERSION:
        raise InputError(
            f"{path} is a checkpoint of format {words[1]}, and this spikebnn reads format {VERSION}; start anew"
        )
    if hashlib.sha256(body).hexdigest() != words[2]:
        raise InputError(f"the checkpoint {path} is damaged; start anew without resuming")
    found = _arrays(json.loads(body))
    for name, ours in identity.items():
        theirs = found["identity"].get(name)
        if theirs != ours:
            raise InputError(
                f"the checkpoint {path} belongs to another {name}: it has {_short(theirs)}, "
                f"and this stream has {_short(ours)}; "
                f"give the {name} it was made with, or start anew without resuming"
            )
    state: Mapping[str, Any] = found["state"]
    return state


def _plain(value: Any) -> Any:
    """What JSON does not know."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            return {"objects": value.tolist()}
        data = np.ascontiguousarray(value)
        text = base64.b64encode(data.tobytes()).decode()
        return {"array": data.dtype.newbyteorder("<").str, "shape": list(data.shape), "data": text}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")


def _arrays(value: Any) -> Any:
    """JSON with its arrays made again."""
    if isinstance(value, list):
        return [_arrays(part) for part in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"objects"}:
        out = np.empty(len(value["objects"]), object)
        out[:] = value["objects"]
        return out
    if set(value) == {"array", "shape", "data"}:
        flat = np.frombuffer(base64.b64decode(value["data"]), np.dtype(value["array"]))
        return flat.reshape(value["shape"]).copy()
    return {key: _arrays(part) for key, part in value.items()}


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}..." if len(text) > 40 else text or "none"


def _settle(folder: Path) -> None:
    """Let the move reach the disk, where folders can be synchronised."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
