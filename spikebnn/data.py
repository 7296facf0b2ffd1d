"""Data files: `.npz` with frames and labels, and the gzipped IDX files of MNIST-like sets.

    python -m spikebnn.data fashion-mnist -o fashion_mnist_test.npz      # x uint8 (10000, 1, 28, 28), y
"""

from __future__ import annotations

import argparse
import gzip
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import InputError, SpikeBNNError

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # Debian package dataset-fashion-mnist
MOST_NAMES = 5  # of the arrays that a message lists
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}  # IDX format, byte 2 of the magic


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frames:
    """Frames of data, and their labels where known."""

    x: Array  # (frames, *shape of one frame)
    y: Array | None  # (frames,)


def load(path: str | os.PathLike[str], limit: int | None = None) -> Frames:
    """Read `x` and, where there is one, `y` of an `.npz` file; the first `limit` frames of it.

    Raises InputError for a file that is missing, damaged, without `x`, pickled, or with unequal lengths.
    """
    found = read_arrays(path)
    if "x" not in found:
        raise InputError(f"{path}: wanted an array x (frames first), found {_listed(sorted(found))}; "
                         "save with numpy.savez(path, x=frames, y=labels).")
    x, y = found["x"], found.get("y")
    if x.ndim == 0 or not len(x):
        raise InputError(f"{path}: x holds no frames; its shape is {x.shape}, wanted frames on the first axis.")
    if y is not None and y.shape != (len(x),):
        raise InputError(f"{path}: y has shape {y.shape}, wanted one label for each of the {len(x)} frames of x.")
    return Frames(x=x[:limit], y=None if y is None else y[:limit])


def _listed(names: Sequence[str]) -> str:
    """The first few of these names, and what a file with such names looks like."""
    some = ", ".join(names[:MOST_NAMES]) or "nothing"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    inside = ["/" + name for name in names]
    if any(name.endswith(("/archive_format", "/data.pkl")) for name in inside):
        return f"{some}{more}: it looks like a network, not like data"
    if "/manifest.json" in inside:
        return f"{some}{more}: it looks like a program, not like data"
    return some + more


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """All arrays of an `.npz` file by name (of an `.npy` file the one, as x); objects in it are never unpickled."""
    try:
        with open(path, "rb") as handle:  # numpy leaves a damaged file open
            file = np.load(handle, allow_pickle=False)
            if isinstance(file, np.ndarray):
                return {"x": file}
            with file:
                return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        pickled = "pickle" in str(error).lower()
        reason = "it is none, or it holds pickled objects, which are never opened" if pickled else str(error)
        raise InputError(f"{path}: wanted an .npz file of arrays: {reason}.") from None


def save(path: str | os.PathLike[str], frames: Frames) -> None:
    """Write `.npz`, compressed; the same frames give the same bytes."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        if frames.y is None:
            np.savez_compressed(file, x=frames.x)
        else:
            np.savez_compressed(file, x=frames.x, y=frames.y)


def read_idx(path: str | os.PathLike[str]) -> Array:
    """One array of an IDX file (LeCun's MNIST format), gzipped or not."""
    try:
        raw = Path(path).read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: wanted a gzipped IDX file: {error}.") from None
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES:
        raise InputError(f"{path}: wanted an IDX file, found one that begins with the bytes {data[:4].hex()}.")
    dtype, axes = np.dtype(_IDX_TYPES[data[2]]), data[3]
    if len(data) < 4 + 4 * axes:
        raise InputError(f"{path}: the header promises {axes} axes but the file ends after {len(data)} bytes.")
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    body = data[4 + 4 * axes :]
    if len(body) != int(np.prod(shape, dtype=np.int64)) * dtype.itemsize:
        raise InputError(f"{path}: the header promises shape {shape}, but {len(body)} bytes follow.")
    out: Array = np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    return out


def fashion_mnist(split: str = "test", root: str | os.PathLike[str] = FASHION_MNIST) -> Frames:
    """Fashion-MNIST (Xiao, Rasul, Vollgraf 2017; MIT licence): x uint8 (frames, 1, 28, 28), y int64, 10 classes.

    `split` is "test" (10,000) or "train" (60,000). The files come from Debian's package dataset-fashion-mnist;
    `root` names any other folder with the four files train-/t10k-images/labels-idx{3,1}-ubyte.gz.
    """
    prefixes = {"test": "t10k", "train": "train"}
    if split not in prefixes:
        raise InputError(f"Fashion-MNIST has no split {split!r}; choose test or train.")
    folder = Path(root)
    if not folder.is_dir():
        raise InputError(f"Fashion-MNIST is not at {folder}; install it with `apt install dataset-fashion-mnist`, "
                         "or name the folder with --root.")
    x = read_idx(folder / f"{prefixes[split]}-images-idx3-ubyte.gz")
    y = read_idx(folder / f"{prefixes[split]}-labels-idx1-ubyte.gz")
    return Frames(x=np.ascontiguousarray(x[:, None]), y=y.astype(np.int64))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a set as one `.npz` file."""
    parser = argparse.ArgumentParser(prog="python -m spikebnn.data", description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=["fashion-mnist"])
    parser.add_argument("-o", "--output", required=True, metavar="FILE.npz")
    parser.add_argument("--split", choices=["test", "train"], default="test")
    parser.add_argument("--root", default=str(FASHION_MNIST), help="folder of the four IDX files")
    parser.add_argument("--limit", type=int, help="keep only the first N frames")
    chosen = parser.parse_args(arguments)
    try:
        frames = fashion_mnist(chosen.split, chosen.root)
        kept = Frames(x=frames.x[: chosen.limit], y=None if frames.y is None else frames.y[: chosen.limit])
        save(chosen.output, kept)
    except SpikeBNNError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{chosen.output}: x {kept.x.dtype} {kept.x.shape}, y {len(kept.x)} labels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
