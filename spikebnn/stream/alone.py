"""A file that one stream writes is written by no other: advisory locks, which end with their process however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spikebnn.errors import InputError


def claim(handle: int, path: str | os.PathLike[str]) -> None:
    """Lock an open file; InputError where another stream holds it. Where the system has no such locks, nothing happens."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"{path} is being written by another stream; wait for its end, or name another file"
        ) from None
    except OSError:  # a file system without locks
        return


@contextmanager
def alone(path: str | os.PathLike[str] | None) -> Iterator[None]:
    """Hold a lock beside a file that is replaced as a whole, so that the file itself cannot bear it; None: no file."""
    if path is None:
        yield
        return
    goal = Path(os.path.realpath(path))
    beside = goal.with_name(f".{goal.name}.lock")
    while True:
        try:
            handle = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as why:
            raise InputError(
                f"the checkpoint {path} cannot be written: {(why.strerror or 'the system refused').lower()}"
            ) from None
        try:
            claim(handle, path)
            if os.path.exists(beside) and os.path.samestat(os.stat(beside), os.fstat(handle)):
                break
        except InputError:
            os.close(handle)
            raise
        os.close(handle)  # its last holder has taken it away meanwhile
    try:
        yield
    finally:
        with suppress(OSError):
            beside.unlink()
        os.close(handle)
