"""The program file, net.sbnn: one zip archive that is the same, byte for byte, wherever it is written.

Format "spikebnn program", version 1, or 2 where neurons send numbers (the reset GRADED), which readers of version 1 do not
know. Every member is stored, not compressed, and dated 1980-01-01:

    manifest.json     {"format", "version", "arrays": {name: {"dtype", "shape", "sha256"}}, "program": {...}}
    NAME.npy          one NumPy array (format 1.0, C order, little endian) per entry of "arrays", sorted by name

The archive's comment holds the sha256 of manifest.json, which holds the sha256 of every array file; that
one number is the program's digest. `spikebnn.sbnn.manifest` says which arrays there are. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import InputError
from spikebnn.program import GRADED, Program
from spikebnn.sbnn.manifest import flatten, rebuild

FORMAT, VERSION = "spikebnn program", 2
MANIFEST = "manifest.json"
_DAMAGE = (
    zipfile.BadZipFile, ArithmeticError, EOFError, LookupError, MemoryError, NotImplementedError,
    OSError, RuntimeError, TypeError, ValueError, struct.error,
)  # fmt: skip


@lru_cache(maxsize=1)
def digest(program: Program) -> str:
    """The sha256 (hexadecimal) that names this program; equal programs have equal digests."""
    return hashlib.sha256(_members(program)[0][1]).hexdigest()


def save(program: Program, path: str | os.PathLike[str]) -> None:
    """Write `program` to one file, whole or not at all; a file that was there before is replaced at the very end."""
    members = _members(program)
    comment = hashlib.sha256(members[0][1]).hexdigest().encode()
    goal = Path(os.path.realpath(path))
    if goal.is_dir():
        raise InputError(
            f"a program file cannot be written to {path}: that is a directory; name a file, such as net.sbnn"
        )
    if goal.exists() and not goal.is_file():
        raise InputError(f"a program file cannot be written to {path}: that is no ordinary file")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{goal.name}.", suffix=".part", dir=goal.parent)
    except OSError as why:
        raise InputError(f"the program file {path} cannot be written: {why.strerror}") from why
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
                for member, data in members:
                    archive.writestr(_info(member), data)
                archive.comment = comment
            out.flush()
            os.fsync(out.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(goal)
    except OSError as why:
        raise InputError(f"the program file {path} cannot be written: {why.strerror}") from why
    finally:
        part.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> Program:
    """Read a program file; every byte that matters is checked against its sha256."""
    try:
        data = Path(path).read_bytes()
    except OSError as why:
        raise InputError(f"the program file {path} cannot be read: {why.strerror}") from why
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        manifest = archive.read(MANIFEST)
        document = json.loads(manifest)
        if document["format"] != FORMAT:
            raise KeyError(FORMAT)
        version = int(document["version"])
    except _DAMAGE as why:
        raise InputError(
            f"{path} is not a spikebnn program, or it is damaged ({_reason(why)}); "
            "programs are written by 'spikebnn map': map the network again"
        ) from why
    if version > VERSION:
        raise InputError(
            f"{path} has program format {version}, and this spikebnn reads formats up to {VERSION}; "
            "install a newer spikebnn, or map the network again with this one"
        )
    try:
        if hashlib.sha256(manifest).hexdigest().encode() != archive.comment:
            raise ValueError(f"{MANIFEST} does not match its sha256")
        names = [MANIFEST, *sorted(f"{name}.npy" for name in document["arrays"])]
        if [info.filename for info in archive.infolist()] != names:
            raise ValueError("its members are not those that its manifest lists")
        arrays = {name: _array(archive, name, entry) for name, entry in document["arrays"].items()}
        return rebuild(document["program"], arrays)
    except _DAMAGE as why:
        raise InputError(
            f"the program file {path} is damaged: {_reason(why)}; map the network again"
        ) from why


def _members(program: Program) -> list[tuple[str, bytes]]:
    document, arrays = flatten(program)
    entries, files = {}, []
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        data = _npy(array)
        kind = array.dtype.newbyteorder("<").str
        entries[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        files.append((f"{name}.npy", data))
    version = VERSION if any((core.reset == GRADED).any() for core in program.cores) else 1
    manifest = {"format": FORMAT, "version": version, "arrays": entries, "program": document}
    text = json.dumps(manifest, sort_keys=True, indent=1, allow_nan=False)
    return [(MANIFEST, text.encode()), *sorted(files)]


def _npy(array: Array) -> bytes:
    """One array as a .npy file of format 1.0; written here so that no NumPy version changes a byte."""
    if array.dtype.kind not in "biufc":
        raise ValueError(f"an array of {array.dtype} cannot be stored in a program file")
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    head = f"{{'descr': '{little.dtype.str}', 'fortran_order': False, 'shape': {tuple(array.shape)}, }}"
    head += " " * (-(10 + len(head) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + little.tobytes()


def _array(archive: zipfile.ZipFile, name: str, entry: dict[str, object]) -> Array:
    data = archive.read(f"{name}.npy")
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ValueError(f"{name}.npy does not match its sha256")
    array: Array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.newbyteorder("<").str != entry["dtype"] or list(array.shape) != entry["shape"]:
        raise ValueError(f"{name}.npy is not the array that the manifest describes")
    array.flags.writeable = False
    return array


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr, info.compress_type = 3, 0o644 << 16, zipfile.ZIP_STORED
    return info


def _reason(why: BaseException) -> str:
    text = str(why.args[0]) if why.args else type(why).__name__
    return text.splitlines()[0].rstrip(".") if text else type(why).__name__


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
